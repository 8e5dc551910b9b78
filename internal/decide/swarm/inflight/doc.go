// Package inflight decides how many requests may be on their way, so that each peer is kept busy
// and no block arrives for nothing. A Window does so for one peer (window.go). A Spread decides,
// under a download limit, from how many peers a torrent requests at once (spread.go).
package inflight
