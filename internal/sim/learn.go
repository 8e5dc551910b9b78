package sim

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
)

// withMetadata sets the torrent's info dictionary of n bytes, and the matching info-hash. Call it
// before there is a node.
func (w *World) withMetadata(n int) {
	w.Metadata = make([]byte, n)
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], w.Seed)
	_, _ = rand.NewChaCha8(key).Read(w.Metadata) // never fails
	w.InfoHash = sha1.Sum(w.Metadata)
}

// learnMix decides which nodes of a random case start without metadata, and which spoil it. Its own
// random source leaves the other draws of a seed unchanged.
type learnMix struct{ rng *rand.Rand }

// newLearnMix sets metadata for every third case.
func newLearnMix(w *World) *learnMix {
	m := &learnMix{rng: rand.New(rand.NewPCG(w.Seed, streamLearn))}
	if m.rng.IntN(3) > 0 {
		return nil
	}
	w.withMetadata(1 + m.rng.IntN(1<<(8+m.rng.IntN(11))))
	return m
}

func (m *learnMix) begins(s Spec) bool { return m != nil && !s.SeedOnly && m.rng.IntN(2) == 0 }

func (m *learnMix) spoils() bool { return m != nil && m.rng.IntN(2) == 0 }

// learned continues a node with the downloaded metadata, as when its files are opened.
func (n *Node) learned() {
	if !bytes.Equal(n.swarm.Metadata(), n.w.Metadata) {
		n.w.failf("%s took another metadata", n.spec.Name)
	}
	life := n.life
	n.w.after(100*time.Millisecond, func() {
		if n.life != life {
			return
		}
		n.input(func(now mono.Time) {
			n.swarm.Known(now, swarm.Known{Geometry: n.w.Geometry, Have: n.disk.verified.Clone(), Metadata: n.w.Metadata})
		})
	})
}

// spoilMetadata corrupts every part of the metadata in what a node sends.
func spoilMetadata(control []byte) []byte {
	out := bytes.Clone(control)
	for b := out; len(b) >= 4; {
		n := 4 + int(binary.BigEndian.Uint32(b))
		if n > 6 && wire.ID(b[4]) == wire.Extended && b[5] != 0 {
			if m, err := wire.ParseMetadata(b[6:n]); err == nil && m.Type == wire.MetadataData && len(m.Data) > 0 {
				b[n-1] ^= 1
			}
		}
		b = b[n:]
	}
	return out
}

// Cases of discovery: who is there, and what the torrent is.
var learning = []Scenario{
	{
		Name: "pex-alone", Story: "Everybody knows the address of one peer only: through peer exchange all find all.",
		Pieces: 300, Blocks: 4,
		Play: func(w *World) error {
			nodes := append(w.group(11, Spec{Name: "L", Up: 100 * kb}), w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb}))
			for _, n := range nodes[1:] {
				n.Knows(nodes[0])
			}
			met := func() bool {
				for _, n := range nodes {
					if n.swarm.Stats(w.now).Peers < len(nodes)-1 {
						return false
					}
				}
				return true
			}
			if err := w.Run(4*time.Minute, met); err != nil {
				return fmt.Errorf("not all have met: %w", err)
			}
			return w.Complete(time.Hour)
		},
	},
	{
		Name: "magnet-flood", Story: "Many know only the info-hash and one address; five of the peers with the metadata corrupt every part that they send.",
		Pieces: 16, Blocks: 4,
		Play: func(w *World) error {
			w.withMetadata(150_000)
			seeds := w.group(2, Spec{Name: "S", Have: w.Full(), Up: 200 * kb})
			liars := w.group(5, Spec{Name: "X", Have: w.Full(), Up: 200 * kb, Spoils: true})
			crowd := w.group(20, Spec{Name: "M", Up: 100 * kb, Magnet: true})
			for _, n := range crowd {
				n.Knows(append(seeds, liars...)...)
			}
			if err := w.Complete(20 * time.Minute); err != nil {
				return err
			}
			lied := 0
			for _, n := range crowd {
				for _, x := range liars {
					if n.Banned[x.host()] {
						lied++
					}
				}
				for _, s := range seeds {
					if n.Banned[s.host()] {
						return fmt.Errorf("%s banned %s, which told the truth", n.spec.Name, s.spec.Name)
					}
				}
			}
			if lied == 0 {
				return fmt.Errorf("no liar was found out")
			}
			return nil
		},
	},
}
