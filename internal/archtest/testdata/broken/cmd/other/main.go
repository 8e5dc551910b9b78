// Command other has no floor.
package main

import _ "broken/internal/net/netio" // want client: imports internal/net/netio

func main() {}
