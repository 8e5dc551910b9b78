// Package why is the closed list of reasons that decisions carry. A reason is
// set where the decision is taken, by the machine that takes it, and travels
// with the message or effect; printers only look its words up.
//
// # The way of a reason
//
// picker.Choice, choker.Change, peerbook.Candidate and announce.Request carry a Why, and
// swarm and dht set others directly. It travels in Effect.Why, and into a trace.Record
// where the message is appended, which happens only while a trace is on: one nil check
// otherwise. The owner of the machine calls trace.Func. With --trace the root package
// appends JSON lines to a buffer that a goroutine writes out (docs/trace.md). internal/lab
// collects the records of all its engines and nodes, orders them by time, and
// lens.Conversation puts them into words. Nothing downstream adds a reason.
package why

// Why is the reason of one decision. The zero Why marks a record that is not a
// decision of ours, such as a message received.
type Why uint8

// The reasons, grouped by the machine that gives them.
const (
	None Why = iota

	// Of a connection.
	HandshakeDone // what follows a handshake
	KeepAlive     // nothing was sent for a while
	TheyAsked     // the answer to a request or a query
	Duplicate     // a second connection to the same peer
	SelfConnect   // the other end is this engine
	WrongPeerID   // not the peer that the tracker promised
	Protocol      // it broke the protocol
	Silent        // nothing was heard for too long
	Useless       // neither side can gain anything
	NoRoom        // there are as many connections as may be
	OthersWait    // it gives nothing, and others wait for its place
	Private       // BEP 27: the torrent is private, and its peers come from its trackers alone
	MetadataKnown // the metadata came
	Stopping      // the user or the program stops the torrent
	Banned        // proven to have sent bad data
	FilesOut      // the torrent's files can't be used now
	FilesBack     // they can again

	// Of the picker and the request window.
	RandomFirst // one of the first pieces, taken at random
	Rarest      // the fewest connected peers have it
	InOrder     // pieces are wanted in order, and it is the next one
	Started     // a piece already begun is finished first
	Urgent      // a reader waits for it
	UrgentLate  // a reader waits for it, and who was asked is late
	MakesRoom   // it is taken back for what a reader waits for
	Owed        // it was asked of this peer and taken back; the answer to that is still to come
	Unwanted    // it is not wanted any more
	Endgame     // every missing block is requested; ask another peer too
	Duplicated  // another peer delivered it first (cancel)
	Suspect     // a piece that failed is fetched whole from one peer
	TimedOut    // asked of this peer, which did not answer in time
	Withdrawn   // it says now that it does not have the piece
	Allowed     // it lets us have the piece while it chokes us
	Suggested   // it suggested the piece, and hardly any is rarer
	NoMetadata  // only the info-hash is known, and this peer has the metadata

	// Of interest and announcing pieces.
	TheyHaveWhatWeLack
	NothingWeLack
	PieceVerified
	PieceFailed

	// Of the choker.
	Reciprocation   // it is among those that give us most
	SeedRate        // it is among those that take fastest from a seed
	SeedTurn        // a seed's slot goes round
	Gratitude       // a seed owes it from the time when it was none
	AntiLeech       // it has just begun, or is nearly done
	Hoards          // it does not pass on what this seed gave it
	Optimistic      // the optimistic unchoke
	FreeSlot        // a slot is free, nobody better wants it
	NotInterested   // it no longer wants anything
	Snubbed         // it has not answered our requests
	Outbid          // others upload more to us
	SlotUnused      // it was unchoked and took nothing
	OptimisticEnded // its turn is over, as the optimistic unchoke or in a free slot

	// Of the fast extension.
	Choked        // we choke it
	NotHad        // we do not have the piece
	QueueFull     // it has too many requests waiting
	TheyCancelled // it took the request back
	Starter       // it has hardly anything to trade yet

	// Of a seed that is not all out.
	Dealt    // nobody else was given the piece yet, or the fewest were
	NotDealt // the piece was dealt to others
	AllOut   // everything has left the seed

	// Of looking for peers.
	NeedPeers
	Periodic
	FirstAnnounce
	Finished
	WantsMore // what is complete is not any more
	Known     // an address we know and are not connected to
	Retried   // tried before, due again

	CountsUnknown // the tracker's answer did not say how many peers there are

	// Of the order of announces.
	ItsTurn       // there is a place for it among the announces under way
	SilentTracker // the tracker has not answered others
	TooMany       // there are too many already

	// Of the line of torrents.
	LineTurn // there is a place for it
	LineFull // as many run as may, and others come first
	Forced   // the user has it run whatever the bounds
	Paused   // the user pauses it
	Unpaused // the user has it go on

	// Of having shared enough.
	RatioReached // as many times as was wanted
	SeededLong   // for as long as was wanted
	IdleLong     // nobody has wanted anything for long

	// Of the DHT.
	Bootstrap
	Refresh
	CloserToTarget // the closest node to the target not yet asked
	QuestionableNode
	ToldByPeer  // a peer named its node in a PORT message
	TokenGiven  // the node gave a token and is among the closest
	Newcomer    // it asked us something: does it answer, too?
	Remembered  // a node of an earlier run
	UserAsked   // a command or caller wants exactly this
	FitsAddress // the node's id fits its address

	// Of our own address.
	Voted // enough others agree
	Moved // others still have the old one

	// Of web seeds.
	WebOne     // a connection to a web seed
	WebMore    // one more, to see whether it pays
	WebFewer   // one less: it did not pay
	WebOn      // a run goes on where the last one ended
	WebGap     // it is the longest gap
	WebSpread  // somewhere in what nobody has, so that others take other parts
	WebWhole   // the server knows no ranges, and this is near the beginning of a file
	WebHelp    // half of what a slow peer has left of a piece
	WebWait    // it failed, and is left alone for a while
	WebYield   // another torrent waits for the connection
	WebGone    // it does not have what it should
	WebRefused // we do not go where it leads

	// Of storing.
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
	Silent:             {"silent", "nothing was heard from it for too long"},
	Useless:            {"useless", "neither side has anything the other lacks"},
	NoRoom:             {"no-room", "every place is taken"},
	OthersWait:         {"others-wait", "nothing has come of it, and others wait for its place"},
	Private:            {"private", "the torrent is private: its peers come from its trackers alone"},
	MetadataKnown:      {"metadata-known", "the metadata is there"},
	Stopping:           {"stopping", "the torrent is being stopped"},
	Banned:             {"banned", "it was proven to send bad data"},
	FilesOut:           {"files-out", "the torrent's files can't be used now"},
	FilesBack:          {"files-back", "the torrent's files can be used again"},
	RandomFirst:        {"random-first", "one of the first pieces, taken at random"},
	Rarest:             {"rarest", "the rarest piece this peer has"},
	InOrder:            {"in-order", "pieces are wanted in order"},
	Started:            {"started", "a piece already begun is finished first"},
	Urgent:             {"urgent", "a reader waits for it"},
	UrgentLate:         {"urgent-late", "a reader waits for it, and who was asked is late"},
	MakesRoom:          {"makes-room", "it makes room for what a reader waits for"},
	Owed:               {"owed", "it was asked for and taken back, and that is not answered yet"},
	Unwanted:           {"unwanted", "it is not wanted any more"},
	Endgame:            {"endgame", "all missing blocks are requested, so ask one more peer"},
	Duplicated:         {"delivered", "another peer delivered it first"},
	Suspect:            {"suspect", "it failed before, so it comes whole from one peer"},
	TimedOut:           {"timed-out", "it did not answer this in time"},
	Withdrawn:          {"withdrawn", "it does not have the piece any more"},
	Allowed:            {"allowed", "it lets us have this while it chokes us"},
	Suggested:          {"suggested", "it suggested this, and hardly any is rarer"},
	NoMetadata:         {"no-metadata", "only the info-hash is known, and it has the metadata"},
	TheyHaveWhatWeLack: {"they-have-what-we-lack", "it has pieces that we lack"},
	NothingWeLack:      {"nothing-we-lack", "it has no piece that we lack"},
	PieceVerified:      {"piece-verified", "the piece is verified"},
	PieceFailed:        {"piece-failed", "the piece did not match its hash"},
	Reciprocation:      {"reciprocation", "it is among those that give us most"},
	SeedRate:           {"seed-rate", "it takes fastest from this seed"},
	SeedTurn:           {"seed-turn", "the seed's slots go round"},
	Gratitude:          {"gratitude", "we owe it from the time when we were a leecher"},
	AntiLeech:          {"anti-leech", "it has just begun, or is nearly done"},
	Hoards:             {"hoards", "it does not pass on what this seed gave it"},
	Optimistic:         {"optimistic", "the optimistic unchoke: a trial without merit"},
	FreeSlot:           {"free-slot", "a slot is free"},
	NotInterested:      {"not-interested", "it wants nothing from us"},
	Snubbed:            {"snubbed", "it has not answered our requests"},
	Outbid:             {"outbid", "others upload more to us"},
	SlotUnused:         {"slot-unused", "it makes no use of its slot, and others wait"},
	OptimisticEnded:    {"optimistic-ended", "its turn is over"},
	Choked:             {"choked", "it is choked"},
	NotHad:             {"not-had", "we do not have the piece"},
	QueueFull:          {"queue-full", "it has too many requests waiting"},
	TheyCancelled:      {"they-cancelled", "it took the request back"},
	Starter:            {"starter", "it has hardly anything to trade yet"},
	Dealt:              {"dealt", "this seed deals it to this peer: the fewest have it"},
	NotDealt:           {"not-dealt", "this seed deals it to others"},
	AllOut:             {"all-out", "everything has left this seed"},
	NeedPeers:          {"need-peers", "more peers are wanted"},
	Periodic:           {"periodic", "it is time again"},
	FirstAnnounce:      {"first-announce", "the torrent has started"},
	Finished:           {"finished", "the torrent is complete"},
	WantsMore:          {"wants-more", "more is wanted again"},
	Known:              {"known", "a known address without a connection"},
	Retried:            {"retried", "it failed before and is due again"},
	CountsUnknown:      {"counts-unknown", "its answer did not say how many peers there are"},
	ItsTurn:            {"its-turn", "there is a place for it"},
	SilentTracker:      {"silent-tracker", "the tracker has not answered others just now"},
	TooMany:            {"too-many", "too many are waiting already"},
	LineTurn:           {"line-turn", "there is a place for it in the line of torrents"},
	LineFull:           {"line-full", "as many torrents run as may, and others come first"},
	Forced:             {"forced", "the user has it run whatever the bounds"},
	Paused:             {"paused", "the user pauses it"},
	Unpaused:           {"unpaused", "the user has it go on"},
	RatioReached:       {"ratio-reached", "shared as many times as was wanted"},
	SeededLong:         {"seeded-long", "seeded for as long as was wanted"},
	IdleLong:           {"idle-long", "wanted by nobody for as long as was to be waited for"},
	Bootstrap:          {"bootstrap", "the way into the DHT"},
	Refresh:            {"refresh", "the bucket was quiet for too long"},
	CloserToTarget:     {"closer", "the closest known node not yet asked"},
	QuestionableNode:   {"questionable", "is this node still there"},
	ToldByPeer:         {"told-by-peer", "a peer named its DHT node"},
	TokenGiven:         {"token", "it is among the closest nodes and gave a token"},
	Newcomer:           {"newcomer", "it asked us: does it answer, too?"},
	Remembered:         {"remembered", "a node known from an earlier run"},
	UserAsked:          {"user-asked", "the user asked for it"},
	FitsAddress:        {"fits-address", "its id fits its address"},
	Voted:              {"voted", "enough others agree"},
	Moved:              {"moved", "our address has changed, and others still have the old one"},
	WebOne:             {"web-one", "there is something to ask a web seed for"},
	WebMore:            {"web-more", "one more connection, to see whether it pays"},
	WebFewer:           {"web-fewer", "one connection less: it did not pay"},
	WebOn:              {"web-on", "it goes on where the last run ended"},
	WebGap:             {"web-gap", "the longest gap that nobody has begun"},
	WebSpread:          {"web-spread", "somewhere in what nobody has, so that others take other parts"},
	WebWhole:           {"web-whole", "the web seed knows no ranges, and this is near the beginning of a file"},
	WebHelp:            {"web-help", "half of what is left of a piece that a peer works on"},
	WebWait:            {"web-wait", "it failed, and is left alone for a while"},
	WebYield:           {"web-yield", "another torrent waits for the connection"},
	WebGone:            {"web-gone", "it does not have the files"},
	WebRefused:         {"web-refused", "it leads to a forbidden address, or sends what we do not take"},
	BlockArrived:       {"block-arrived", "a block arrived"},
	BlocksDiffer:       {"blocks-differ", "the good copy differs from what it sent"},
	OnlySender:         {"only-sender", "it alone sent the bad piece"},
}

// String gives the short name used in JSON and golden scripts.
func (w Why) String() string {
	if w < count {
		return texts[w].name
	}
	return "unknown"
}

// Words gives the reason as a person says it.
func (w Why) Words() string {
	if w < count {
		return texts[w].words
	}
	return "unknown reason"
}
