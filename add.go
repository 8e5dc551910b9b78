package shoal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"

	"shoal/internal/engine"
	"shoal/internal/value/printable"
	"shoal/metainfo"
	"shoal/storage"
)

// AddOptions says which torrent to add, and how.
type AddOptions struct {
	// Metainfo is the content of a .torrent file. AddMagnet ignores it.
	Metainfo []byte
	// Parsed is what metainfo.Parse returned for Metainfo, from a caller that has it: to parse a
	// torrent of many files again takes as long as to look at them (decision 0212). The caller must
	// not change it afterwards. nil means that Add parses; another torrent is refused.
	Parsed *metainfo.Torrent
	// OnMetadata, with AddMagnet, is called once the metadata is here, with the options that
	// AddMagnet got. The files are known then: it may change Priority, Rename,
	// IncompleteSuffix and IncompleteDir. An error ends the torrent. It must not block.
	OnMetadata func(meta *metainfo.Torrent, opt *AddOptions) error
	// MetadataOnly makes AddMagnet fetch the metadata and nothing else: the torrent stops when it
	// is here, Wait waits for that alone, and it is not remembered.
	MetadataOnly bool
	// Dir is the folder that holds the torrent's file or folder. Default ".".
	Dir string
	// Storage, when set, keeps the torrent's bytes instead of files in Dir. Add calls it with the
	// files, AddMagnet once the metadata is here; then it must not block. The engine closes what it
	// returns when the torrent ends. Such a torrent is checked in full at each start. It is not
	// remembered, and its files can't be moved or renamed. Package storage has the interface, and
	// an implementation in memory.
	Storage func(files []storage.Entry) (storage.Storage, error)
	// FileName is the name of the .torrent file. Some clients name the torrent's folder after
	// it, so we look for data there, too. It is not a path, and we create nothing of this name.
	FileName string
	// Peers are addresses to dial besides those that trackers and others name.
	Peers []netip.AddrPort
	// WebSeeds are URLs of servers that have the torrent's files (BEP 19), besides those that
	// the torrent names. A URL ends in a slash when it is of the folder that has the torrent's
	// file or folder; without one it is of the file. The user names them, so they may be in the
	// local network. A private torrent takes none (BEP 27).
	WebSeeds []string
	// SeedOnly never requests pieces from peers: what is missing stays missing.
	SeedOnly bool
	// Sequential requests pieces in order, for files that another program reads from their
	// beginning while they arrive. One piece in four is still the rarest, which keeps the swarm
	// healthy. Torrent.Open does not need it. Torrent.SetSequential changes it.
	Sequential bool
	// Priority, when set, returns the priority of each file. A file with PrioritySkip is not
	// fetched. See Torrent.SetPriorities.
	Priority func(File) Priority
	// Files set priorities by patterns; of several that match a file the last one counts, and
	// a file that none matches is normal. Priority goes first. For "only these": skip
	// everything, {"**", PrioritySkip}, and then name what is wanted.
	//
	// Of a magnet they are remembered until its metadata is here. Priority and OnMetadata can't
	// be: if the metadata arrives after a restart, the torrent is StatePaused before anything
	// is fetched, so that the program can choose with Torrent.SetPriorities and Resume.
	Files []FileRule
	// Allocate reserves room for every wanted file before the first byte. Without it files are
	// sparse, and grow as pieces arrive.
	Allocate bool
	// Limits are those of the torrent. The engine's limits hold as well.
	Limits Limits
	// Paused checks the torrent and does nothing else until Torrent.Resume. A magnet gets its
	// metadata first, so that its user can see what it is.
	Paused bool
	// Share says when the torrent has been shared enough; nil means Config.Share.
	Share *ShareLimits
	// Forced runs the torrent whatever Config.Queue says. See Torrent.SetForced.
	Forced bool
	// Rename has other paths for files, or for folders with everything in them: from the
	// torrent's path to the new path, as in Torrent.Rename. Files that are already there under
	// the torrent's path are renamed.
	Rename map[string]string
	// IncompleteSuffix, such as ".part", ends the name of each new file until the file is
	// complete and durable. An existing file of that name is not overwritten.
	IncompleteSuffix string
	// IncompleteDir is an existing folder that holds the files until all wanted files are
	// complete and durable. Then they move to Dir, also across volumes. A torrent that
	// already has files in Dir stays there. The next start finds the files in either
	// folder, also without this option.
	IncompleteDir string
	// Overwrite allows us to overwrite files that were there before and are not the torrent's.
	// Without it, a file that has the name of one of the torrent's and none of its pieces is
	// kept under another name beside it. A file with several names (hard links) is copied before
	// we write to it, so that its other names keep their bytes. See EventKept.
	Overwrite bool
	// NeedRoom fetches nothing while a volume has less free space than the running torrents
	// still have to write. The torrent is StateStalled then, and Stats.Err is a *Shortage.
	// Without it EventSpace and Stats.Short report a shortage and the download goes on, since
	// there may be room by the time it is needed. It is not remembered.
	NeedRoom bool
	// Redownload fetches files again that were here and are gone. Without it a torrent that has
	// lost all of its files is StateMissing and waits for them: their volume can be
	// unmounted.
	Redownload bool
}

