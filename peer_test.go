package shoal_test

import (
	"slices"
	"testing"
	"time"

	"shoal"
)

// Both ends of a connection tell of each other: who dialled, who named whom, and what each wants.
func TestPeers(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := album(t)
	seeder, leecher := removeEngine(t, "", false), removeEngine(t, "", false)
	seed, err := seeder.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := leecher.Add(shoal.AddOptions{
		Metainfo: metainfo, Dir: t.TempDir(), Limits: shoal.Limits{Down: 32 << 10}, // so that it is not over at once
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.WaitChecked(ctx); err != nil {
		t.Fatal(err)
	}
	if all := got.Peers(); len(all) != 0 {
		t.Errorf("before the first: %+v", all)
	}
	events, before := got.Events(ctx), time.Now()
	got.AddPeers(seeder.Addr())
	for e := range events {
		if e.Kind == shoal.EventPieceVerified {
			break
		}
	}
	if len(got.Peers()) != 1 {
		t.Fatalf("%+v", got.Peers())
	}
	one := got.Peers()[0]
	if one.Downloaded == 0 || one.Addr != seeder.Addr() || one.Incoming || !slices.Equal(one.Sources, []shoal.PeerSource{shoal.PeerFromUser}) ||
		one.Choking || !one.Interesting || one.Interested || one.Progress != 1 || one.Client == "" ||
		one.Connected.Before(before.Add(-time.Minute)) || one.LastHeard.Before(one.Connected) {
		t.Errorf("the seed: %+v", one)
	}
	all := seed.Peers()
	if len(all) != 1 || !all[0].Incoming || !all[0].Interested || all[0].Choked || all[0].Reason == "" {
		t.Errorf("the leecher: %+v", all)
	}
	if !slices.Contains(all[0].Sources, shoal.PeerFromIncoming) {
		t.Errorf("the leecher came by %v", all[0].Sources)
	}
	got.Stop(ctx)
	if all := got.Peers(); len(all) != 0 {
		t.Errorf("after the end: %+v", all)
	}
}
