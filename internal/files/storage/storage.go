// Package storage stores the files of one torrent as one span of bytes, the span that BEP 3 cuts
// into pieces. It decides nothing about pieces: the disk package decides what is valid, and when it
// is written.
//
// The interface is Storage, of the public package storage (decision 0181). Its contract stands on it,
// and every implementation passes one suite (shoal/storage/storagetest). Files works over an FS: a
// folder of the operating system (OpenFolder), memory (NewMemFS), or a faulty twin of either in
// tests.
//
// Nothing here can leave the folder it was given. Names are opened below an os.Root one component
// at a time, on Linux by the kernel in one call (decision 0210), elsewhere with the last folders kept
// open (openPath), and a symbolic link in place of a file is
// refused. The one exception is Linked, which follows links that the user made before the torrent
// was opened. Nothing here truncates a file.
package storage

import public "shoal/storage"

// The seam is public, so that programs can keep torrents elsewhere.
type (
	Storage   = public.Storage
	Entry     = public.Entry
	FileState = public.FileState
)

// The errors of the seam.
var (
	ErrRange  = public.ErrRange
	ErrClosed = public.ErrClosed
)
