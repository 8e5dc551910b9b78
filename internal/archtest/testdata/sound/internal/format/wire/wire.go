// Package wire is of floor 1 and looks down.
package wire

import (
	_ "sound/bencode"
	_ "sound/internal/value/mono"
)
