package peerconn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// conversation is a stream with every kind of message, and what it means.
func conversation(g metainfo.Geometry, pieces ...block.Ref) (stream []byte, want []got) {
	add := func(m wire.Message, b []byte) {
		stream = append(stream, b...)
		want = append(want, got{m: m})
	}
	have := bitfield.New(g.Pieces)
	have.Set(0)
	body := have.AppendWire(nil)
	ref := g.Block(0, 1)
	add(wire.Message{ID: wire.Bitfield, Body: body}, wire.AppendBitfield(nil, have))
	add(wire.Message{ID: wire.Extended, Ext: 0, Body: []byte("d1:md6:ut_pexi1eee")}, wire.AppendExtended(nil, 0, []byte("d1:md6:ut_pexi1eee")))
	add(wire.Message{ID: wire.KeepAlive}, wire.AppendKeepAlive(nil))
	for _, id := range []wire.ID{wire.Choke, wire.Unchoke, wire.Interested, wire.NotInterested} {
		add(wire.Message{ID: id}, wire.AppendSimple(nil, id))
	}
	for i, r := range pieces {
		stream = piece(stream, g, r)
		want = append(want, got{m: wire.Message{ID: wire.Piece, Piece: r.Piece, Begin: r.Begin, Length: r.Length}, data: string(payload(g, r))})
		if i%2 == 0 {
			add(wire.Message{ID: wire.Have, Piece: 1}, wire.AppendHave(nil, 1))
		}
	}
	add(wire.Message{ID: wire.Request, Piece: ref.Piece, Begin: ref.Begin, Length: ref.Length}, wire.AppendRequest(nil, ref))
	add(wire.Message{ID: 99, Body: []byte("whatever it is")}, append([]byte{0, 0, 0, 15, 99}, "whatever it is"...))
	add(wire.Message{ID: 200, Body: []byte{}}, []byte{0, 0, 0, 1, 200})
	add(wire.Message{ID: wire.Cancel, Piece: ref.Piece, Begin: ref.Begin, Length: ref.Length}, wire.AppendCancel(nil, ref))
	add(wire.Message{ID: wire.Port, Port: 6881}, wire.AppendPort(nil, 6881))
	add(wire.Message{ID: wire.KeepAlive}, wire.AppendKeepAlive(nil))
	return stream, want
}

func check(t testing.TB, r *rig, want []got) {
	t.Helper()
	if len(r.items) != len(want) {
		t.Errorf("%d messages, want %d", len(r.items), len(want))
	}
	for i := range min(len(r.items), len(want)) {
		if !r.items[i].equal(want[i]) {
			t.Fatalf("message %d is %v, want %v", i, r.items[i], want[i])
		}
	}
	for _, n := range r.batches {
		if n < 1 || n > batchItems {
			t.Errorf("a batch has %d messages, at most %d are allowed", n, batchItems)
		}
	}
}

// However the stream is cut, the same messages come of it.
func TestEverySplit(t *testing.T) {
	g := geometry(2*block.Size + 300) // the second piece is one block of 300 bytes
	stream, want := conversation(g, g.Block(1, 0))
	read := func(chunks ...[]byte) {
		t.Helper()
		r := newRig(t, g, 2)
		r.start(newScript(false, chunks...))
		if err := r.end(); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("it ended with %v", err)
		}
		check(t, r, want)
	}
	for at := range len(stream) + 1 {
		read(stream[:at:at], stream[at:])
	}
	for n := 1; n <= len(stream); n++ {
		read(split(stream, n)...)
	}
}

