package source

import "testing"

func TestDecideFolder(t *testing.T) {
	for _, c := range []struct {
		name string
		p    placing
		want decision
	}{
		{"no folder is named", placing{OldHas: true, NewHas: true, itself: true}, inOld},
		{"no folder is named, and the old one is gone", placing{itself: true, NewHas: true}, inOld},
		{"only the new folder has it", placing{named: true, itself: true, NewHas: true}, inNew},
		{"both have it", placing{named: true, itself: true, NewHas: true, OldHas: true}, inNew},
		{"both have it, of a folder of torrents", placing{named: true, NewHas: true, OldHas: true}, inNew},
		{"only the old folder has it", placing{named: true, itself: true, OldHas: true}, oldHasIt},
		{"only the old folder has it, of a folder of torrents", placing{named: true, OldHas: true}, oldHasIt},
		{"it is wanted again", placing{named: true, itself: true, OldHas: true, again: true}, newAgain},
		{"it is wanted again where it is", placing{named: true, itself: true, OldHas: true, NewHas: true, again: true}, inNew},
		{"neither has it", placing{named: true, itself: true}, inNew},
		{"neither has it, of a folder of torrents", placing{named: true}, oldIsGone},
		{"neither has it, of a folder of torrents, and it is wanted again", placing{named: true, again: true}, inNew},
	} {
		if got := c.p.decide(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
