// Package shoal is a BitTorrent engine: it gets and shares files without a
// central server. An Engine serves many torrents behind one port; a Torrent is
// added, waited for, watched and stopped.
//
//	engine, err := shoal.New(shoal.Config{Listen: netip.MustParseAddrPort("0.0.0.0:6881")})
//	if err != nil { … }
//	defer engine.Close(ctx)
//	t, err := engine.Add(shoal.AddOptions{Metainfo: torrentFile, Dir: "downloads"})
//	if err != nil { … }
//	err = t.Wait(ctx) // every file complete, verified and durable
//
// With Config.StateDir a start checks only what is in doubt; with Config.Remember the
// torrents themselves are there again at the next start.
//
// Everything that happens can be watched without a lock that the engine holds
// while it works: Stats is an immutable snapshot, Events a sequence.
package shoal
