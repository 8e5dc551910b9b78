package content

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal/internal/value/plural"
)

// watchEvery is the time between two looks at the download folders and files. A look costs one system
// call for each folder, whatever it contains, and one for each open file: the pool bounds these.
const watchEvery = 5 * time.Second

// Files that are not open are looked at in turn, walkStep at a time, if the engine has few: the system
// keeps these in memory. Looking at a hundred thousand files would keep disks awake that could sleep;
// with that many, a read finds the change.
const (
	fewFiles = 1024
	walkStep = 256
)

var errReplaced = errors.New("the folder is not the one it was: was its volume detached?")

// Watch notices download folders that disappear or are replaced, and files that are removed, replaced
// or edited: open descriptors lead to the old ones, and we would fill or share those unnoticed. It looks
// at the contents that all returns until ctx ends.
func (s *Shared) Watch(ctx context.Context, all func() []*Content) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	at := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		s.rooms.look()
		gone := s.pool.Replaced()
		contents := all()
		for _, c := range contents {
			if slices.Contains(gone, c.at.Load().given) {
				c.host.Post(&doubt{anyOpening, errReplaced})
			}
		}
		at = s.lookAtFiles(contents, gone, at)
	}
}

// lookAtFiles looks at the open files and, if there are few files, at some of the others from index at
// on. It returns the index to go on at.
func (s *Shared) lookAtFiles(contents []*Content, gone []string, at int) int {
	open := s.pool.Open()
	var rest []*session
	files := 0
	for _, c := range contents {
		o := c.source.open.Load()
		if o == nil || o.guard == nil || o.files == nil || slices.Contains(gone, c.at.Load().given) {
			continue
		}
		if list := open[o.files]; list != nil {
			o.look(list)
		}
		if files += len(c.info.Files); files <= fewFiles {
			rest = append(rest, o)
		}
	}
	if files > fewFiles || files == 0 {
		return 0
	}
	if at >= files {
		at = 0
	}
	end, first := at+walkStep, 0
	for _, o := range rest {
		n := len(o.c.info.Files)
		var list []int
		for i := max(at-first, 0); i < min(end-first, n); i++ {
			if !slices.Contains(open[o.files], i) {
				list = append(list, i)
			}
		}
		o.look(list)
		first += n
	}
	return end
}

// look looks at files of a session by their names, and tells the torrent when some are not as shoal left
// them. It compares them with the journal then.
func (o *session) look(files []int) {
	var first string
	more := 0
	for _, i := range files {
		how, gone, err := o.guard.LookAt(i)
		switch {
		case err != nil || how == "":
		case first != "":
			more++
		case gone:
			first = o.guard.PathOf(i) + " was removed while it was in use"
		default:
			first = o.guard.PathOf(i) + " is not as shoal left it (" + how + ")"
		}
	}
	if first == "" {
		return
	}
	if more > 0 {
		first = fmt.Sprintf("%s; so it is with %s more", first, plural.Of(more, "file"))
	}
	o.c.host.Post(&doubt{o.epoch, errors.New(first)})
}
