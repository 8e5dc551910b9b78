package swarm

import (
	"fmt"
	"strings"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/block"
	"shoal/internal/value/trace"
)

// fetched is what a connection to a web seed has been asked for last.
type fetched struct {
	act     *webplan.Act
	next    int // blocks delivered
	stopped bool
}

// webSeeds gives a configuration with so many web seeds.
func (d *driver) webSeeds(n int) func() webplan.Config {
	return func() webplan.Config {
		cfg := webplan.Config{Geometry: d.geo, Single: true, Files: []webplan.File{{Length: d.geo.Total}}}
		for i := range n {
			cfg.Seeds = append(cfg.Seeds, webplan.Seed{URL: fmt.Sprintf("http://w%d.example/", i), Host: fmt.Sprintf("w%d.example:80", i)})
		}
		return cfg
	}
}

func (d *driver) webAct(a *webplan.Act) {
	switch a.Kind {
	case webplan.Fetch:
		d.web[a.Conn] = &fetched{act: a}
	case webplan.Stop:
		if f := d.web[a.Conn]; f == nil || f.act.ID != a.ID {
			d.t.Errorf("stop of %d, which is not under way", a.ID)
		}
		d.web[a.Conn].stopped = true // a block may be on its way
	case webplan.Close:
		if f := d.web[a.Conn]; f != nil && !f.stopped {
			d.t.Errorf("connection %d is closed while it fetches", a.Conn)
		}
	}
}

// webDoes has a web seed do something: "placed 0" gives seed 0 a place, "gives 0 3" has
// connection 0 deliver three blocks, wrong ones with "wrong", "ends 0 broken" ends its fetch.
func (d *driver) webDoes(verb string, args []string) {
	n := int(d.number(args[0]))
	switch verb {
	case "placed":
		d.s.WebPlaced(d.now, n)
	case "yields":
		d.s.WebYield(d.now, n)
	case "gives":
		f := d.web[n]
		if f == nil {
			d.say("it is asked for nothing")
			return
		}
		for range d.number(args[1]) {
			ref, ok := f.ref(d)
			if !ok {
				d.say("it is asked for no more")
				return
			}
			tag := byte(1)
			if len(args) > 2 {
				tag = 'w'
			}
			f.next++
			d.s.WebBlock(d.now, f.act.ID, ref, &block.Block{Data: []byte{tag}})
		}
		if _, more := f.ref(d); !more {
			delete(d.web, n)
			d.s.WebEnded(d.now, f.act.ID, webplan.Result{})
		}
	case "ends":
		f := d.web[n]
		if f == nil {
			d.say("it is asked for nothing")
			return
		}
		delete(d.web, n)
		r := webplan.Result{Text: strings.Join(args[1:], " ")}
		for o := webplan.Done; o <= webplan.Refused; o++ {
			if o.String() == args[1] {
				r.Outcome = o
			}
		}
		if r.Outcome == webplan.Busy {
			r.RetryIn = time.Minute
		}
		d.s.WebEnded(d.now, f.act.ID, r)
	default:
		d.t.Fatalf("web: what is %q?", verb)
	}
}

// ref gives the next block of a fetch.
func (f *fetched) ref(d *driver) (block.Ref, bool) {
	r := f.act.Run
	if f.next >= int(r.Blocks) {
		return block.Ref{}, false
	}
	per := d.geo.Blocks(0)
	at := r.Block + uint32(f.next)
	return d.geo.Block(r.Piece+at/per, at%per), true
}

func (d *driver) tellWeb(r trace.Record, reason string) {
	what := r.What + " " + r.Text
	switch {
	case r.Way == trace.Received && r.What == "piece":
		return
	case r.What == "fetch":
		what = fmt.Sprintf("fetch %d blocks from %d:%d of %s", (r.N+block.Size-1)/block.Size, r.Piece, r.Block, r.Text)
	}
	d.say("%-28s %s", what, reason)
}
