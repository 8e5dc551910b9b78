package filestate

// Look is what a look at the files of a torrent has found, as far as it matters for whether
// they are waited for.
type Look struct {
	FolderGone bool // the folder is another one than it was, and holds none of the files
	Missing    bool // files are not there that a journal notes
	Any        bool // at least one file is there
	SamePlace  bool // the folder is on the device that the files were on
	SeedOnly   bool // nothing is fetched
	WasHere    bool // this run has known the files before
}

// NotThere reports whether the files are gone altogether, so that they are waited for, and
// nothing is made in their place. Where some are gone and others are there no volume is missing:
// a person removed them. Nor is one missing where a download is started with everything gone and
// the folder on the device that the files were on; a folder on another device is the mount point
// of a volume that is not there.
func (l Look) NotThere() bool {
	gone := (l.FolderGone || l.Missing) && !l.Any
	if !gone || l.SeedOnly || l.WasHere {
		return gone
	}
	return !l.SamePlace
}

// Fact is what is known of something that costs a look at a disk.
type Fact uint8

// The facts.
const (
	Unknown Fact = iota
	No
	Yes
)

// FactOf returns what a look has found.
func FactOf(yes bool) Fact {
	if yes {
		return Yes
	}
	return No
}

// Place is a folder that files of a torrent may be in.
type Place uint8

// The places.
const (
	Home   Place = iota // where they belong once all are complete
	Noted               // where incomplete ones were put before, as is noted in the state of Home
	Wished              // where the user wants incomplete ones to be
)

// Question is a fact that Choose needs next.
type Question uint8

// The questions.
const (
	NoQuestion Question = iota
	HomeJournal
	HomeFiles
	NotedFiles
	WishedJournal
	WishedFiles
)

// Places are what is known of the folders that files of a torrent may be in.
type Places struct {
	Noted, Wished bool // there is such a folder, and it is not Home
	Same          bool // they are one folder
	WishedHome    bool // the user wants incomplete files to be in Home, and they are noted elsewhere
	Again         bool // the user wants files that are gone to be fetched again
	Facts         [WishedFiles + 1]Fact
}

// Choose returns the folder that the files are in. With a question it does not know yet: the
// caller looks, notes the answer in Facts, and asks again. So it looks no further than needed.
// ignored reports that the wish of the user is not followed, since the files are elsewhere.
func (p *Places) Choose() (in Place, ignored bool, ask Question) {
	if !p.Noted && !p.Wished {
		return Home, false, NoQuestion
	}
	if known, ok := p.ask(HomeJournal); !ok {
		return Home, false, HomeJournal
	} else if known {
		return Home, false, NoQuestion
	}
	if !p.Noted {
		return p.chooseWished()
	}
	in = Noted
	if (p.Wished || p.WishedHome) && !p.Same {
		files := WishedFiles
		if p.WishedHome {
			files = HomeFiles
		}
		there, ok := p.ask(files)
		if !ok {
			return Home, false, files
		}
		if !there && !p.Again {
			ignored = true
		} else if !there {
			if ignored, ok = p.ask(NotedFiles); !ok {
				return Home, false, NotedFiles
			}
		}
		switch {
		case ignored:
		case p.WishedHome:
			return Home, false, NoQuestion
		default:
			in = Wished
		}
	}
	home, ok := p.ask(HomeFiles)
	if !ok {
		return Home, ignored, HomeFiles
	}
	if !home {
		return in, ignored, NoQuestion
	}
	q := NotedFiles
	if in == Wished {
		q = WishedFiles
	}
	there, ok := p.ask(q)
	if !ok {
		return Home, ignored, q
	}
	if !there { // they were moved, and it could not be noted
		return Home, ignored, NoQuestion
	}
	return in, ignored, NoQuestion
}

// chooseWished is Choose where nothing is noted: files that are in Home already stay there.
func (p *Places) chooseWished() (in Place, ignored bool, ask Question) {
	if known, ok := p.ask(WishedJournal); !ok {
		return Home, false, WishedJournal
	} else if known {
		return Wished, false, NoQuestion
	}
	there, ok := p.ask(HomeFiles)
	switch {
	case !ok:
		return Home, false, HomeFiles
	case there:
		return Home, false, NoQuestion
	}
	return Wished, false, NoQuestion
}

func (p *Places) ask(q Question) (yes, known bool) { return p.Facts[q] == Yes, p.Facts[q] != Unknown }

// Yields reports whether a torrent leaves a file to another one that has a file of the same path
// in the same folder: what is in it is theirs when they were first, or have something of it and
// we have not (decision 0052).
func Yields(theyWereFirst, theyHaveSome, weHaveSome bool) bool {
	return theyWereFirst || theyHaveSome && !weHaveSome
}
