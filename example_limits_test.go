package shoal_test

import (
	"context"
	"fmt"
	"net/netip"

	"shoal"
)

// Other limits hold during office hours, and whenever somebody says so.
func ExampleEngine_SetAltLimits() {
	engine, err := shoal.New(shoal.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), // nothing leaves this machine
		DHT:    shoal.DHTConfig{Off: true},
		Limits: shoal.Limits{Up: 2 << 20},                           // bytes a second
		Queue:  shoal.Queue{Downloads: 3, Seeds: 10},                // the others wait in line
		Share:  shoal.ShareLimits{Ratio: 2, Then: shoal.SharePause}, // then it rests
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(context.Background())

	if err := engine.SetAltLimits(shoal.Limits{Up: 256 << 10}, "mon-fri 08:00-18:00"); err != nil {
		fmt.Println(err)
		return
	}
	engine.UseAltLimits(true) // until the plan next has something to say
	limits, alternative := engine.Limits()
	fmt.Println(limits.Up, alternative)
	// Output: 262144 true
}