// The same with whole blocks, over a stream that is read as it comes and over a real
// one, where many are read with one call.
func TestRandomSplits(t *testing.T) {
	g := geometry(50*block.Size + 300)
	var refs []block.Ref
	for i := range g.Pieces {
		for j := range g.Blocks(i) {
			refs = append(refs, g.Block(i, j))
		}
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		rng.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
		stream, want := conversation(g, refs...)
		var chunks [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(1+rng.IntN(1<<(1+rng.IntN(18))), len(rest))
			chunks = append(chunks, rest[:n:n])
			rest = rest[n:]
		}
		buffers := 1 + rng.IntN(40)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := newRig(t, g, buffers)
			near, far := tcp(t)
			r.start(near)
			var wg sync.WaitGroup
			wg.Go(func() {
				for _, c := range chunks {
					if _, err := far.Write(c); err != nil {
						t.Errorf("write: %v", err)
					}
				}
				far.Close()
			})
			wg.Wait()
			r.end()
			check(t, r, want)

			r = newRig(t, g, buffers)
			r.start(newScript(false, chunks...))
			r.end()
			check(t, r, want)
		})
	}
}

// The bitfield of a torrent of two million pieces is 250 KB: it comes whole, however it
// is cut, between other things.
func TestLargeBitfield(t *testing.T) {
	for _, pieces := range []uint32{2_000_000, metainfo.MaxPieces} {
		g := metainfo.Geometry{Total: int64(pieces) * 2 * block.Size, PieceLength: 2 * block.Size, Pieces: pieces}
		have := bitfield.New(pieces)
		for i := uint32(0); i < pieces; i += 3 {
			have.Set(i)
		}
		stream, want := conversation(g)
		stream = append(stream, wire.AppendBitfield(nil, have)...)
		want = append(want, got{m: wire.Message{ID: wire.Bitfield, Body: have.AppendWire(nil)}})
		for i := range uint32(40) { // data flows behind it
			stream = piece(stream, g, g.Block(i, 0))
			want = append(want, got{
				m:    wire.Message{ID: wire.Piece, Piece: i, Length: block.Size},
				data: string(payload(g, g.Block(i, 0))),
			})
		}
		stream = append(stream, wire.AppendBitfield(nil, have)...)
		want = append(want, got{m: wire.Message{ID: wire.Bitfield, Body: have.AppendWire(nil)}})
		for _, n := range []int{1000, 4096, 100_000, len(stream)} {
			t.Run(fmt.Sprintf("%d pieces, %d bytes at a time", pieces, n), func(t *testing.T) {
				r := newRig(t, g, 8)
				r.start(newScript(false, split(stream, n)...))
				r.end()
				check(t, r, want)

				r = newRig(t, g, 8)
				near, far := tcp(t)
				r.start(near)
				for _, c := range split(stream, n) {
					if _, err := far.Write(c); err != nil {
						t.Fatal(err)
					}
				}
				far.Close()
				r.end()
				check(t, r, want)
			})
		}
	}
}

// header is the beginning of a message: its length and id.
func header(length uint32, id wire.ID) []byte {
	return append(binary.BigEndian.AppendUint32(nil, length), byte(id))
}

