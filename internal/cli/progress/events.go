package progress

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

type peerEvent struct {
	InfoHash string `json:"info_hash"`
	Peer     string `json:"peer"`
	Text     string `json:"text,omitempty"`
}

type pieceEvent struct {
	InfoHash string `json:"info_hash"`
	Piece    int    `json:"piece"`
	Text     string `json:"text,omitempty"`
}

type filesEvent struct {
	InfoHash string `json:"info_hash"`
	Text     string `json:"text,omitempty"`
	More     int    `json:"more,omitempty"`
}

type keptEvent struct {
	InfoHash string     `json:"info_hash"`
	Text     string     `json:"text"`
	Files    []keptFile `json:"files"`
}

type keptFile struct {
	Path string `json:"path"`
	As   string `json:"as,omitempty"`
}

type spaceEvent struct {
	InfoHash string `json:"info_hash"`
	Text     string `json:"text"`
	shortJSON
}

// shortJSON says what is short on a volume.
type shortJSON struct {
	Dir       string `json:"dir"`
	Need      int64  `json:"need"`
	Others    int64  `json:"others"`
	Free      int64  `json:"free"`
	Files     int64  `json:"files,omitempty"`
	FreeFiles *int64 `json:"free_files,omitempty"`
}

func shortOf(s *shoal.Shortage) *shortJSON {
	if s == nil {
		return nil
	}
	out := &shortJSON{Dir: s.Dir, Need: s.Need, Others: s.Others, Free: s.Free, Files: s.Files}
	if s.Files > 0 {
		out.FreeFiles = &s.FreeFiles
	}
	return out
}

type stalledEvent struct {
	InfoHash string `json:"info_hash"`
	State    string `json:"state"`
	Text     string `json:"text"`
}

// event tells what cannot be read from a snapshot. For people that is only what
// went wrong, and of a flood of one kind no more than a line.
func (w *Watcher) event(t *shoal.Torrent, e shoal.Event) {
	name, text := ui.Printable(t.Name()), ui.Printable(e.Text)
	switch e.Kind {
	case shoal.EventPeerJoined, shoal.EventPeerLeft:
		w.out.Event(string(e.Kind), peerEvent{t.InfoHash(), e.Peer.String(), e.Text})
	case shoal.EventBanned:
		w.out.Event(string(e.Kind), peerEvent{t.InfoHash(), e.Peer.String(), e.Text})
		w.tell(e, "peer", fmt.Sprintf("banned %s: %s", e.Peer, text))
	case shoal.EventWebSeed:
		// Its state tells it, see webSeedChanges.
	case shoal.EventPieceFailed:
		w.out.Event(string(e.Kind), pieceEvent{t.InfoHash(), e.Piece, e.Text})
		w.tell(e, "piece", fmt.Sprintf("piece %d did not match its hash and is fetched again", e.Piece))
	case shoal.EventFiles:
		w.out.Event(string(e.Kind), filesEvent{t.InfoHash(), e.Text, e.More})
		w.tell(e, "file", name+": "+text)
	case shoal.EventKept:
		k := keptEvent{InfoHash: t.InfoHash(), Text: e.Text}
		for _, f := range e.Kept {
			k.Files = append(k.Files, keptFile{f.Path, f.As})
		}
		w.out.Event(string(e.Kind), k)
		w.tell(e, "file", name+": "+text)
	case shoal.EventSpace:
		var s *shoal.Shortage
		if errors.As(e.Err, &s) {
			w.out.Event(string(e.Kind), spaceEvent{t.InfoHash(), e.Text, *shortOf(s)})
		}
		w.tell(e, "torrent", name+": "+text)
	case shoal.EventStalled:
		w.out.Event(string(e.Kind), stalledEvent{t.InfoHash(), string(t.Stats().State), e.Text})
		w.tell(e, "torrent", name+" waits: "+text)
	case shoal.EventResumed:
		w.out.Event(string(e.Kind), filesEvent{InfoHash: t.InfoHash()})
		w.tell(e, "torrent", name+" goes on")
	case shoal.EventShared:
		w.out.Event(string(e.Kind), filesEvent{InfoHash: t.InfoHash(), Text: e.Text})
		w.tell(e, "torrent", name+": "+text)
	case shoal.EventMetadata:
		if w.Learned != nil {
			w.Learned(t)
		}
	case shoal.EventComplete:
		if w.Finished != nil && t.Stats().Downloaded > 0 {
			w.Finished(t)
		}
	case shoal.EventQueued:
		w.tell(e, "torrent", name+" waits for its turn")
	}
}

