// Package sim is the seeded simulator: whole swarms of the real deciding packages (swarm with its
// picker, choker and peer book, announce, dht) and the real codecs (wire, krpc) in one goroutine
// and in simulated time. Connections, datagrams, disks and trackers are virtual: they have delay
// and rate, lose and delay data, and fail on request. Peers can lie, stall, flood, or leave.
//
// Payload is a tag of eight bytes: zero is the right content of a block, anything else is a lie and
// identifies the liar. Everything else between two swarms is the bytes that they would really send.
//
// A World is one simulation. Everything in it follows from its seed: the earliest event happens
// next, ties in the order of creation. After every event the simulator checks the invariants of the
// swarm that it touched, from inside (swarm.CheckInvariants) and from the bytes on the wire
// (witness).
//
// The parts are world (time, events, checks), conn (connections), node (an engine reduced to what
// the swarm needs), disk, witness (the rules of BEP 3, as an observer sees them), datagram and
// tracker (ways to find peers), actor (scripted peers), scenario (the library of cases) and mix
// (random cases from a seed).
package sim
