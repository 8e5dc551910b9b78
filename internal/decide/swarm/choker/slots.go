package choker

const (
	// fewestSlots comes from BEP 3: the three peers that give most, and the optimistic one.
	fewestSlots = 4
	// slotRate is what a slot should carry, in bytes a second. A peer that we serve more
	// slowly has a whole piece later, and passes it on later: the fewer peers each one serves
	// at a time, the sooner a crowd that begins with nothing doubles what it has.
	slotRate = 512 << 10
)

// SlotsFor returns how many peers to unchoke under an upload limit in bytes a second; 0 or
// less: unknown.
func SlotsFor(limit int64) int {
	if limit <= 0 {
		return DefaultSlots
	}
	return int(min(max(limit/slotRate, fewestSlots), DefaultSlots))
}
