package main

import "github.com/spf13/cobra"

// netFlags are the flags of all commands that take part in swarms.
type netFlags struct {
	superSeed                  choiceFlag
	seedSlots                  choiceFlag
	listen                     listensFlag
	peers                      peersFlag
	nodes                      hostsFlag
	noDHT                      bool
	readOnly                   bool
	noLSD                      bool
	lsd                        bool // also on the loopback
	noWeb                      bool
	trace                      string
	keep                       bool
	dir                        string
	state                      string
	limits                     limitFlags
	peersMost, connectionsMost uint16

	metadataMost sizeFlag // 0: the default

	trust    trustFlags
	queue    queueFlags // of run alone
	remember bool       // the command goes on with the torrents of the last run; not a flag
	dirNamed bool       // --dir is on the command line; not a flag
}

// add gives a command these flags.
func (n *netFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&n.dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder")
	f.VarP(&n.listen, "listen", "l", "address for TCP and UDP, port 0 picks one; repeat for more (default all, at a port of your own)")
	f.VarP(&n.peers, "peer", "p", "dial this peer besides those found (repeat for more)")
	f.Var(&n.nodes, "dht-node", "a way into the DHT (repeat for more)")
	f.BoolVar(&n.noDHT, "no-dht", false, "take no part in the DHT")
	f.BoolVar(&n.noWeb, "no-web-seeds", false, "ask no web server for the files, whatever the torrent names")
	f.BoolVar(&n.readOnly, "dht-read-only", false, "ask the DHT and answer nobody, where traffic is dear")
	f.BoolVar(&n.noLSD, "no-lsd", false, "do not look for peers on the local network")
	f.BoolVar(&n.lsd, "lsd", false, "look for them there also when that is the loopback")
	f.BoolVar(&n.keep, "keep-cached", false, "keep what was fetched in the system's cache of files, also where no peer lacks it")
	f.Uint16Var(&n.peersMost, "max-peers", 80, "have no more than `N` connections for a torrent")
	f.Uint16Var(&n.connectionsMost, "max-connections", 400, "have no more than `N` connections in all")
	f.Var(&n.metadataMost, "max-metadata", "fetch metadata of at most this size for a magnet link (default 30MiB)")
	f.StringVar(&n.trace, "trace", "", "append every message and its reason to this `FILE`, as JSON lines")
	n.superSeed.choices = []string{"auto", "always", "never"}
	n.seedSlots.choices = []string{"fastest", "round-robin", "anti-leech"}
	f.Var(&n.superSeed, "super-seed", "show each peer only what is dealt to it: auto, always or never (default auto: a first seed that is slow)")
	f.Var(&n.seedSlots, "seed-slots", "whom a seed serves: fastest, round-robin or anti-leech (default fastest)")
	n.addState(cmd)
	n.trust.add(cmd)
	n.limits.add(cmd)
	cmd.MarkFlagDirname("dir")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if n.noDHT && len(n.nodes) > 0 {
			return usageErr("leave one of them away", "--no-dht and --dht-node contradict each other")
		}
		if ws := cmd.Flags().Lookup("web-seed"); ws != nil && ws.Changed && n.noWeb {
			return usageErr("leave one of them away", "--no-web-seeds and --web-seed contradict each other")
		}
		if n.noLSD && n.lsd {
			return usageErr("leave one of them away", "--no-lsd and --lsd contradict each other")
		}
		return n.limits.check()
	}
}

// addState gives a command the flag that says where things are kept.
func (n *netFlags) addState(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.state, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	cmd.MarkFlagDirname("state")
}
