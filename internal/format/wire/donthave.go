package wire

import (
	"encoding/binary"
	"fmt"
)

// ParseDontHave reads an lt_donthave message (BEP 54): the piece that the sender no longer
// has. The error is ErrExtension.
func ParseDontHave(body []byte) (piece uint32, err error) {
	if len(body) != 4 {
		return 0, fmt.Errorf("%w: lt_donthave of %d bytes", ErrExtension, len(body))
	}
	return binary.BigEndian.Uint32(body), nil
}
