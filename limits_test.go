package shoal_test

import (
	"errors"
	"net/netip"
	"testing"

	"shoal"
)

// A negative limit is refused where it is given; any other can be changed at any time.
func TestLimitsAreChecked(t *testing.T) {
	listen := netip.MustParseAddrPort("127.0.0.1:0")
	cfg := shoal.Config{Listen: listen, DHT: shoal.DHTConfig{Off: true}, Limits: shoal.Limits{Up: -2}}
	if _, err := shoal.New(cfg); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("New: %v", err)
	}
	cfg.Limits.Up = 1 << 20
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	if err := e.SetLimits(shoal.Limits{PeerDown: -2}); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("SetLimits: %v", err)
	}
	if err := e.SetLimits(shoal.Limits{}); err != nil {
		t.Error(err)
	}
	if err := e.SetAltLimits(shoal.Limits{Up: 5}, "someday"); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("SetAlternative: %v", err)
	}
	if err := e.SetAltLimits(shoal.Limits{Up: 5}, "mon-sun 00:00-24:00"); err != nil {
		t.Error(err)
	}
	if l, alt := e.Limits(); l.Up != 5 || !alt {
		t.Errorf("limits %+v, alternative %v", l, alt)
	}
	if err := e.SetLimits(shoal.Limits{Up: shoal.LimitNone}); err != nil {
		t.Error(err)
	}
	e.UseAltLimits(false)
	if l, _ := e.Limits(); l.Up != shoal.LimitNone || e.Uplink().State != shoal.UplinkOff {
		t.Errorf("limits %+v, uplink %+v", l, e.Uplink())
	}
	if err := e.SetLimits(shoal.Limits{}); err != nil {
		t.Error(err)
	}
	if l, _ := e.Limits(); l.Up != shoal.LimitAuto || e.Uplink().State != shoal.UplinkIdle {
		t.Errorf("limits %+v, uplink %+v", l, e.Uplink())
	}
	e.UseAltLimits(false)
	if l, alt := e.Limits(); l.Up != 0 || alt {
		t.Errorf("limits %+v, alternative %v", l, alt)
	}
}
