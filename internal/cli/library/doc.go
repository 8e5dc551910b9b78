// Package library has the commands for torrents and their files at rest: create, show, verify, move,
// rename, list and forget.
package library
