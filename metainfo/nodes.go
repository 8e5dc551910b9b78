package metainfo

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"shoal/bencode"
)

// nodes reads the DHT nodes: a list of [host, port] pairs (BEP 5).
func (p *parser) nodes(v bencode.Value) {
	if v.Kind() != bencode.List {
		p.notes.add("nodes is not a list and is ignored")
		return
	}
	for item := range v.Items() {
		if len(p.Nodes) == MaxNodes {
			p.notes.add("there are more than %d nodes; the others are ignored", MaxNodes)
			return
		}
		host, _ := item.Index(0).Text()
		port, _ := item.Index(1).Int()
		if text, ok := item.Index(1).Text(); ok {
			port, _ = strconv.ParseInt(text, 10, 32)
		}
		pair := item.Len() == 2
		if text, ok := item.Text(); ok { // "host:port"
			h, n, err := splitHostPort(text)
			host, port, pair = h, int64(n), err == nil
		}
		if !pair || !validHost(host) || port < 1 || port > 65535 {
			p.notes.add("a node that is not a pair of host and port is ignored: %s", quote(string(item.Raw())))
			continue
		}
		p.Nodes = append(p.Nodes, joinHostPort(host, int(port)))
	}
}

// joinHostPort writes a node as text: "host:port", or "[host]:port" for IPv6.
func joinHostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// splitHostPort splits a node written by joinHostPort.
func splitHostPort(node string) (host string, port int, err error) {
	i := strings.LastIndexByte(node, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("node %s: want host:port", quote(node))
	}
	host = node[:i]
	if h, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(h, "]"); !ok || !strings.Contains(host, ":") {
			host = ""
		}
	} else if strings.Contains(host, ":") {
		return "", 0, fmt.Errorf("node %s: want [IPv6]:port", quote(node))
	}
	if !validHost(host) {
		return "", 0, fmt.Errorf("node %s: not a host name or address", quote(node))
	}
	n, perr := strconv.ParseUint(node[i+1:], 10, 16)
	if perr != nil || n == 0 {
		return "", 0, fmt.Errorf("node %s: want a port from 1 to 65535", quote(node))
	}
	return host, int(n), nil
}

// validHost reports whether host can be an address or a host name. It refuses a name only if
// it cannot be a host name.
func validHost(host string) bool {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is6()
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for _, c := range []byte(host) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/\@[]<>"?#%`, c) >= 0 {
			return false
		}
	}
	return true
}
