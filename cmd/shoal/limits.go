package main

import (
	"github.com/spf13/cobra"

	"shoal"
)

// limitFlags say how fast bytes may move.
type limitFlags struct {
	up, down rateFlag
	local    bool // peers nearby are not limited
}

func (l *limitFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&l.up, "limit-up", "send no more than this a second, such as 512KiB or 2M")
	f.Var(&l.down, "limit-down", "receive no more than this a second")
	f.BoolVar(&l.local, "local-unlimited", false, "limits do not hold for peers of this machine and its own network")
}

func (l *limitFlags) limits() shoal.Limits {
	return shoal.Limits{Up: int64(l.up.sizeFlag), Down: int64(l.down.sizeFlag)}
}
