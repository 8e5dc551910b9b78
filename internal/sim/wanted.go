package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

// Cases in which the user does not want everything, wants something first, or files get in the way.

// priority returns one priority for the pieces from from to to-1, another for the rest.
func (w *World) priority(in uint8, from, to uint32, rest uint8) []uint8 {
	prio := make([]uint8, w.Geometry.Pieces)
	for i := range prio {
		prio[i] = rest
		if from <= uint32(i) && uint32(i) < to {
			prio[i] = in
		}
	}
	return prio
}

// quickAndSlow creates three seeds of 400 kB/s and five of 10 kB/s, 1.25 MB/s together, and a peer
// that knows them and has measured their speeds.
func (w *World) quickAndSlow() (*Node, error) {
	w.Every = 50
	seeds := append(w.group(3, Spec{Name: "F", Have: w.Full(), Up: 400 * kb}),
		w.group(5, Spec{Name: "Z", Have: w.Full(), Up: 10 * kb})...)
	l := w.Add(Spec{Name: "L"})
	l.Knows(seeds...)
	return l, w.Run(4*time.Second, nil)
}

const together = 3*400*kb + 5*10*kb

// pieceTime is how long all of quickAndSlow together need for a piece.
func (w *World) pieceTime() time.Duration {
	return time.Duration(w.Geometry.PieceLength) * time.Second / together
}

// copied fails when more than this percentage of the urgent blocks was requested from two peers.
func (n *Node) copied(percent int64) error {
	s := n.swarm.Stats(n.w.now)
	if 100*s.UrgentCopied > percent*s.Urgent {
		return fmt.Errorf("%d of %d blocks that readers waited for were asked of two", s.UrgentCopied, s.Urgent)
	}
	return nil
}

