package engine

import "testing"

// All that may be open at the same time fits the limit, from 48 handles on, and with many
// nothing is less than without a limit.
func TestShares(t *testing.T) {
	for limit := 48; limit < 3000; limit++ {
		files, peers, dials, handshakes := shares(limit)
		if sum := ownHandles + files + peers + dials + handshakes; sum > limit-4 {
			t.Fatalf("limit %d: %d are open, and nothing is left for folders", limit, sum)
		}
		if files < 4 || peers < 4 || dials < 1 || handshakes < 1 {
			t.Fatalf("limit %d: %d files, %d peers, %d dials, %d handshakes", limit, files, peers, dials, handshakes)
		}
	}
	c := withDefaults(Config{})
	if files := c.fit(4096); files != 256 || c.Crowd != defaultCrowd || c.HalfOpen != defaultHalfOpen || c.Handshakes != defaultHandshakes {
		t.Errorf("with plenty: %d files, %+v", files, c)
	}
	if c.fit(48); c.Crowd > 15 || c.HalfOpen > 4 {
		t.Errorf("with 48: %+v", c)
	}
}