// AddFile adds the torrent of a .torrent file, as Add does. The file can be compressed or wrapped
// in other ways that Unwrap reads. opt.Metainfo is ignored, and opt.FileName defaults to the name
// of the file. The error is ErrNotTorrent, ErrDuplicate, ErrConfig, or that of reading the file.
func (e *Engine) AddFile(name string, opt AddOptions) (*Torrent, error) {
	var err error
	if opt.Metainfo, err = readTorrent(name); err != nil {
		return nil, err
	}
	opt.Parsed = nil
	if opt.FileName == "" {
		opt.FileName = filepath.Base(name)
	}
	return e.Add(opt)
}

// readTorrent reads a .torrent file, and takes the torrent out of its wrapping.
func readTorrent(name string) ([]byte, error) {
	f, err := OpenPlain(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, metainfo.MaxSize+1))
	if err != nil {
		return nil, err
	}
	found, err := Unwrap(b)
	if err == nil && found.Metainfo == nil {
		err = errors.New("it has a magnet link, for AddMagnet: " + strings.Join(found.Links, ", "))
	}
	if err != nil {
		return nil, &taggedError{ErrNotTorrent, clean(fmt.Errorf("read %s: %w", printable.Of(name), err))}
	}
	return found.Metainfo, nil
}

// Add adds a torrent: the engine checks what is in its folder, and fetches the rest. Add does
// not wait for either. The error is ErrNotTorrent, with what is wrong and where, ErrDuplicate
// or ErrConfig. A magnet of the torrent that still waits for its metadata takes it from here, with
// the trackers and web seeds, and keeps what was chosen for it; the error is ErrDuplicate then, too.
func (e *Engine) Add(opt AddOptions) (*Torrent, error) {
	meta, err := parsed(opt.Parsed, opt.Metainfo)
	if err != nil {
		return nil, err
	}
	spec, err := opt.spec()
	if err != nil {
		return nil, err
	}
	spec.Meta, spec.Raw = meta, opt.Metainfo
	if spec.Priorities, spec.Paths, err = opt.known(meta); err != nil {
		return nil, err
	}
	if opt.Storage != nil {
		if spec.Storage, err = opt.openStorage(meta.Info); err != nil {
			return nil, err
		}
	}
	t, err := e.e.Add(spec) // which closes the storage when it fails
	if err != nil {
		return nil, publicError(err)
	}
	return handle(t), nil
}

// spec returns the options as the engine takes them, without those that need the metainfo.
func (opt *AddOptions) spec() (engine.Spec, error) {
	if err := opt.Limits.check(); err != nil {
		return engine.Spec{}, err
	}
	shared, err := opt.Share.inner()
	if err != nil {
		return engine.Spec{}, err
	}
	if opt.Dir == "" {
		opt.Dir = "."
	}
	return engine.Spec{
		Dir: opt.Dir, FileName: opt.FileName, Peers: opt.Peers, WebSeeds: opt.WebSeeds, SeedOnly: opt.SeedOnly, InOrder: opt.Sequential, Redownload: opt.Redownload, Allocate: opt.Allocate, Overwrite: opt.Overwrite, NeedRoom: opt.NeedRoom,
		Limits: opt.Limits.inner(false), Paused: opt.Paused, Forced: opt.Forced, ShareLimits: shared,
	}, nil
}

// known returns what depends on the metainfo.
func (opt *AddOptions) known(meta *metainfo.Torrent) (prio []uint8, paths *engine.Paths, err error) {
	if opt.Priority != nil {
		var files []File
		for _, f := range meta.Info.Files {
			if !f.Pad {
				files = append(files, File{Path: strings.Join(f.Path, "/"), Length: f.Length, Priority: PriorityNormal})
			}
		}
		if prio, err = choices(files, meta.Info.Files, opt.Priority); err != nil {
			return nil, nil, err
		}
	}
	if prio == nil {
		if prio, err = ruled(opt.Files, meta.Info.Files); err != nil {
			return nil, nil, err
		}
	}
	paths, err = opt.pathsOf(meta.Info)
	return prio, paths, err
}

// parsed returns a torrent that the caller has parsed, or parses it. The error is ErrNotTorrent, or
// ErrConfig where the two differ.
func parsed(meta *metainfo.Torrent, b []byte) (*metainfo.Torrent, error) {
	switch {
	case meta == nil:
		return parse(b)
	case !bytes.Contains(b, meta.Info.Raw):
		return nil, fmt.Errorf("%w: Parsed is not what Metainfo contains", ErrConfig)
	}
	return meta, nil
}

// parse parses a torrent file. The error is ErrNotTorrent.
func parse(b []byte) (*metainfo.Torrent, error) {
	meta, err := metainfo.Parse(b)
	if err != nil {
		return nil, clean(fmt.Errorf("%w: %w", ErrNotTorrent, err))
	}
	return meta, nil
}
