// Package why is the closed list of reasons that decisions carry. The machine that decides
// sets the reason, and it travels with the message or effect; printers only look its words
// up.
//
// # The way of a reason
//
// picker.Choice, choker.Change, peerbook.Candidate and announce.Request carry a Why, and
// swarm and dht set others directly. It travels in Effect.Why, and into a trace.Record where
// the message is appended, which happens only while a trace is on: otherwise it costs one nil
// check. The owner of the machine calls trace.Func. With --trace the root package appends
// JSON lines to a buffer that a goroutine writes (docs/trace.md). internal/lab collects the
// records of all its engines and nodes, orders them by time, and tracefmt.Conversation puts them
// into words. Nothing downstream adds a reason.
package why

// Why is the reason of one decision. The zero Why marks a record that is not a
// decision of ours, such as a message received.
type Why uint8

// The reasons, grouped by the machine that decides.
const (
	None Why = iota

	// Connections.
	HandshakeDone // what follows a handshake
	KeepAlive     // nothing was sent for a while
	TheyAsked     // the answer to a request or a query
	Duplicate     // a second connection to the same peer
	SelfConnect   // the other end is this engine
	WrongPeerID   // not the peer that the tracker promised
	Protocol      // it broke the protocol
	Silent        // it has sent nothing for too long
	Useless       // neither side can gain anything
	NoRoom        // the limit of connections is reached
	OthersWait    // it brought nothing, and others wait for its place
	Private       // BEP 27: the torrent is private, and its peers come from its trackers only
	MetadataKnown // the metadata is here
	Stopping      // the user or the program stops the torrent
	Banned        // proven to have sent bad data
	FilesOut      // the torrent's files can't be used now
	FilesBack     // they can again

	// Picker and request window.
	RandomFirst // one of the first pieces, chosen at random
	Rarest      // the fewest connected peers have it
	InOrder     // we want pieces in order, and it is the next one
	Started     // we finish started pieces first
	Urgent      // a reader waits for it
	UrgentLate  // a reader waits for it, and the peer that was asked is late
	MakesRoom   // withdrawn in favour of what a reader waits for
	Owed        // withdrawn from this peer before; we still expect the answer to that
	Unwanted    // we no longer want it
	Endgame     // every missing block is requested; ask another peer too
	Duplicated  // another peer delivered it first (cancel)
	Suspect     // a piece that failed is fetched whole from one peer
	TimedOut    // this peer did not answer in time
	Withdrawn   // it says that it no longer has the piece
	Allowed     // it lets us have the piece while it chokes us
	Suggested   // it suggested the piece, and hardly any is rarer
	NoMetadata  // only the info-hash is known, and this peer has the metadata

	// Interest and announcing pieces.
	TheyHaveWhatWeLack
	NothingWeLack
	PieceVerified
	PieceFailed

	// Choker.
	Reciprocation   // it is among those that give us most
	SeedRate        // it is among those that take fastest from a seed
	SeedTurn        // a seed's slots rotate
	Gratitude       // a seed owes it from the time before it was a seed
	AntiLeech       // it has just begun, or is nearly done
	Hoards          // it does not pass on what this seed gave it
	Optimistic      // the optimistic unchoke
	FreeSlot        // a slot is free, and no better peer wants it
	NotInterested   // it no longer wants anything
	Snubbed         // it has not answered our requests
	Outbid          // others upload more to us
	SlotUnused      // it was unchoked and took nothing
	OptimisticEnded // its turn is over, as the optimistic unchoke or in a free slot

	// Fast extension.
	Choked        // we choke it
	NotHad        // we do not have the piece
	QueueFull     // it has too many requests waiting
	TheyCancelled // it cancelled the request
	Starter       // it has hardly anything to trade yet

	// Dealing seed.
	Dealt    // no other peer has the piece, or the fewest have it
	NotDealt // the piece was dealt to others
	AllOut   // every piece has left the seed

	// Searching for peers.
	NeedPeers
	Periodic
	FirstAnnounce
	Finished
	WantsMore // a complete torrent wants more again
	Known     // an address we know and are not connected to
	Retried   // tried before, due again

	CountsUnknown // the tracker's answer had no counts of peers

	// Order of announces.
	ItsTurn       // a slot for announces is free
	SilentTracker // the tracker has not answered others
	TooMany       // too many wait already

	// Queue of torrents.
	LineTurn // it is its turn
	LineFull // the limit of running torrents is reached, and others come first
	Forced   // the user forces it to run
	Paused   // the user paused it
	Unpaused // the user resumed it

	// Share limits.
	RatioReached // the share ratio is reached
	SeededLong   // the seeding time is reached
	IdleLong     // no peer has taken anything for the idle time

	// DHT.
	Bootstrap
	Refresh
	CloserToTarget // the closest node to the target not yet asked
	QuestionableNode
	ToldByPeer  // a peer named its node in a PORT message
	TokenGiven  // the node returned a token and is among the closest
	Newcomer    // it queried us; we check whether it answers, too
	Remembered  // a node of an earlier run
	UserAsked   // a command or caller wants exactly this
	FitsAddress // the node's id fits its address

	// Our own address.
	Voted // enough others agree
	Moved // others still have the old one

	// Rate of the uplink.
	UplinkQueues // what is sent waits: we send less, to see whether the wait goes
	UplinkSlower // less arrives than before: is the line slower, or do others use it?
	UplinkOurs   // the wait went when we sent less
	UplinkTheirs // the wait stays although we send little
	UplinkCalm   // nothing waits any more
	UplinkUnused // the limit has held nothing up for a while

	// Web seeds.
	WebOne     // a connection to a web seed
	WebMore    // one more, to see whether it pays
	WebFewer   // one less, because it did not pay
	WebOn      // a run continues where the last one ended
	WebGap     // the longest gap of pieces that are not started
	WebSpread  // a random place in what no peer has, so that others take other parts
	WebWhole   // the server does not support ranges, and this is near the beginning of a file
	WebHelp    // half of what is free in a piece that a slow peer works on
	WebWait    // it failed, and we wait before the next try
	WebYield   // another torrent waits for the connection
	WebGone    // it lacks what it should have
	WebRefused // a redirect or answer that we do not accept

	// Storage.
	BlockArrived
	BlocksDiffer // the good copy differs from what this peer sent
	OnlySender   // every block of the bad piece came from this peer

	count
)

