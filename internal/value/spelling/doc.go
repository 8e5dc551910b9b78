// Package spelling knows how other clients write the names of a torrent's files on disk. They
// replace or drop characters that some system refuses, cut long names, append a suffix while
// a file is incomplete, and decode bytes that are not UTF-8 from one old character set or
// another. Names on disk are compared by their [Key], which is the same for all of these
// forms; hashes decide what a file holds.
//
// Nothing here makes a path: a match is always a name that the caller found on disk.
package spelling
