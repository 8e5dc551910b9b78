package shoal

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"shoal/internal/decide/dht"
	"shoal/internal/format/krpc"
	"shoal/internal/net/dhtnode"
	"shoal/internal/net/netio"
)

// DHT is a node of the DHT (BEP 5) without torrents, for queries.
type DHT struct {
	node    *dhtnode.Node
	network netio.Network
	four    bool // it is in the DHT of IPv4
	six     bool // and in that of IPv6
	trace   *traceWriter
}

// DHTNode is a node that another node named.
type DHTNode struct {
	ID   string // 40 hex digits
	Addr netip.AddrPort
}

// PingResult is a node's answer to a ping.
type PingResult struct {
	ID   string // 40 hex digits
	Addr netip.AddrPort
	RTT  time.Duration
}

// OpenDHT starts a node. It uses Listen, ListenAlso, DHT, Trace and Log of cfg. The default of
// Listen is a free port of each family that the machine has. The node answers no queries (BEP 43).
func OpenDHT(cfg Config) (*DHT, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	d := &DHT{network: cfg.network()}
	conns, err := d.listen(cfg.listen())
	if err != nil {
		return nil, err
	}
	nc := dhtnode.Config{
		Conn: conns[0], Network: d.network, Bootstrap: cfg.DHT.Nodes,
		StateFile: cfg.DHT.StateFile, Logger: cfg.Log,
		// The node will be gone soon: others need not put it into their tables (BEP 43).
		ReadOnly: true,
	}
	if len(conns) > 1 {
		nc.Beside = conns[1]
	}
	for _, c := range conns {
		d.four, d.six = d.four || c.LocalAddr().Addr().Is4(), d.six || c.LocalAddr().Addr().Is6()
	}
	if cfg.DHT.PublicNodes {
		nc.Fallback = publicNodes
	}
	if cfg.Trace != nil {
		d.trace = newTraceWriter(cfg.Trace)
		nc.Trace = d.trace.record
	}
	if d.node, err = dhtnode.New(nc); err != nil {
		for _, c := range conns {
			c.Close()
		}
		return nil, err
	}
	return d, nil
}

// listen opens the sockets of the node.
func (d *DHT) listen(chosen []netip.AddrPort) ([]netio.PacketConn, error) {
	open := func(addrs []netip.AddrPort) (conns []netio.PacketConn, err error) {
		for _, a := range addrs {
			c, err := d.network.ListenPacket(a)
			if err != nil {
				for _, c := range conns {
					c.Close()
				}
				return nil, fmt.Errorf("listen on %v: %w", a, err)
			}
			conns = append(conns, c)
		}
		return conns, nil
	}
	if len(chosen) > 0 {
		return open(chosen)
	}
	return netio.OfFamilies(func(all []netip.Addr) ([]netio.PacketConn, error) { return open(netio.WithPort(all, 0)) })
}

// Addr returns the address that the node listens on, with its real port.
func (d *DHT) Addr() netip.AddrPort { return d.node.LocalAddr() }

// Close ends the node, and waits until nothing of it is left running.
func (d *DHT) Close() error {
	err := d.node.Close()
	if d.trace != nil {
		d.trace.close()
	}
	return err
}

// Ping sends a ping to the node at hostport, and waits for the answer.
func (d *DHT) Ping(ctx context.Context, hostport string) (PingResult, error) {
	addr, err := d.resolve(ctx, hostport)
	if err != nil {
		return PingResult{}, fmt.Errorf("ping %s: %w", hostport, err)
	}
	a, err := d.node.Ping(ctx, addr)
	if err != nil {
		return PingResult{}, fmt.Errorf("ping %s: %w", hostport, err)
	}
	return PingResult{ID: a.ID.String(), Addr: addr, RTT: a.Took}, nil
}

// FindNode looks up the nodes closest to target, an id of 40 hex digits, and returns them, the
// closest first.
func (d *DHT) FindNode(ctx context.Context, target string) ([]DHTNode, error) {
	id, err := parseID(target)
	if err != nil {
		return nil, err
	}
	f, err := d.node.Closest(ctx, krpc.ID(id))
	if err != nil {
		return nil, fmt.Errorf("find nodes close to %s: %w", target, err)
	}
	var out []DHTNode
	for _, n := range f.Nodes {
		out = append(out, DHTNode{ID: n.ID.String(), Addr: n.Addr})
	}
	return out, nil
}

// GetPeers looks up the peers that announced an info-hash, 40 hex digits, in the DHT.
func (d *DHT) GetPeers(ctx context.Context, infoHash string) ([]netip.AddrPort, error) {
	id, err := parseID(infoHash)
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	d.node.Lookup(ctx, id, dht.Announce{}, func(addrs []netip.AddrPort) { out = append(out, addrs...) })
	return out, ctx.Err()
}

// resolve returns the first address of "host:port" that the node can ask.
func (d *DHT) resolve(ctx context.Context, hostport string) (netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", portText)
	}
	addrs, err := d.network.Resolve(ctx, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, a := range addrs {
		if a.Is4() && d.four || a.Is6() && d.six {
			return netip.AddrPortFrom(a, uint16(port)), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%s has no address of a family that the node listens on", host)
}

func parseID(s string) (id [20]byte, err error) {
	if n, err := hex.Decode(id[:], []byte(s)); len(s) != 40 || n != 20 || err != nil {
		return id, fmt.Errorf("%q is not 40 hex digits", s)
	}
	return id, nil
}
