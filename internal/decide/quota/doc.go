// Package quota decides what an engine grants its torrents, a file each:
//
//   - conns.go: which torrents may have one more connection (Conns);
//   - queue.go: which torrents run and which wait (Queue), from what each of them wants (want.go);
//   - seeding.go: when a torrent has seeded enough (Seeding);
//   - schedule.go: when the alternative limits apply (Schedule).
//
// Rates are granted elsewhere: internal/decide/rate shares out bytes. No BEP covers any of this
// (decision 0197).
package quota
