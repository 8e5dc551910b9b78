package ui

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The table of exit codes is the same in the help, in docs/exit-codes.md and in
// the source.
func TestExitCodes(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[int]string)
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`).FindAllStringSubmatch(string(doc), -1) {
		n, _ := strconv.Atoi(m[1])
		documented[n] = strings.ReplaceAll(m[2], "`", "")
	}
	helped := make(map[int]string)
	last := -1
	for line := range strings.Lines(ExitCodesHelp) {
		if m := regexp.MustCompile(`^ +(\d+)   (.*)\n$`).FindStringSubmatch(line); m != nil {
			last, _ = strconv.Atoi(m[1])
			helped[last] = m[2]
		} else if rest, ok := strings.CutPrefix(line, "        "); ok && last >= 0 {
			helped[last] += " " + strings.TrimSpace(rest)
		}
	}
	for _, code := range []int{ExitDone, ExitFailed, ExitUsage, ExitSource, ExitStalled, ExitNoSpace, ExitInterrupted} {
		if documented[code] == "" || documented[code] != helped[code] {
			t.Errorf("%d is %q in the document and %q in the help", code, documented[code], helped[code])
		}
		if code != ExitDone && !strings.Contains(string(doc), "`"+codeNames[code]+"`") {
			t.Errorf("the document lacks the word %q", codeNames[code])
		}
	}
	if len(documented) != len(helped) || len(helped) != len(codeNames)+1 {
		t.Errorf("%d codes in the document, %d in the help, %d in the source", len(documented), len(helped), len(codeNames)+1)
	}
}
