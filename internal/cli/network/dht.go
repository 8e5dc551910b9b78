package network

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
)

type nodeEvent struct {
	ID   string `json:"id"`
	Addr string `json:"addr"`
}

type pingEvent struct {
	ID   string  `json:"id"`
	Addr string  `json:"addr"`
	RTT  float64 `json:"rtt_ms"`
}

type foundPeerEvent struct {
	InfoHash string `json:"info_hash"`
	Addr     string `json:"addr"`
}

type foundEvent struct {
	Target string `json:"target"`
	Found  int    `json:"found"`
}

// lookWithin bounds a question to the DHT. A lookup takes a few seconds; with a
// way in that does not answer it would never end.
const lookWithin = time.Minute

func DHTCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	cmd := &cobra.Command{
		Use:   "dht",
		Short: "Ask the DHT: ping, find-node, get-peers",
		Long: `Ask the DHT (BEP 5) without taking part in any torrent. The way in is --dht-node,
else the well-known public nodes.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return ui.UsageError("see: shoal dht --help", "dht: name what to ask: ping, find-node or get-peers")
			}
			return cmdline.UnknownCommand(cmd, args)
		},
	}
	f := cmd.PersistentFlags()
	f.VarP(&n.Listen, "listen", "l", "UDP address; repeat for the other family (default a free port of each)")
	f.Var(&n.Nodes, "dht-node", "a way into the DHT (repeat for more)")
	f.Bool("json", false, "print JSON, one object a line (docs/json.md)")

	ask := func(use, short, example string, check func(string) error, run func(context.Context, *shoal.DHT, string) error) {
		name, _, _ := strings.Cut(use, " ")
		cmd.AddCommand(&cobra.Command{
			Use: use, Short: short, Example: "  shoal dht " + example,
			Args: func(_ *cobra.Command, args []string) error {
				if len(args) != 1 {
					return ui.UsageError("see: shoal dht "+name+" --help", "dht %s takes one argument, not %d", name, len(args))
				}
				if err := check(args[0]); err != nil {
					return ui.UsageError("see: shoal dht "+name+" --help", "dht %s %s: %w", name, ui.Printable(args[0]), err)
				}
				return nil
			},
			RunE: func(cmd *cobra.Command, args []string) error {
				return withDHT(cmd.Context(), out, n, func(ctx context.Context, d *shoal.DHT) error {
					return ui.Fail("dht "+name+" "+ui.Printable(args[0]), run(ctx, d, args[0]))
				})
			},
		})
	}
	ask("ping HOST:PORT", "Ask a node whether it is there", "ping 192.0.2.7:6881",
		cmdline.CheckHostPort,
		func(ctx context.Context, d *shoal.DHT, addr string) error { return ping(ctx, out, d, addr) })
	ask("find-node TARGET", "Find the nodes closest to an id of 40 hexadecimal digits",
		"find-node 0123456789abcdef0123456789abcdef01234567 --dht-node 192.0.2.7:6881",
		checkHash,
		func(ctx context.Context, d *shoal.DHT, id string) error { return findNode(ctx, out, d, id) })
	ask("get-peers INFO-HASH", "Find the peers of a torrent",
		"get-peers 0123456789abcdef0123456789abcdef01234567 --dht-node 192.0.2.7:6881",
		checkHash,
		func(ctx context.Context, d *shoal.DHT, id string) error { return getPeers(ctx, out, d, id) })
	return cmd
}

func checkHash(s string) error {
	if len(s) != 40 || !cmdline.IsHash(strings.ToLower(s)) {
		return errors.New("write 40 hexadecimal digits")
	}
	return nil
}

// withDHT opens a node of the DHT for one question.
func withDHT(ctx context.Context, out *ui.Output, n session.Flags, ask func(context.Context, *shoal.DHT) error) error {
	d, err := shoal.OpenDHT(n.Config())
	if err != nil {
		return ui.Fail("open the DHT", err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	defer out.Alive(func() string { return "asking the DHT" })()
	return ask(ctx, d)
}

func ping(ctx context.Context, out *ui.Output, d *shoal.DHT, addr string) error {
	r, err := d.Ping(ctx, addr)
	if err != nil {
		return err
	}
	out.Say("%s  %s  %s", r.ID, r.Addr, r.RTT.Round(10*time.Microsecond))
	out.Event("complete", pingEvent{r.ID, r.Addr.String(), float64(r.RTT.Microseconds()) / 1000})
	return nil
}

func findNode(ctx context.Context, out *ui.Output, d *shoal.DHT, target string) error {
	nodes, err := d.FindNode(ctx, target)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return noAnswer
	}
	for _, n := range nodes {
		out.Say("%s  %s", n.ID, n.Addr)
		out.Event("node", nodeEvent{n.ID, n.Addr.String()})
	}
	out.Event("complete", foundEvent{strings.ToLower(target), len(nodes)})
	return nil
}

func getPeers(ctx context.Context, out *ui.Output, d *shoal.DHT, target string) error {
	peers, err := d.GetPeers(ctx, target)
	if err != nil {
		return err
	}
	for _, p := range peers {
		out.Say("%s", p)
		out.Event("peer", foundPeerEvent{strings.ToLower(target), p.String()})
	}
	if len(peers) == 0 {
		out.Say("no peers found")
	}
	out.Event("complete", foundEvent{strings.ToLower(target), len(peers)})
	return nil
}

var noAnswer = &ui.Failure{
	Code: ui.ExitFailed, Err: errors.New("no node answered"),
	Hint: "name a node that is there with --dht-node HOST:PORT; shoal dht ping tells whether it is",
}
