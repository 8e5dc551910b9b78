package peerconn

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// stream reads messages until the other end is done, and gives their ids.
func stream(t *testing.T, nc net.Conn) (ids []wire.ID) {
	t.Helper()
	r := bufio.NewReader(nc)
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:4]); err != nil {
			return ids
		}
		n := binary.BigEndian.Uint32(head[:4])
		if n == 0 {
			continue
		}
		if _, err := io.ReadFull(r, head[4:]); err != nil {
			t.Error("half a message")
			return ids
		}
		if _, err := r.Discard(int(n) - 1); err != nil {
			t.Errorf("half a %v", wire.ID(head[4]))
			return ids
		}
		ids = append(ids, wire.ID(head[4]))
	}
}

// allOf are the blocks of some pieces.
func allOf(g metainfo.Geometry, pieces uint32) (refs []block.Ref) {
	for i := range pieces {
		refs = append(refs, g.Block(i, 0), g.Block(i, 1))
	}
	return refs
}

// told is how many blocks were told of as sent, and as not sent.
func (r *rig) told() (sent, unsent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.sent {
		sent += n
	}
	return sent, r.unsent
}

// chokeLate gives a connection more blocks than the network takes, and takes them back
// with a choke when ready has returned; then it unchokes the peer for one block. It returns
// what the peer gets.
func chokeLate(t *testing.T, r *rig, c *Conn, far net.Conn, ready func()) []wire.ID {
	t.Helper()
	refs := allOf(r.geo, 120)
	c.Send(wire.AppendSimple(nil, wire.Unchoke), refs[:32])
	c.Send(nil, refs[32:100])
	ready()
	c.Put(Sending{Control: wire.AppendSimple(nil, wire.Choke), TakeBack: true})
	c.Send(wire.AppendSimple(nil, wire.Unchoke), refs[100:101])
	c.Finish(io.EOF)
	ids := stream(t, far)
	if err := r.end(); err != io.EOF {
		t.Errorf("it ended with %v", err)
	}
	if sent, unsent := r.told(); sent+unsent != 101 || unsent == 0 {
		t.Errorf("%d blocks are told of as sent and %d as not sent, of 101", sent, unsent)
	}
	at := slices.Index(ids, wire.Choke)
	if at < 1 || !slices.Equal(ids[at:], []wire.ID{wire.Choke, wire.Unchoke, wire.Piece}) {
		t.Errorf("after the choke: %v", ids[max(at, 0):])
	}
	return ids
}

// BEP 3: after CHOKE no block comes. The peer does not read: what the network holds goes
// out, and the rest of the block that was begun, and then CHOKE.
func TestTakeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, geometry(256*block.Size), 1)
		near, far := narrow(t, 40<<10)
		ids := chokeLate(t, r, r.start(near), far, synctest.Wait) // the writer hangs in a write
		// Two blocks and a half are on their way: the other half comes, too.
		if n := slices.Index(ids, wire.Choke) - 1; n != 3 {
			t.Errorf("%d blocks came before the choke", n)
		}
	})
}

// The same with sockets of the system.
func TestTakeBackTCP(t *testing.T) {
	r := newRig(t, geometry(256*block.Size), 1)
	near, far := tcp(t)
	if err := near.SetWriteBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	if err := far.SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	chokeLate(t, r, r.start(near), far, func() {
		var unchoke [5]byte
		if _, err := io.ReadFull(far, unchoke[:]); err != nil {
			t.Error(err)
		}
	})
}

// The same where blocks wait for their turn under a limit: those that wait are dropped, and
// CHOKE goes at once.
func TestTakeBackUnderALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t, 16<<10, 0)
		began := time.Now()
		p.conn.Send(nil, p.refs[:20])
		p.arrivals(began, 2, nil)
		p.conn.Put(Sending{Control: wire.AppendSimple(nil, wire.Choke), TakeBack: true})
		began = time.Now()
		p.conn.Send(wire.AppendSimple(nil, wire.Unchoke), p.refs[30:31])
		var ids []wire.ID
		p.arrivals(began, 1, func(id wire.ID, at time.Duration) {
			if ids = append(ids, id); at > 0 {
				t.Errorf("%v came after %v", id, at)
			}
		})
		if !slices.Equal(ids, []wire.ID{wire.Choke, wire.Unchoke}) {
			t.Errorf("before the next block came %v", ids)
		}
		p.far.Close()
		p.end()
		if sent, unsent := p.told(); sent != 3 || unsent != 18 {
			t.Errorf("%d blocks are told of as sent and %d as not sent", sent, unsent)
		}
		p.up.Close()
		p.down.Close()
	})
}

// Parts of the metadata wait for their turn as blocks do, and what is taken back does not
// cut them.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t, 16<<10, 0)
		part := wire.AppendMetadata(nil, 3, wire.Metadata{Type: wire.MetadataData, Total: 1 << 20, Data: make([]byte, 16<<10)})
		began := time.Now()
		p.conn.Put(Sending{Parts: [][]byte{part, part, part}, Uploads: p.refs[:4]})
		p.conn.Put(Sending{Control: wire.AppendSimple(nil, wire.Choke), TakeBack: true})
		p.conn.Send(nil, p.refs[10:11])
		var ids []wire.ID
		at := p.arrivals(began, 1, func(id wire.ID, _ time.Duration) { ids = append(ids, id) })
		slices.Sort(ids)
		if !slices.Equal(ids, []wire.ID{wire.Choke, wire.Extended, wire.Extended, wire.Extended}) {
			t.Errorf("before the block came %v", ids)
		}
		if at[0] < 2*time.Second || at[0] > 5*time.Second {
			t.Errorf("three parts and a block took %v at one a second", at[0])
		}
		p.far.Close()
		p.end()
		if p.parts != 3 || p.unsent != 4 {
			t.Errorf("%d parts were sent, and %d blocks were not", p.parts, p.unsent)
		}
		p.up.Close()
		p.down.Close()
	})
}
