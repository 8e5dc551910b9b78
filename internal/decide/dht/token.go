package dht

import (
	"crypto/sha1"
	"crypto/subtle"
	"math/rand/v2"
	"net/netip"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// tokens issues and checks the tokens of get_peers (BEP 5): a hash over the asker's address,
// the info-hash and a secret. The secret changes every tokenLife and the previous one still
// counts, so a token is valid for five to ten minutes, and we need not remember which nodes
// got one. The hash leaves out the port: behind some routers it changes.
type tokens struct {
	secret, before [16]byte
	changed        mono.Time
	rng            *rand.Rand
}

const tokenSize = 8

func newTokens(now mono.Time, rng *rand.Rand) tokens {
	t := tokens{changed: now, rng: rng}
	fill(t.secret[:], rng)
	fill(t.before[:], rng)
	return t
}

// turn changes the secret when it is time; twice after a long pause.
func (t *tokens) turn(now mono.Time) {
	for i := 0; i < 2 && now.Sub(t.changed) >= tokenLife; i++ {
		t.before = t.secret
		fill(t.secret[:], t.rng)
		t.changed = max(t.changed.Add(tokenLife), now.Add(-tokenLife))
	}
}

func (t *tokens) give(now mono.Time, to netip.Addr, hash krpc.ID) [tokenSize]byte {
	t.turn(now)
	return sign(t.secret, to, hash)
}

func (t *tokens) check(now mono.Time, from netip.Addr, hash krpc.ID, token []byte) bool {
	t.turn(now)
	a, b := sign(t.secret, from, hash), sign(t.before, from, hash)
	return subtle.ConstantTimeCompare(token, a[:])|subtle.ConstantTimeCompare(token, b[:]) == 1
}

// sign hashes parts of fixed lengths and returns less than half of the sum, so the weaknesses
// of SHA-1 do not matter here.
func sign(secret [16]byte, addr netip.Addr, hash krpc.ID) [tokenSize]byte {
	var b [16 + 16 + 20]byte
	a := addr.As16()
	copy(b[:], secret[:])
	copy(b[16:], a[:])
	copy(b[32:], hash[:])
	sum := sha1.Sum(b[:])
	return [tokenSize]byte(sum[:])
}