// A message that may not be ends the connection with a reason, before more of it is
// read than it takes to know. What came before it is delivered.
func TestBadMessages(t *testing.T) {
	g := geometry(10*block.Size + 300)
	at := func(p, begin, length uint32) block.Ref { return block.Ref{Piece: p, Begin: begin, Length: length} }
	for name, tc := range map[string]struct {
		bytes []byte
		want  error
	}{
		"huge":                    {header(0xffffffff, wire.Piece), wire.ErrTooLong},
		"unknown and too long":    {header(wire.MaxBody+1, 99), wire.ErrTooLong},
		"extended and too long":   {header(1<<20, wire.Extended), wire.ErrTooLong},
		"extended without an id":  {header(1, wire.Extended), wire.ErrLength},
		"choke with a body":       {header(2, wire.Choke), wire.ErrLength},
		"choke too long":          {header(1<<30, wire.Choke), wire.ErrTooLong},
		"short have":              {header(4, wire.Have), wire.ErrLength},
		"have out of range":       {wire.AppendHave(nil, g.Pieces), wire.ErrRange},
		"short bitfield":          {header(1, wire.Bitfield), wire.ErrLength},
		"long bitfield":           {header(1+uint32(bitfield.WireLen(g.Pieces))+1, wire.Bitfield), wire.ErrLength},
		"long request":            {header(14, wire.Request), wire.ErrLength},
		"request out of range":    {wire.AppendRequest(nil, at(g.Pieces, 0, 1)), wire.ErrRange},
		"request over the end":    {wire.AppendRequest(nil, at(5, 1, 300)), wire.ErrRange},
		"request that wraps":      {wire.AppendRequest(nil, at(0, 0xffffffff, 2)), wire.ErrRange},
		"request of nothing":      {wire.AppendRequest(nil, at(0, 0, 0)), wire.ErrRange},
		"request of 32 KiB":       {wire.AppendRequest(nil, at(0, 0, 2*block.Size)), wire.ErrRange},
		"cancel out of range":     {wire.AppendCancel(nil, at(99, 0, block.Size)), wire.ErrRange},
		"long port":               {header(4, wire.Port), wire.ErrLength},
		"piece without payload":   {header(9, wire.Piece), wire.ErrLength},
		"piece of 16 KiB + 1":     {header(9+block.Size+1, wire.Piece), wire.ErrTooLong},
		"piece out of range":      {wire.AppendPieceHeader(nil, at(g.Pieces, 0, block.Size)), wire.ErrRange},
		"piece that is no block":  {wire.AppendPieceHeader(nil, at(0, 1, block.Size)), wire.ErrRange},
		"piece of half a block":   {wire.AppendPieceHeader(nil, at(0, 0, block.Size/2)), wire.ErrRange},
		"last block at its worst": {wire.AppendPieceHeader(nil, at(5, 0, block.Size)), wire.ErrRange},
	} {
		before, want := conversation(g, g.Block(5, 0))
		for _, n := range []int{1, 7, 1 << 20} {
			// Nothing follows, and the stream stays open: only a reader that does not
			// wait for the body ends.
			r := newRig(t, g, 4)
			r.start(newScript(true, split(append(before, tc.bytes...), n)...))
			if err := r.end(); !errors.Is(err, tc.want) {
				t.Errorf("%s: ended with %v, want %v", name, err, tc.want)
			}
			check(t, r, want)
		}
		t.Run(name, func(t *testing.T) {
			r := newRig(t, g, 20)
			near, far := tcp(t)
			r.start(near)
			stream := before
			for range 20 { // data flows when it comes
				stream = piece(stream, g, g.Block(0, 0))
				want = append(want, got{m: wire.Message{ID: wire.Piece, Length: block.Size}, data: string(payload(g, g.Block(0, 0)))})
			}
			if _, err := far.Write(append(stream, tc.bytes...)); err != nil {
				t.Fatal(err)
			}
			if err := r.end(); !errors.Is(err, tc.want) {
				t.Errorf("%s: ended with %v, want %v", name, err, tc.want)
			}
			check(t, r, want)
		})
	}
}

// A burst is cut into batches of a size that does not hold the loop up.
func TestBatches(t *testing.T) {
	g := geometry(100 * block.Size)
	var stream []byte
	var want []got
	for i := range uint32(1000) {
		stream = wire.AppendHave(stream, i%g.Pieces)
		want = append(want, got{m: wire.Message{ID: wire.Have, Piece: i % g.Pieces}})
	}
	r := newRig(t, g, 1)
	r.start(newScript(false, stream))
	r.end()
	check(t, r, want)
	// A read of 4 KiB has 455 of them.
	if n := len(r.batches); n > 1000/batchItems+4 {
		t.Errorf("%d batches for 1000 messages that came at once", n)
	}
}

