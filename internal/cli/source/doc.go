// Package source finds what a user names: a .torrent file, a link, a URL, an info-hash, a torrent that
// shoal run remembers, a folder of torrents, and the files inside of a torrent.
package source