var wanted = []Scenario{
	{
		Name: "stream", Story: "A film of 800 kB/s is watched while it comes, from quick seeds and slow ones.",
		Pieces: 200, Blocks: 16,
		Play: func(w *World) error {
			l, err := w.quickAndSlow()
			if err != nil {
				return err
			}
			r := l.Read(1, 0, 10, 800*kb)
			if err := w.Run(20*time.Second, nil); err != nil {
				return err
			}
			// It started within a second, and stood still for at most one second in twenty.
			if len(r.Jumps) != 1 || r.Jumps[0] > time.Second || r.Stalls > time.Second {
				return fmt.Errorf("the reader is %v", r)
			}
			// Pieces that the reader does not need were downloaded, too, rarest first, from
			// everywhere.
			behind := uint32(0)
			for i := r.at + 40; i < w.Geometry.Pieces; i++ {
				if l.disk.verified.Has(i) {
					behind++
				}
			}
			if behind < 20 {
				return fmt.Errorf("%d pieces came that nobody waited for", behind)
			}
			return errors.Join(w.wasted(3), l.copied(5))
		},
	},
	{
		Name: "jump", Story: "A film is watched here and there: after each jump the first piece comes at once.",
		Pieces: 200, Blocks: 16,
		Play: func(w *World) error {
			l, err := w.quickAndSlow()
			if err != nil {
				return err
			}
			r := l.Read(1, 0, 10, 800*kb)
			for _, to := range []uint32{160, 60, 190, 120, 20} {
				if err := w.Run(3*time.Second, nil); err != nil {
					return err
				}
				for l.disk.verified.Has(to) {
					to++
				}
				r.Jump(to)
			}
			if err := w.Run(3*time.Second, nil); err != nil {
				return err
			}
			// Blocks in the writers of the seeds come first: a quarter of a second.
			slices.Sort(r.Jumps)
			if len(r.Jumps) != 6 {
				return fmt.Errorf("the reader is %v", r)
			}
			if median, worst := r.Jumps[3], r.Jumps[5]; median > w.pieceTime()*3/2+350*time.Millisecond || worst > 4*w.pieceTime() {
				return fmt.Errorf("the reader is %v, a piece takes %v", r, w.pieceTime())
			}
			return errors.Join(w.wasted(4), l.copied(5))
		},
	},
	{
		Name: "slow-holds-the-first", Story: "A slow peer was asked for what a reader wants now: quick ones with nothing to do bring it.",
		Pieces: 4, Blocks: 16,
		Play: func(w *World) error {
			slow := w.Add(Spec{Name: "Z", Have: w.Full(), Up: 4 * kb})
			l := w.Add(Spec{Name: "L"})
			l.Knows(slow)
			if err := w.Run(3*time.Second, nil); err != nil {
				return err
			}
			quick := w.Add(Spec{Name: "F", Have: w.Full(), Up: 400 * kb})
			quick.Knows(l)
			l.Select(w.priority(0, 0, 4, 0))
			var readers []*Reader
			for i := range w.Geometry.Pieces {
				readers = append(readers, l.Read(i, i, 1, 800*kb))
			}
			if err := w.Run(6*time.Second, nil); err != nil {
				return err
			}
			for _, r := range readers {
				if len(r.Jumps) != 1 || r.Jumps[0] > 4*time.Second {
					return fmt.Errorf("reader %d is %v", r.id, r)
				}
			}
			return nil
		},
	},
	{
		Name: "many-readers", Story: "Twenty read at the same time, each its own part.",
		Pieces: 200, Blocks: 4,
		Play: func(w *World) error {
			l, err := w.quickAndSlow()
			if err != nil {
				return err
			}
			var all []*Reader
			for i := range uint32(20) {
				all = append(all, l.Read(i, 10*i, 4, 30*kb))
			}
			if err := w.Run(15*time.Second, nil); err != nil {
				return err
			}
			for _, r := range all {
				if len(r.Jumps) == 0 || r.Jumps[0] > 4*time.Second || r.at < r.id*10+3 {
					return fmt.Errorf("reader %d is %v", r.id, r)
				}
			}
			return w.wasted(12) // twenty jumps at once
		},
	},
	{
		Name: "part", Story: "Half of the files are skipped: peers complete with that half, share it, and get the rest when they want it after all.",
		Pieces: 20, Blocks: 4,
		Play: func(w *World) error {
			tr := w.AddTracker()
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb, Tracker: true})
			all := w.group(5, Spec{Name: "L", Up: 100 * kb, Tracker: true})
			introduce(append(all, seed)...)
			for i, n := range all {
				half := uint32(10 * (i % 2))
				n.Select(w.priority(2, half, half+10, 0))
			}
			if err := w.within(2, 20*time.Second); err != nil {
				return err
			}
			for _, n := range all {
				if s := n.swarm.Stats(w.now); s.Have != 10 || s.WantedHave != 10 || s.WantedVerified != s.WantedSize {
					return fmt.Errorf("%s is complete with %d pieces, %d of %d wanted", n.spec.Name, s.Have, s.WantedHave, s.Wanted)
				}
			}
			if n := tr.Events[tracker.Completed]; n != 0 {
				return fmt.Errorf("%d told the tracker that they are complete, and have half", n)
			}
			if err := w.Run(time.Minute, nil); err != nil {
				return err
			}
			for _, n := range all {
				n.Select(nil)
			}
			if err := w.within(2, 30*time.Second); err != nil {
				return err
			}
			if err := w.Run(time.Second, nil); err != nil {
				return err
			}
			if n := tr.Events[tracker.Completed]; n != len(all) {
				return fmt.Errorf("%d of %d told the tracker that they are complete", n, len(all))
			}
			return w.wasted(20)
		},
	},
	{
		Name: "high-first", Story: "What is of high priority comes before the rest, what is of low priority after it.",
		Pieces: 160, Blocks: 8,
		Play: func(w *World) error {
			l, err := w.quickAndSlow()
			if err != nil {
				return err
			}
			before := l.disk.verified.Clone()
			prio := w.priority(3, 120, 160, 2)
			copy(prio[:40], w.priority(1, 0, 40, 1))
			l.Select(prio)
			count := func(from, to uint32, had *bitfield.Bitfield) (n int) {
				for i := from; i < to; i++ {
					if had.Has(i) {
						n++
					}
				}
				return n
			}
			high := func() bool { return count(120, 160, l.disk.verified) >= 36 }
			if err := w.Run(20*time.Second, high); err != nil {
				return err
			}
			// Slow peers delay the last ones while other requests continue, and low ones that were
			// in flight have arrived.
			normal := count(40, 120, l.disk.verified) - count(40, 120, before)
			if low := count(0, 40, l.disk.verified) - count(0, 40, before); normal > 20 || low > 8 {
				return fmt.Errorf("%d normal pieces came before the high ones, and %d low ones", normal, low)
			}
			if err := w.Run(20*time.Second, func() bool { return count(40, 120, l.disk.verified) >= 70 }); err != nil {
				return err
			}
			if low := count(0, 40, l.disk.verified) - count(0, 40, before); low > 10 {
				return fmt.Errorf("%d low pieces came before the normal ones", low)
			}
			return w.Complete(20 * time.Second)
		},
	},
	{
		Name: "files-take-nothing", Story: "The device of a peer is full for a minute: it serves what it has, and continues at once.",
		Pieces: 30, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 60 * kb})
			all := append(w.group(1, Spec{Name: "H", Have: w.Some(60), Up: 60 * kb}), w.group(2, Spec{Name: "L", Up: 60 * kb})...)
			introduce(append(all, seed)...)
			if err := w.Run(6*time.Second, nil); err != nil {
				return err
			}
			n := all[0]
			n.Hold(true)
			if n.swarm.Stats(w.now).Requests > 0 {
				return errors.New("requests are out")
			}
			have, up := n.disk.verified.Count(), n.swarm.Stats(w.now).Uploaded
			if err := w.Run(time.Minute, nil); err != nil {
				return err
			}
			s := n.swarm.Stats(w.now)
			if n.disk.verified.Count() > have+1 || s.Uploaded == up || !s.Held {
				return fmt.Errorf("in a minute without room it got from %d pieces to %d, and gave %d bytes", have, n.disk.verified.Count(), s.Uploaded-up)
			}
			n.Hold(false)
			if s := n.swarm.Stats(w.now); s.Held || len(n.ends) == 0 {
				return fmt.Errorf("it was held, and is %s", n.standing())
			}
			return w.within(2, 20*time.Second)
		},
	},
	{
		Name: "files-away", Story: "The volume of the only seed goes away for an hour: it is gone from the swarm, costs nothing, and comes back.",
		Pieces: 20, Blocks: 4,
		Play: func(w *World) error {
			tr := w.AddTracker()
			tr.Interval = 2 * time.Minute
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 60 * kb, Tracker: true})
			w.group(3, Spec{Name: "L", Up: 60 * kb, Tracker: true})
			if err := w.Run(10*time.Second, nil); err != nil {
				return err
			}
			seed.Suspend(true)
			stopped := tr.Events[tracker.Stopped]
			if err := w.Run(time.Hour, nil); err != nil {
				return err
			}
			if len(seed.ends) > 0 || seed.swarm.Deadline() != mono.Never {
				return fmt.Errorf("it is away, and %s", seed.standing())
			}
			started := tr.Events[tracker.Started]
			// One piece was lost, and reappears a little later.
			seed.Lose(7)
			seed.Suspend(false)
			if err := w.Run(time.Second, nil); err != nil {
				return err
			}
			if tr.Events[tracker.Started] != started+1 || stopped == 0 && tr.Events[tracker.Stopped] == 0 {
				return fmt.Errorf("the tracker received the events %v", tr.Events)
			}
			w.after(20*time.Second, func() { seed.Regain(7) })
			return w.within(3, 8*time.Minute)
		},
	},
	{
		Name: "spread", Story: "Twenty seeds of 5 MiB/s each on one network: all of them are kept busy from the first moment to the last.",
		Pieces: 256, Blocks: 64,
		Play: func(w *World) error { return w.spread(100*time.Microsecond, 10, 50*time.Millisecond) },
	},
	{
		Name: "spread-far", Story: "The same over paths of 80 ms: what is lost is the time until the windows have grown.",
		Pieces: 256, Blocks: 64,
		Play: func(w *World) error { return w.spread(20*time.Millisecond, 10, 600*time.Millisecond) },
	},
}

