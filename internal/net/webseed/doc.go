// Package webseed fetches runs of blocks from web seeds: HTTP and HTTPS servers that have
// a torrent's files (BEP 19), or that give its pieces (BEP 17). What is fetched, when, and
// what a failure means is decided in webplan.
//
// Servers are strangers, and so is who wrote their URLs into the torrent. An answer must be
// exactly what was asked for: status 206 with the range and the length of the file that the
// torrent has, or a whole file where a whole one was asked for; not compressed; no byte more
// is read. Redirects are followed within bounds, never from the internet into a local
// network, nor from a secure connection to one that is not. A server must bring a block in
// BlockTime.
//
// A Conn is one goroutine with one connection at a time, kept open from request to request.
// Its blocks are those of peers: buffers from the same disk.Budget, where it waits when
// there are none, and so does the server; under the same limits of rate.
// Decision 0101 says why.
package webseed
