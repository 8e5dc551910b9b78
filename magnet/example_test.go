package magnet_test

import (
	"fmt"

	"shoal/magnet"
)

func ExampleParse() {
	l, err := magnet.Parse("magnet:?xt=urn:btih:WJL26RP3ZH2S2DTSQSIPFQW2TZHWMZD6&dn=A+film&tr=http%3A%2F%2Ft.example%2Fannounce&so=0,2-3")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.V1, l.Name, l.Trackers, l.Selects(1), l.Selects(2))
	fmt.Println(l)
	// Output:
	// b257af45fbc9f52d0e728490f2c2da9e4f66647e A film [http://t.example/announce] false true
	// magnet:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e&dn=A%20film&tr=http%3A%2F%2Ft.example%2Fannounce&so=0,2-3
}