// Whatever ends a connection, every buffer goes back.
func TestBlocksGoBack(t *testing.T) {
	g := geometry(40 * block.Size)
	var stream []byte
	for i := range g.Pieces {
		stream = piece(piece(stream, g, g.Block(i, 0)), g, g.Block(i, 1))
	}
	half := stream[:len(stream)-block.Size/2]
	// open gives a stream that ends behind what it holds, or stays open.
	type open func(stream []byte, ends bool) net.Conn
	for name, run := range map[string]func(r *rig, open open){
		"the stream ends in a block": func(r *rig, open open) {
			r.start(open(half, true))
		},
		"the torrent ends": func(r *rig, open open) {
			r.deliver = func(*Batch) bool { return len(r.items) < 4 }
			r.start(open(stream, false))
		},
		"closed in a block": func(r *rig, open open) {
			seen := make(chan struct{}, 1000)
			r.deliver = func(*Batch) bool { seen <- struct{}{}; return true }
			c := r.start(open(half, false))
			<-seen
			c.Close(errors.New("enough"))
		},
		"closed while it waits for a buffer": func(r *rig, open open) {
			held := make(chan *block.Block, r.budget.Cap())
			r.deliver = func(b *Batch) bool {
				for i := range b.Items { // the disk keeps them
					held <- b.Items[i].Block
					b.Items[i].Block = nil
				}
				return true
			}
			c := r.start(open(stream, false))
			for range r.budget.Cap() {
				defer r.budget.Put(<-held)
			}
			c.Close(errors.New("enough"))
			r.group.Wait()
		},
		"nonsense after blocks": func(r *rig, open open) {
			r.start(open(append(half[:30*(block.Size+13):30*(block.Size+13)], 0xff, 0xff, 0xff, 0xff, 7), false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, g, 7)
			run(r, func(stream []byte, ends bool) net.Conn { return newScript(!ends, stream) })
			r.end()
		})
		t.Run(name+", over TCP", func(t *testing.T) {
			r := newRig(t, g, 7)
			var wg sync.WaitGroup
			run(r, func(stream []byte, ends bool) net.Conn {
				near, far := tcp(t)
				wg.Go(func() {
					far.Write(stream) // the other end may be closed before all is sent
					if ends {
						far.CloseWrite()
					}
				})
				return near
			})
			r.end()
			wg.Wait()
		})
	}
}

// model reads a stream that is there as a whole: no buffers, no reading ahead.
func model(g metainfo.Geometry, b []byte) (items []got, err error) {
	bounds := wire.BoundsOf(g, g.Pieces)
	for {
		m, n, err := bounds.Decode(b)
		if err != nil || n == 0 {
			return items, err
		}
		b = b[n:]
		it := got{m: m}
		if m.ID == wire.Piece {
			if len(b) < int(m.Length) {
				return items, nil
			}
			it.data, b = string(b[:m.Length]), b[m.Length:]
		}
		it.m.Body = bytes.Clone(m.Body)
		items = append(items, it)
	}
}

// Many connections and few buffers: nobody who waits for one holds others, so all get
// on.
func TestFewBuffersForMany(t *testing.T) {
	g := geometry(41*block.Size + 300)
	var refs []block.Ref
	for i := range g.Pieces {
		for j := range g.Blocks(i) {
			refs = append(refs, g.Block(i, j))
		}
	}
	stream, want := conversation(g, refs...)
	for _, buffers := range []int{1, 3, 20} {
		r := newRig(t, g, buffers)
		var wg sync.WaitGroup
		const many = 6
		for range many {
			near, far := tcp(t)
			r.start(near)
			wg.Go(func() {
				if _, err := far.Write(stream); err != nil {
					t.Errorf("write: %v", err)
				}
				far.CloseWrite()
			})
		}
		wg.Wait()
		r.group.Wait()
		if len(r.items) != many*len(want) || len(r.closed) != many || r.budget.InUse() != 0 {
			t.Errorf("%d buffers: %d messages, want %d; %d are closed; %d buffers were not given back",
				buffers, len(r.items), many*len(want), len(r.closed), r.budget.InUse())
		}
	}
}
