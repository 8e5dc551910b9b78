package swarm

import "shoal/internal/format/wire"

// theirUploadOnly takes the message form of BEP 21, which means the same as the key of the
// extension handshake (decision 0034).
func (s *Swarm) theirUploadOnly(p *peer, body []byte) error {
	only, err := wire.ParseUploadOnly(body)
	if err != nil {
		return err
	}
	p.theirs.ext.UploadOnly = only
	s.partIfUseless(p)
	return nil
}
