// Package catalogue keeps what an engine knows about its torrents between runs: for each the
// metainfo as it came, the folder of its files, its choices, and how much was shared; their order;
// and a few settings. Package resume keeps which pieces we have.
//
// The folder holds
//
//	<info-hash>.entry    metainfo and choices of a torrent; written when it is added and
//	                     when a choice changes. A magnet without metadata has its link
//	                     instead of the metainfo (decision 0191)
//	list, list.copy      order, totals, which are stopped, settings; small, so that totals of
//	                     thousands of torrents cost one write
//	*.new                a version that was being written at a stop; removed at the next start
//	*.damaged            what was set aside, for a person to look at; never read, never removed
//
// Every file is replaced whole: a new file is written and synced and renamed over the old one; the
// folder is synced once for everything in one [Catalogue.Flush]. So after any stop each file has
// its old version or its new one.
//
// Every file ends with a sum that finds and corrects one changed byte. Of a file with more damage,
// we keep every part that checks: the info-hash verifies the metainfo, choices and rows of the list
// have sums of their own, and there are two lists. A damaged file is set aside under another name
// and reported as a [Problem]; it harms no other torrent.
//
// Unknown fields and flags, of a newer version, are kept and written again. A file in a newer form
// is left alone.
//
// A Catalogue is safe for concurrent use: it has one mutex, held also during writes. It has no
// goroutine of its own and keeps about a hundred bytes per torrent; [Open] returns the metainfo and
// does not keep it. Nothing is durable before Flush. Decision 0061 has the reasons.
package catalogue