// tell says a line for people, together with others of its kind.
func (w *Watcher) tell(e shoal.Event, noun, line string) {
	if !w.out.JSON {
		w.folds.Add(string(e.Kind), noun, line, e.More)
	}
}

// progressEvent is the JSON line of progress.
//
//shoal:fields the fields are those of one JSON object that docs/json.md lists
type progressEvent struct {
	InfoHash    string `json:"info_hash"`
	State       string `json:"state"`
	Size        int64  `json:"size"`
	Verified    int64  `json:"verified"`
	Wanted      int64  `json:"wanted"`
	WantedHad   int64  `json:"wanted_verified"`
	Pieces      int    `json:"pieces"`
	Have        int    `json:"have"`
	Checked     int    `json:"checked"`
	CheckRate   int64  `json:"check_rate"`
	Downloaded  int64  `json:"downloaded"`
	Wasted      int64  `json:"wasted"`
	Uploaded    int64  `json:"uploaded"`
	DownRate    int64  `json:"down_rate"`
	UpRate      int64  `json:"up_rate"`
	DownMean    int64  `json:"down_mean"`
	WebBytes    int64  `json:"web_downloaded"`
	WebRate     int64  `json:"web_down_rate"`
	Peers       int    `json:"peers"`
	Seeds       int    `json:"seeds"`
	KnownPeers  int    `json:"known_peers"`
	Unchoked    int    `json:"unchoked"`
	DHTNodes    int    `json:"dht_nodes"`
	Unavailable int    `json:"unavailable"`

	External []netip.Addr    `json:"external,omitempty"`
	ETA      *float64        `json:"eta_s"`
	LastDown string          `json:"last_down,omitempty"`
	LastUp   string          `json:"last_up,omitempty"`
	Contacts *contactsJSON   `json:"contacts,omitempty"`
	Waiting  []ui.CauseEvent `json:"waiting,omitempty"`
	GivesUp  string          `json:"gives_up,omitempty"`
	Short    *shortJSON      `json:"short,omitempty"`
}

type contactsJSON struct {
	Dialled     int `json:"dialled"`
	Connected   int `json:"connected"`
	Refused     int `json:"refused"`
	TimedOut    int `json:"timed_out"`
	Unreachable int `json:"unreachable"`
	Closed      int `json:"closed"`
	Failed      int `json:"failed"`
	Arrived     int `json:"arrived"`
	Turned      int `json:"turned"`
}

func contactsOf(c shoal.Contacts) *contactsJSON {
	if c == (shoal.Contacts{}) {
		return nil
	}
	return &contactsJSON{c.Dialled, c.Connected, c.Refused, c.TimedOut, c.Unreachable, c.Closed, c.Failed, c.Arrived, c.Turned}
}

func progressOf(s shoal.Stats) progressEvent {
	e := progressEvent{
		InfoHash: s.InfoHash, State: string(s.State), Size: s.Size, Verified: s.Verified, Wanted: s.Wanted(), WantedHad: s.WantedVerified(),
		Pieces: s.Pieces, Have: s.Have, Checked: s.Checked, CheckRate: int64(s.CheckRate),
		Downloaded: s.Downloaded, Wasted: s.Wasted, Uploaded: s.Uploaded,
		DownRate: int64(s.DownRate), UpRate: int64(s.UpRate), DownMean: int64(s.DownMean), WebBytes: s.WebDownloaded, WebRate: int64(s.WebRate),
		Peers: s.Peers, Seeds: s.Seeds, KnownPeers: s.KnownPeers, Unchoked: s.Unchoked, DHTNodes: s.DHTNodes, Unavailable: s.Unavailable,
		External: s.ExternalAddrs, LastDown: ui.Stamp(s.LastDown), LastUp: ui.Stamp(s.LastUp),
		Contacts: contactsOf(s.Contacts), Waiting: ui.CausesOf(s.Waiting), Short: shortOf(s.Short),
	}
	if d, ok := s.ETA(); ok {
		seconds := d.Round(time.Second).Seconds()
		e.ETA = &seconds
	}
	return e
}

type trackerEvent struct {
	InfoHash string `json:"info_hash"`
	URL      string `json:"url"`
	State    string `json:"state"`
	Error    string `json:"error,omitempty"`
	Warning  string `json:"warning,omitempty"`
}
