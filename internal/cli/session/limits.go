package session

import (
	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
)

// limitFlags say how fast bytes may move.
type limitFlags struct {
	up    cmdline.UpRateFlag
	down  cmdline.RateFlag
	local bool // peers nearby are not limited

	altUp   cmdline.UpRateFlag
	altDown cmdline.RateFlag
	altWhen planFlag
}

// planFlag is when other limits hold.
type planFlag string

func (p *planFlag) Type() string   { return "TIMES" }
func (p *planFlag) String() string { return string(*p) }

func (p *planFlag) Set(text string) error {
	*p = planFlag(text)
	return shoal.CheckPlan(text)
}

func (l *limitFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&l.up, "limit-up", "send no more than this a second, such as 512KiB or 2M; auto keeps the queue of your line short; or none")
	f.Var(&l.down, "limit-down", "receive no more than this a second")
	f.Var(&l.altWhen, "alt-limit-at", `at these times other limits hold, such as "mon-fri 08:00-18:00, sat 10-12"`)
	f.Var(&l.altUp, "alt-limit-up", "send no more than this a second then, auto or none")
	f.Var(&l.altDown, "alt-limit-down", "receive no more than this a second then (default: no limit)")
	f.BoolVar(&l.local, "local-unlimited", false, "exempt peers on this machine and its network from limits")
}

func (l *limitFlags) limits() shoal.Limits {
	return shoal.Limits{Up: l.up.Rate(), Down: int64(l.down.SizeFlag)}
}

func (l *limitFlags) check() error {
	if l.altWhen == "" && (l.altUp.IsSet() || l.altDown.SizeFlag > 0) {
		return ui.UsageError("say when with --alt-limit-at", "--alt-limit-up and --alt-limit-down hold at no time")
	}
	return nil
}

// alternative sets the limits of an engine that hold at other times.
func (l *limitFlags) alternative(e *shoal.Engine) error {
	if l.altWhen == "" {
		return nil
	}
	return e.SetAltLimits(shoal.Limits{Up: l.altUp.Rate(), Down: int64(l.altDown.SizeFlag)}, string(l.altWhen))
}
