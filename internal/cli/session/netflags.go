package session

import (
	"github.com/spf13/cobra"

	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
)

// Flags are the flags of all commands that take part in swarms.
type Flags struct {
	superSeed                  cmdline.ChoiceFlag
	seedSlots                  cmdline.ChoiceFlag
	Listen                     cmdline.ListensFlag
	Peers                      cmdline.PeersFlag
	Nodes                      cmdline.HostsFlag
	NoDHT                      bool
	readOnly                   bool
	noLSD                      bool
	LSD                        bool // also on the loopback
	NoWeb                      bool
	Trace                      string
	keep                       bool
	Dir                        string
	State                      string
	limits                     limitFlags
	peersMost, connectionsMost uint16

	metadataMost cmdline.SizeFlag // 0: the default

	Trust    trustFlags
	Queue    queueFlags // of run alone
	Remember bool       // the command goes on with the torrents of the last run; not a flag
	DirNamed bool       // --dir is on the command line; not a flag
}

// Add adds these flags to a command.
func (n *Flags) Add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&n.Dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder")
	f.VarP(&n.Listen, "listen", "l", "address for TCP and UDP, port 0 picks one; repeat for more (default all, at a port of your own)")
	f.VarP(&n.Peers, "peer", "p", "dial this peer besides those found (repeat for more)")
	f.Var(&n.Nodes, "dht-node", "a way into the DHT (repeat for more)")
	f.BoolVar(&n.NoDHT, "no-dht", false, "take no part in the DHT")
	f.BoolVar(&n.NoWeb, "no-web-seeds", false, "ask no web server for the files, whatever the torrent names")
	f.BoolVar(&n.readOnly, "dht-read-only", false, "query the DHT but do not answer (read-only node, BEP 43)")
	f.BoolVar(&n.noLSD, "no-lsd", false, "do not look for peers on the local network")
	f.BoolVar(&n.LSD, "lsd", false, "look for peers there even on the loopback")
	f.BoolVar(&n.keep, "keep-cached", false, "keep what was fetched in the system's cache of files, also where no peer lacks it")
	f.Uint16Var(&n.peersMost, "max-peers", 80, "have no more than `N` connections for a torrent")
	f.Uint16Var(&n.connectionsMost, "max-connections", 400, "have no more than `N` connections in all")
	f.Var(&n.metadataMost, "max-metadata", "fetch metadata of at most this size for a magnet link (default 30MiB)")
	f.StringVar(&n.Trace, "trace", "", "append every message and its reason to this `FILE`, as JSON lines")
	n.superSeed.Choices = []string{"auto", "always", "never"}
	n.seedSlots.Choices = []string{"fastest", "round-robin", "anti-leech"}
	f.Var(&n.superSeed, "super-seed", "show each peer only what is dealt to it: auto, always or never (default auto: a first seed that is slow)")
	f.Var(&n.seedSlots, "seed-slots", "which peers a seed serves: fastest, round-robin or anti-leech (default fastest)")
	n.AddState(cmd)
	n.Trust.add(cmd)
	n.limits.add(cmd)
	cmd.MarkFlagDirname("dir")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if n.NoDHT && len(n.Nodes) > 0 {
			return ui.UsageError("leave one of them away", "--no-dht and --dht-node contradict each other")
		}
		if ws := cmd.Flags().Lookup("web-seed"); ws != nil && ws.Changed && n.NoWeb {
			return ui.UsageError("leave one of them away", "--no-web-seeds and --web-seed contradict each other")
		}
		if n.noLSD && n.LSD {
			return ui.UsageError("leave one of them away", "--no-lsd and --lsd contradict each other")
		}
		return n.limits.check()
	}
}

// AddState adds the flag that names the folder of state to a command.
func (n *Flags) AddState(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.State, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	cmd.MarkFlagDirname("state")
}
