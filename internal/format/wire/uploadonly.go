package wire

import "fmt"

// ParseUploadOnly reads the message form of BEP 21: whether the sender wants nothing. The
// error is ErrExtension.
func ParseUploadOnly(body []byte) (bool, error) {
	if len(body) != 1 {
		return false, fmt.Errorf("%w: upload_only of %d bytes", ErrExtension, len(body))
	}
	return body[0] != 0, nil
}
