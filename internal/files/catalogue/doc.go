// Package catalogue keeps what an engine knows of its torrents between runs: for
// each the metainfo as it came, where its files are, what was chosen for it, how
// much was shared; their order; and a few settings. Which pieces are there is the
// business of package resume.
//
// The folder holds
//
//	<info-hash>.entry    metainfo and choices of a torrent; written when it is added and
//	                     when a choice changes
//	list, list.copy      order, totals, which are stopped, settings; small, so that totals of
//	                     thousands of torrents cost one write
//	*.new                a version that was being written at a stop; removed at the next start
//	*.damaged            what was set aside, for a person to look at; never read, never removed
//
// Every file is replaced as a whole: a new file is written and synced and gets the
// name of the old one; the folder is synced once for all that a [Catalogue.Flush]
// brings. So after any stop there is the old version of each file, or the new one.
//
// Every file ends with a sum that finds a byte that changed, and puts it right. Of
// what is damaged more, everything is kept that checks: the metainfo is known by its
// info-hash, choices and rows of the list have sums of their own, and of the list there are
// two. A damaged file is set aside under another name and told as a [Problem]; it
// harms no other torrent.
//
// Fields and flags that are not known here, of a newer version, are kept and written
// again. A file in a newer form is left alone.
//
// A Catalogue may be used from several goroutines: one mutex, held while it writes.
// It has no goroutine of its own and keeps about a hundred bytes of each torrent; the
// metainfo is handed out by [Open] and not kept. Nothing is durable before Flush.
// Decision 0061 says why.
package catalogue
