// Package webseed fetches runs of blocks from web seeds: HTTP and HTTPS servers with a torrent's
// files (BEP 19), or with its pieces (BEP 17). Package webplan decides what to fetch, when, and
// what a failure means.
//
// Servers are strangers, and so are the authors of the URLs in torrents. An answer must match the
// request: status 206 with the range and the file length of the torrent, or a whole file where we
// asked for one; not compressed; we read no byte more. We follow redirects within bounds, never
// from the internet into a local network. A server must deliver a block within BlockTime.
//
// A Conn is one goroutine with one connection at a time, kept open between requests. Its blocks are
// like those of peers: under the same rate limits, in buffers from the same disk.Budget; while it
// waits for one, so does the server. Decisions 0100 and 0101 have the reasons.
package webseed