var texts = [count]struct{ name, words string }{
	None:               {"", ""},
	HandshakeDone:      {"handshake-done", "the handshake is done"},
	KeepAlive:          {"keep-alive", "nothing else was sent for a while"},
	TheyAsked:          {"they-asked", "it asked for this"},
	Duplicate:          {"duplicate", "we already have a connection to this peer"},
	SelfConnect:        {"self", "the other end is this engine"},
	WrongPeerID:        {"wrong-peer-id", "not the peer that the tracker promised"},
	Protocol:           {"protocol", "it broke the protocol"},
	Silent:             {"silent", "it has sent nothing for too long"},
	Useless:            {"useless", "neither side has anything the other lacks"},
	NoRoom:             {"no-room", "every place is taken"},
	OthersWait:         {"others-wait", "it brought nothing, and others wait for its place"},
	Private:            {"private", "the torrent is private: its peers come from its trackers only"},
	MetadataKnown:      {"metadata-known", "the metadata is here"},
	Stopping:           {"stopping", "the torrent is being stopped"},
	Banned:             {"banned", "it was proven to send bad data"},
	FilesOut:           {"files-out", "the torrent's files can't be used now"},
	FilesBack:          {"files-back", "the torrent's files can be used again"},
	RandomFirst:        {"random-first", "one of the first pieces, chosen at random"},
	Rarest:             {"rarest", "the rarest piece this peer has"},
	InOrder:            {"in-order", "we want pieces in order"},
	Started:            {"started", "we finish started pieces first"},
	Urgent:             {"urgent", "a reader waits for it"},
	UrgentLate:         {"urgent-late", "a reader waits for it, and the peer that was asked is late"},
	MakesRoom:          {"makes-room", "it makes room for what a reader waits for"},
	Owed:               {"owed", "its withdrawn request is not answered yet"},
	Unwanted:           {"unwanted", "we no longer want it"},
	Endgame:            {"endgame", "all missing blocks are requested, so ask one more peer"},
	Duplicated:         {"delivered", "another peer delivered it first"},
	Suspect:            {"suspect", "it failed before, so it comes whole from one peer"},
	TimedOut:           {"timed-out", "it did not answer this in time"},
	Withdrawn:          {"withdrawn", "it no longer has the piece"},
	Allowed:            {"allowed", "it lets us have this while it chokes us"},
	Suggested:          {"suggested", "it suggested this, and hardly any is rarer"},
	NoMetadata:         {"no-metadata", "only the info-hash is known, and it has the metadata"},
	TheyHaveWhatWeLack: {"they-have-what-we-lack", "it has pieces that we lack"},
	NothingWeLack:      {"nothing-we-lack", "it has no piece that we lack"},
	PieceVerified:      {"piece-verified", "the piece is verified"},
	PieceFailed:        {"piece-failed", "the piece did not match its hash"},
	Reciprocation:      {"reciprocation", "it is among those that give us most"},
	SeedRate:           {"seed-rate", "it takes fastest from this seed"},
	SeedTurn:           {"seed-turn", "the seed's slots rotate"},
	Gratitude:          {"gratitude", "we owe it from the time when we were a leecher"},
	AntiLeech:          {"anti-leech", "it has just begun, or is nearly done"},
	Hoards:             {"hoards", "it does not pass on what this seed gave it"},
	Optimistic:         {"optimistic", "the optimistic unchoke: a trial without merit"},
	FreeSlot:           {"free-slot", "a slot is free"},
	NotInterested:      {"not-interested", "it wants nothing from us"},
	Snubbed:            {"snubbed", "it has not answered our requests"},
	Outbid:             {"outbid", "others upload more to us"},
	SlotUnused:         {"slot-unused", "it does not use its slot, and others wait"},
	OptimisticEnded:    {"optimistic-ended", "its turn is over"},
	Choked:             {"choked", "it is choked"},
	NotHad:             {"not-had", "we do not have the piece"},
	QueueFull:          {"queue-full", "it has too many requests waiting"},
	TheyCancelled:      {"they-cancelled", "it cancelled the request"},
	Starter:            {"starter", "it has hardly anything to trade yet"},
	Dealt:              {"dealt", "this seed deals it to this peer: the fewest have it"},
	NotDealt:           {"not-dealt", "this seed deals it to others"},
	AllOut:             {"all-out", "every piece has left this seed"},
	NeedPeers:          {"need-peers", "we want more peers"},
	Periodic:           {"periodic", "it is time again"},
	FirstAnnounce:      {"first-announce", "the torrent has started"},
	Finished:           {"finished", "the torrent is complete"},
	WantsMore:          {"wants-more", "we want more again"},
	Known:              {"known", "a known address without a connection"},
	Retried:            {"retried", "it failed before and is due again"},
	CountsUnknown:      {"counts-unknown", "its answer had no counts of peers"},
	ItsTurn:            {"its-turn", "a slot for announces is free"},
	SilentTracker:      {"silent-tracker", "the tracker has not answered others just now"},
	TooMany:            {"too-many", "too many wait already"},
	LineTurn:           {"line-turn", "it is its turn in the queue"},
	LineFull:           {"line-full", "the limit of running torrents is reached, and others come first"},
	Forced:             {"forced", "the user forces it to run"},
	Paused:             {"paused", "the user paused it"},
	Unpaused:           {"unpaused", "the user resumed it"},
	RatioReached:       {"ratio-reached", "the share ratio is reached"},
	SeededLong:         {"seeded-long", "the seeding time is reached"},
	IdleLong:           {"idle-long", "no peer has taken anything for the idle time"},
	Bootstrap:          {"bootstrap", "the way into the DHT"},
	Refresh:            {"refresh", "the bucket was quiet for too long"},
	CloserToTarget:     {"closer", "the closest known node not yet asked"},
	QuestionableNode:   {"questionable", "is this node still there"},
	ToldByPeer:         {"told-by-peer", "a peer named its DHT node"},
	TokenGiven:         {"token", "it is among the closest nodes and returned a token"},
	Newcomer:           {"newcomer", "it asked us: does it answer, too?"},
	Remembered:         {"remembered", "a node known from an earlier run"},
	UserAsked:          {"user-asked", "the user asked for it"},
	FitsAddress:        {"fits-address", "its id fits its address"},
	Voted:              {"voted", "enough others agree"},
	Moved:              {"moved", "our address has changed, and others still have the old one"},
	UplinkQueues:       {"uplink-queues", "what we send waits: does the wait go when we send less?"},
	UplinkSlower:       {"uplink-slower", "less arrives than before: is the line slower, or do others use it?"},
	UplinkOurs:         {"uplink-ours", "the wait went when we sent less: it was ours"},
	UplinkTheirs:       {"uplink-theirs", "the wait stays although we send little: others cause it"},
	UplinkCalm:         {"uplink-calm", "nothing waits any more"},
	UplinkUnused:       {"uplink-unused", "the limit has held nothing up for a while"},
	WebOne:             {"web-one", "a web seed has something that we want"},
	WebMore:            {"web-more", "one more connection, to see whether it pays"},
	WebFewer:           {"web-fewer", "one connection less: it did not pay"},
	WebOn:              {"web-on", "it continues where the last run ended"},
	WebGap:             {"web-gap", "the longest gap of pieces that are not started"},
	WebSpread:          {"web-spread", "a random place in what no peer has, so that others take other parts"},
	WebWhole:           {"web-whole", "the web seed does not support ranges, and this is near the beginning of a file"},
	WebHelp:            {"web-help", "half of what is left of a piece that a peer works on"},
	WebWait:            {"web-wait", "it failed, and we wait before the next try"},
	WebYield:           {"web-yield", "another torrent waits for the connection"},
	WebGone:            {"web-gone", "it does not have the files"},
	WebRefused:         {"web-refused", "it leads to a forbidden address, or sends what we do not accept"},
	BlockArrived:       {"block-arrived", "a block arrived"},
	BlocksDiffer:       {"blocks-differ", "the good copy differs from what it sent"},
	OnlySender:         {"only-sender", "it alone sent the bad piece"},
}

// String returns the short name used in JSON and golden scripts.
func (w Why) String() string {
	if w < count {
		return texts[w].name
	}
	return "unknown"
}

// Words returns the reason as people say it.
func (w Why) Words() string {
	if w < count {
		return texts[w].words
	}
	return "unknown reason"
}
