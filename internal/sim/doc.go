// Package sim is the seeded simulator: whole swarms of the real deciding
// packages (swarm with its picker, choker and peer book, announce, dht) and the
// real codecs (wire, krpc) in one goroutine and in simulated time. Connections,
// datagrams, disks and trackers are virtual: they have delay and rate, lose and
// hold things up, and fail on request. Peers may lie, stall, flood, or leave.
//
// Payload is a tag of eight bytes: zero is the right content of a block,
// anything else is a lie and tells who told it. Everything else that passes between
// two swarms is the bytes they would have sent.
//
// A World is one simulation. Everything in it follows from its seed: what
// happens next is the earliest event, ties in the order in which they were made.
// After every event the invariants of the swarm that it touched are checked, from
// inside (swarm.CheckInvariants) and from what is seen on the wire (witness).
//
// The parts: world (time, events, what is checked), conn (connections), node
// (an engine reduced to what the swarm needs), disk, witness (the rules of BEP
// 3, as an onlooker sees them), datagram and tracker (ways to find peers), actor
// (peers that are no swarm), scenario (the library of cases) and mix (random
// cases from a seed).
package sim
