// Package spelling knows how other clients write the names of a torrent's files on disk. They
// replace or drop characters that some system refuses, cut long names, append a suffix while
// a file is incomplete, and read bytes that are not UTF-8 in one old character set or
// another. A name on disk is compared by its [Key], which is the same for all of these forms;
// what the file holds is for the hashes to decide.
//
// Nothing here makes a path: a match is always a name that was given as lying on disk.
package spelling
