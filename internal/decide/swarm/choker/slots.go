package choker

const (
	// fewestSlots is what BEP 3 has: three that give most, and the optimistic one.
	fewestSlots = 4
	// slotRate is what a slot should bring, in bytes a second. Who is served more slowly
	// has a whole piece later, and can pass it on later: a crowd that begins with nothing
	// doubles what it has the sooner, the fewer each one serves at a time.
	slotRate = 512 << 10
)

// SlotsFor gives how many peers to unchoke when so many bytes a second may be sent; 0 or
// less: nothing is known of that.
func SlotsFor(limit int64) int {
	if limit <= 0 {
		return DefaultSlots
	}
	return int(min(max(limit/slotRate, fewestSlots), DefaultSlots))
}
