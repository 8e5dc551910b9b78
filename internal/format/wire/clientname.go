package wire

import (
	"fmt"
	"strings"
)

// Code is shoal's two-letter client code in peer ids (BEP 20). The lists of deployed clients
// do not contain it.
const Code = "SO"

// unknownClient is the name of a client that its peer id does not reveal.
const unknownClient = "unknown client"

// release returns major, minor and patch of a version such as "v1.2.3" or "1.2.3-7-gabc"; a
// part that is not a number counts as 0. So all builds of one release have the same numbers.
func release(version string) (n [3]int) {
	version = strings.TrimPrefix(version, "v")
	for i := range n {
		number, rest, more := strings.Cut(version, ".")
		end := 0
		for end < len(number) && isDigit(number[end]) {
			n[i] = min(n[i]*10+int(number[end]-'0'), maxDigit)
			end++
		}
		if !more || end < len(number) {
			break
		}
		version = rest
	}
	return n
}

// PeerIDPrefix returns the first eight bytes of our peer ids, in the style of BEP 20: "-SO",
// major, minor and patch of the version and a zero, "-". A number above nine becomes a
// letter, as in other clients (10 is A).
func PeerIDPrefix(version string) string {
	n := release(version)
	return "-" + Code + string([]byte{alphabet[n[0]], alphabet[n[1]], alphabet[n[2]], '0'}) + "-"
}

// UserAgent returns our name over HTTP: "shoal/1.2.3", with the numbers of the peer id.
// Private trackers admit clients by these two, so their form is fixed.
func UserAgent(version string) string {
	n := release(version)
	return fmt.Sprintf("shoal/%d.%d.%d", n[0], n[1], n[2])
}

// ClientName returns the client and version that a peer id claims, as in "qBittorrent 4.6.1",
// or "unknown client". It is for display only: a stranger chooses its peer id, so no decision
// depends on it. Whatever the id, the name consists of letters, digits and a few signs of our
// own.
func ClientName(id [20]byte) string {
	for _, read := range [...]func([20]byte) (string, bool){
		dotted, azureus, dashed, special, shadow,
	} {
		if name, ok := read(id); ok {
			return name
		}
	}
	return unknownClient
}

// alphabet maps one letter to a number in the styles of Azureus and Shadow; Shadow's has two
// more, '.' and '-', which no version uses.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// maxDigit is the greatest number in a version of our own.
const maxDigit = len(alphabet) - 1

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// azureus reads "-XX1234-". The fourth digit is a build or a mark of development versions: it
// appears only when it is a number and not zero.
func azureus(id [20]byte) (string, bool) {
	if id[0] != '-' {
		return "", false
	}
	code := string(id[1:3])
	name, ok := azureusNames[code]
	// FlashGet omits the last dash.
	if !ok || id[7] != '-' && code != "FG" {
		return "", false
	}
	var v []byte
	for i, c := range id[3:7] {
		n := strings.IndexByte(alphabet, c)
		switch {
		case i == 3 && (c == '0' || !isDigit(c)):
			continue
		case n < 0:
			return name, true
		case i > 0:
			v = append(v, '.')
		}
		v = appendNumber(v, n)
	}
	return name + " " + string(v), true
}

// dotted reads "-XX1.2.3-", of any length: MLdonkey and rain.
func dotted(id [20]byte) (string, bool) {
	name, ok := map[string]string{"-ML": "MLDonkey", "-RN": "rain"}[string(id[:3])]
	if !ok {
		return "", false
	}
	v, _, closed := strings.Cut(string(id[3:]), "-")
	if !closed || strings.Trim(v, "0123456789.") != "" || v == "" {
		return name, true
	}
	return name + " " + v, true
}

// dashed reads "M4-20-8-": Mainline, Queen Bee and, with a digit, aria2.
func dashed(id [20]byte) (string, bool) {
	var name string
	s := string(id[:])
	switch {
	case strings.HasPrefix(s, "A2-"):
		name, s = "aria2", s[3:]
	case s[0] == 'M' && isDigit(s[1]):
		name, s = "Mainline", s[1:]
	case s[0] == 'Q' && isDigit(s[1]):
		name, s = "Queen Bee", s[1:]
	default:
		return "", false
	}
	var v []byte
	for i := range 3 {
		number, rest, ok := strings.Cut(s, "-")
		if !ok || number == "" || len(number) > 3 || strings.Trim(number, "0123456789") != "" {
			return "", false
		}
		if i > 0 {
			v = append(v, '.')
		}
		v = append(v, number...)
		s = rest
	}
	return name + " " + string(v), true
}

// shadow reads "S58B-----": a letter, up to five digits padded with dashes, three dashes.
func shadow(id [20]byte) (string, bool) {
	name, ok := shadowNames[id[0]]
	if !ok || string(id[6:9]) != "---" {
		return "", false
	}
	var v []byte
	for i, c := range strings.TrimRight(string(id[1:6]), "-") {
		n := strings.IndexRune(alphabet, c)
		if n < 0 {
			return "", false
		}
		if i > 0 {
			v = append(v, '.')
		}
		v = appendNumber(v, n)
	}
	if len(v) == 0 {
		return "", false
	}
	return name + " " + string(v), true
}

// special reads the ids that follow a style of their own.
func special(id [20]byte) (string, bool) {
	s := string(id[:])
	switch {
	case strings.HasPrefix(s, "exbc") || strings.HasPrefix(s, "FUTB"):
		name := "BitComet"
		if s[6:10] == "LORD" {
			name = "BitLord"
		}
		v := append(appendNumber(nil, int(s[4])), '.', '0'+s[5]/10%10, '0'+s[5]%10)
		return name + " " + string(v), true
	case strings.HasPrefix(s, "XBT") && isDigit(s[3]) && isDigit(s[4]) && isDigit(s[5]):
		name := "XBT"
		if s[6] == 'd' {
			name = "XBT debug"
		}
		return name + " " + s[3:4] + "." + s[4:5] + "." + s[5:6], true
	case strings.HasPrefix(s, "OP") && strings.Trim(s[2:6], "0123456789") == "" &&
		strings.Trim(s[6:], "0123456789abcdef") == "":
		return "Opera build " + s[2:6], true
	case strings.HasPrefix(s, "TIX") && strings.Trim(s[3:7], "0123456789") == "":
		return "Tixati " + strings.TrimPrefix(s[3:5], "0") + "." + s[5:7], true
	case strings.HasPrefix(s, "AZ2500BT"):
		return "BitTyrant 1.1", true
	case strings.HasPrefix(s, "346------"):
		return "TorrenTopia 1.90", true
	case strings.HasPrefix(s, "-BOW"):
		return "Bits on Wheels", true
	case strings.HasPrefix(s, "-G3"):
		return "G3 Torrent", true
	case s[2:4] == "BS" && s[0] == 0 && (s[1] == 2 || s[1] == 3):
		return "BitSpirit " + string('0'+s[1]), true
	case s[2:4] == "RS" && isDigit(s[0]) && isDigit(s[1]):
		return "Rufus " + s[:1] + "." + s[1:2], true
	}
	return "", false
}

func appendNumber(b []byte, n int) []byte {
	if n >= 100 {
		b = append(b, '0'+byte(n/100))
	}
	if n >= 10 {
		b = append(b, '0'+byte(n/10%10))
	}
	return append(b, '0'+byte(n%10))
}
