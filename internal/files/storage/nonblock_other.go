//go:build !unix

package storage

const nonblock = 0
