package swarm

import "shoal/internal/wire"

// theirPex takes a ut_pex message (BEP 11). We announce no id for it yet, so it
// counts for nothing.
func (s *Swarm) theirPex(p *peer, body []byte) error {
	_, err := wire.ParsePex(body)
	return err
}