// spread makes one peer download from twenty seeds. It fails when that takes longer than the ideal
// time, plus this many thousandths of it, plus the time to begin. The last fiftieth of the torrent,
// where an endgame would show, must not take longer than any other.
func (w *World) spread(lag time.Duration, thousandths int64, begin time.Duration) error {
	w.Every = 5000
	l := w.Add(Spec{Name: "L", Lag: lag})
	l.Knows(w.group(20, Spec{Name: "S", Have: w.Full(), Up: 5 << 20, Lag: lag})...)
	ideal := w.Ideal()
	if err := w.Run(2*ideal, func() bool { return 100*l.disk.verified.Count() >= 98*w.Geometry.Pieces }); err != nil {
		return err
	}
	tail := w.Now()
	if err := w.Complete(ideal); err != nil {
		return err
	}
	tail = w.Now() - tail
	slack := ideal*time.Duration(thousandths)/1000 + begin
	if w.Now() > ideal+slack || tail > ideal/50+slack-begin+2*4*lag {
		return fmt.Errorf("it took %v, the last fiftieth of it %v; ideal are %v", w.Now(), tail, ideal)
	}
	// In endgame, blocks in flight arrive twice: for each of twenty peers the content of its path
	// and its writer, 45 blocks, whatever the size of the torrent.
	return w.wasted(5)
}
