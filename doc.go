// Package shoal is a BitTorrent engine. An [Engine] runs many torrents behind one port; a
// [Torrent] downloads files from peers and shares them.
//
//	engine, err := shoal.New(shoal.Config{})
//	if err != nil { … }
//	defer engine.Close(ctx)
//	t, err := engine.AddFile("debian.torrent", shoal.AddOptions{Dir: "downloads"})
//	if err != nil { … }
//	err = t.Wait(ctx) // every file is complete, verified and durable
//
// With [Config].StateDir a start checks only what is in doubt; with [Config].Remember the
// torrents themselves come back. [Stats] are immutable snapshots, and neither they nor events
// make the engine wait.
//
// Lengths and sizes are in bytes, rates in bytes a second. An info-hash is a string of 40 hex
// digits. Text from strangers (names, comments, messages of trackers) is printable: characters
// that a terminal would act on are escaped.
//
// # Tasks
//
// Each of these has an example.
//
//   - start an engine: [New]
//   - add a torrent: [Engine.AddFile], [Engine.Add]
//   - add a magnet link: [Engine.AddMagnet]
//   - wait for its metadata: [Torrent.WaitMetadata]
//   - find a torrent by its info-hash: [Engine.Torrent]
//   - wait until it is complete: [Torrent.Wait]
//   - show progress: [Torrent.Progress]
//   - learn what happens: [Torrent.Events]
//   - list and choose files: [Torrent.Files], [Torrent.SetPriority], [Torrent.SetPriorities]
//   - read a file while it downloads: [Torrent.Open], [Torrent.FS]
//   - read ahead: [Reader.SetReadAhead]
//   - download in order: [Torrent.SetSequential]
//   - pause: [Torrent.Pause]
//   - end it, and keep it on the list: [Torrent.Stop]
//   - take it off the list, and delete its files: [Torrent.Remove]
//   - move files: [Torrent.Move]
//   - rename files: [Torrent.Rename]
//   - change the queue: [Torrent.SetQueuePosition]
//   - check files again: [Torrent.Verify], without an engine [Verify]
//   - limit rates: [Engine.SetLimits], [Engine.SetAltLimits]
//   - go on after a restart: [Engine.Remembered]
//   - list peers: [Torrent.Peers]
//   - add peers: [Torrent.AddPeers]
//   - add trackers and web seeds: [Torrent.AddTracker], [Torrent.AddWebSeed]
//   - announce now: [Torrent.Announce]
//   - create a torrent: [Create]
//   - keep the bytes elsewhere than in files: [AddOptions].Storage, package shoal/storage
package shoal
