package sim

import (
	"strings"
	"testing"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// TestWitness has a swarm break each rule in turn: the witness must notice, or
// what the simulations show is worth nothing.
func TestWitness(t *testing.T) {
	have := func(w *World, pieces ...uint32) *bitfield.Bitfield {
		b := w.Some(0)
		for _, p := range pieces {
			b.Set(p)
		}
		return b
	}
	first := block.Ref{Piece: 0, Begin: 0, Length: block.Size}
	third := block.Ref{Piece: 2, Begin: 0, Length: block.Size}
	simple := func(id wire.ID) []byte { return wire.AppendSimple(nil, id) }
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, c := range []struct {
		name  string
		heard []wire.Message
		says  []byte
		sends []block.Ref
		want  string // part of the complaint; empty: all is well
	}{
		{"interested in what we lack", []wire.Message{{ID: wire.Have, Piece: 2}}, simple(wire.Interested), nil, ""},
		{"interested in nothing", nil, simple(wire.Interested), nil, "nothing that we lack"},
		{"interested twice", []wire.Message{{ID: wire.Have, Piece: 2}}, join(simple(wire.Interested), simple(wire.Interested)), nil, "said twice"},
		{"choke while choked", nil, simple(wire.Choke), nil, "said twice"},
		{"unchoke twice", nil, join(simple(wire.Unchoke), simple(wire.Unchoke)), nil, "said twice"},
		{"have of a verified piece", nil, wire.AppendHave(nil, 0), nil, ""},
		{"have of another", nil, wire.AppendHave(nil, 2), nil, "not verified"},
		{"have twice", nil, join(wire.AppendHave(nil, 0), wire.AppendHave(nil, 0)), nil, "before"},
		{"have out of range", nil, wire.AppendHave(nil, 3), nil, "out of range"},
		{"request", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Unchoke}}, join(simple(wire.Interested), wire.AppendRequest(nil, third)), nil, ""},
		{"request while choked", []wire.Message{{ID: wire.Have, Piece: 2}}, join(simple(wire.Interested), wire.AppendRequest(nil, third)), nil, "choke us"},
		{"request after a choke", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Unchoke}, {ID: wire.Choke}}, join(simple(wire.Interested), wire.AppendRequest(nil, third)), nil, "choke us"},
		{"request without interest", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Unchoke}}, wire.AppendRequest(nil, third), nil, "never said"},
		{"request for what they lack", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Unchoke}}, join(simple(wire.Interested), wire.AppendRequest(nil, block.Ref{Piece: 1, Length: block.Size})), nil, "do not have"},
		{"request for what we have", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Have, Piece: 0}, {ID: wire.Unchoke}}, join(simple(wire.Interested), wire.AppendRequest(nil, first)), nil, "which we have"},
		{"request twice", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Unchoke}}, join(simple(wire.Interested), wire.AppendRequest(nil, third), wire.AppendRequest(nil, third)), nil, "asked twice"},
		{"more than they keep", []wire.Message{{ID: wire.Have, Piece: 2}, {ID: wire.Unchoke}, {ID: wire.Extended, Body: []byte("d4:reqqi1ee")}}, join(simple(wire.Interested), wire.AppendRequest(nil, third), wire.AppendRequest(nil, block.Ref{Piece: 2, Begin: block.Size, Length: 5000})), nil, "they keep 1"},
		{"request for what is skipped", []wire.Message{{ID: wire.Have, Piece: 1}, {ID: wire.Unchoke}}, join(simple(wire.Interested), wire.AppendRequest(nil, block.Ref{Piece: 1, Length: block.Size})), nil, "skipped"},
		{"cancel of nothing", nil, wire.AppendCancel(nil, third), nil, "not asked"},
		{"unchoke", []wire.Message{{ID: wire.Interested}}, simple(wire.Unchoke), nil, ""},
		{"block to the choked", nil, nil, []block.Ref{first}, "choked"},
		{"block not asked for", nil, join(wire.AppendBitfield(nil, have(New(1, 3, 2), 0)), simple(wire.Unchoke)), []block.Ref{first}, "not asked"},
		{"block of what we never showed", []wire.Message{{ID: wire.Request, Length: block.Size}}, simple(wire.Unchoke), []block.Ref{first}, "never said"},
		{"block not verified", nil, simple(wire.Unchoke), []block.Ref{third}, "not verified"},
		{"bitfield late", nil, join(simple(wire.Unchoke), wire.AppendBitfield(nil, have(New(1, 3, 2), 0))), nil, "first message"},
		{"bitfield of nothing", nil, wire.AppendBitfield(nil, have(New(1, 3, 2))), nil, "verified are"},
		{"bitfield of too much", nil, wire.AppendBitfield(nil, have(New(1, 3, 2), 0, 1)), nil, "verified are"},
		{"bitfield twice", nil, join(wire.AppendBitfield(nil, have(New(1, 3, 2), 0)), wire.AppendBitfield(nil, have(New(1, 3, 2), 0))), nil, "first message"},
		{"half a message", nil, []byte{0, 0, 0, 5, 4}, nil, "half a message"},
		{"port without a node", nil, wire.AppendPort(nil, 6881), nil, "no DHT node"},
		{"an id of another extension", nil, []byte{0, 0, 0, 1, 12}, nil, "none of ours"},
		{"suggest without the fast extension", nil, join(wire.AppendBitfield(nil, have(New(1, 3, 2), 0)), wire.AppendSuggest(nil, 0)), nil, "does not speak"},
		{"fast: have none", nil, join(simple(wire.HaveNone), simple(wire.Unchoke)), nil, ""},
		{"fast: have all of a part", nil, simple(wire.HaveAll), nil, "verified are"},
		{"fast: unchoke first", nil, simple(wire.Unchoke), nil, "before what we have"},
		{"fast: no answer to the choked", []wire.Message{{ID: wire.Request, Length: block.Size}}, simple(wire.HaveNone), nil, "no answer"},
		{"fast: a reject", []wire.Message{{ID: wire.Request, Length: block.Size}}, join(simple(wire.HaveNone), wire.AppendReject(nil, first)), nil, ""},
		{"fast: two rejects", []wire.Message{{ID: wire.Request, Length: block.Size}}, join(simple(wire.HaveNone), wire.AppendReject(nil, first), wire.AppendReject(nil, first)), nil, "is answered"},
		{"fast: a block of what is granted", []wire.Message{{ID: wire.Request, Length: block.Size}}, join(wire.AppendBitfield(nil, have(New(1, 3, 2), 0)), wire.AppendAllowedFast(nil, 0)), []block.Ref{first}, ""},
		{"fast: a block of what is not", []wire.Message{{ID: wire.Request, Length: block.Size}}, join(simple(wire.HaveNone), wire.AppendAllowedFast(nil, 1)), []block.Ref{first}, "choked"},
		{"fast: request of what is allowed", []wire.Message{{ID: wire.HaveAll}, {ID: wire.AllowedFast, Piece: 2}}, join(simple(wire.HaveNone), simple(wire.Interested), wire.AppendRequest(nil, third)), nil, ""},
		{"fast: suggest what they have", []wire.Message{{ID: wire.HaveAll}}, join(wire.AppendBitfield(nil, have(New(1, 3, 2), 0)), wire.AppendSuggest(nil, 0)), nil, "they have it is true"},
		{"a wrong length", nil, []byte{0, 0, 0, 2, 1, 0}, nil, "wrong length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := New(1, 3, 2)
			n := w.Add(Spec{Have: have(w, 0)})
			n.wishes.prio = []uint8{2, 0, 2}
			x := newWitness(n, &end{})
			x.fast = strings.HasPrefix(c.name, "fast")
			for _, m := range c.heard {
				x.received(m)
			}
			err := x.wrote(swarm.Out{Bytes: c.says, Uploads: c.sends})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}

	w := New(1, 3, 2)
	x := newWitness(w.Add(Spec{}), &end{})
	if err := x.stored(third); err == nil {
		t.Error("a block that was never asked for was kept")
	}
	w.now = w.now.Add(silence + time.Second)
	if err := x.wrote(swarm.Out{Bytes: wire.AppendKeepAlive(nil)}); err == nil {
		t.Error("a long silence was not noticed")
	}
}
