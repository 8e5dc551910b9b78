package wire

import "testing"

func id(s string) (id [20]byte) {
	copy(id[:], s)
	return id
}

// The styles of BEP 20, with the examples it gives, and clients met since.
func TestClientName(t *testing.T) {
	for _, c := range []struct{ id, want string }{
		{"-AZ2060-", "Azureus 2.0.6"},
		{"-LT0D90-", "libtorrent (Rasterbar) 0.13.9"},
		{"-TR401Z-", "Transmission 4.0.1"},
		{"-BC0171-", "BitComet 0.1.7.1"},
		{"-FG0180abc", "FlashGet 0.1.8"},
		{"-SO0123-", "shoal 0.1.2.3"},
		{"-GT0003-", "anacrolix/torrent 0.0.0.3"},
		{"-AZ2060x", "unknown client"},
		{"-AZ2\x1b60-", "Azureus"},
		{"-\x1b[2060-", "unknown client"},
		{"-QQ2060-", "unknown client"},
		{"M4-3-6--", "Mainline 4.3.6"},
		{"M4-20-8-", "Mainline 4.20.8"},
		{"M4-20-\x008-", "unknown client"},
		{"M4", "unknown client"},
		{"Q1-10-0-", "Queen Bee 1.10.0"},
		{"A2-1-36-0-abcdefghij", "aria2 1.36.0"},
		{"T03I--------", "BitTornado 0.3.18"},
		{"T-----------", "unknown client"},
		{"S\x1b[0m--------", "unknown client"},
		{"exbc\x00\x38", "BitComet 0.56"},
		{"exbc\xff\xffLORD", "BitLord 255.55"},
		{"FUTB\x01\x00", "BitComet 1.00"},
		{"XBT054--", "XBT 0.5.4"},
		{"XBTxyz--", "unknown client"},
		{"OP7685abcdef01234567", "Opera build 7685"},
		{"OP7685ABCDEF01234567", "unknown client"},
		{"-ML2.7.2-kgjjfkd", "MLDonkey 2.7.2"},
		{"-ML2\x1b.2-", "MLDonkey"},
		{"-BOWA0C-ABCDEFGHIJKL", "Bits on Wheels"},
		{"AZ2500BT", "BitTyrant 1.1"},
		{"346------", "TorrenTopia 1.90"},
		{"\x00\x03BS", "BitSpirit 3"},
		{"06RS", "Rufus 0.6"},
		{"-G3nickname", "G3 Torrent"},
		{"TIX0285-", "Tixati 2.85"},
		{"", "unknown client"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "unknown client"},
	} {
		if got := ClientName(id(c.id)); got != c.want {
			t.Errorf("%q: %q, want %q", c.id, got, c.want)
		}
	}
}

// Trackers let in clients by the peer id and the user agent: both have the numbers of the
// release, whatever the build.
func TestUserAgent(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "shoal/0.1.0", "1.2.3": "shoal/1.2.3", "v1.2.3-7-gabc-dirty": "shoal/1.2.3", "1.2.3\r\nX: y": "shoal/1.2.3",
		"v0.12.40": "shoal/0.12.40", "v2": "shoal/2.0.0", "": "shoal/0.0.0", "(devel)": "shoal/0.0.0", "v1.900.3": "shoal/1.61.3",
	} {
		if got := UserAgent(version); got != want {
			t.Errorf("%q: %s, want %s", version, got, want)
		}
	}
}

func TestPeerIDPrefix(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "-SO0100-", "1.2.3": "-SO1230-", "v1.2.3-7-gabc-dirty": "-SO1230-", "v0.12.40": "-SO0Ce0-",
		"v2": "-SO2000-", "v1.900.3": "-SO1z30-", "v1.99999999999999999999.3": "-SO1z30-",
		"": "-SO0000-", "unknown": "-SO0000-", "(devel)": "-SO0000-", "v-1.2": "-SO0000-",
	} {
		if got := PeerIDPrefix(version); got != want {
			t.Errorf("%q: %s, want %s", version, got, want)
		}
	}
	if got := ClientName(id(PeerIDPrefix("v0.12.3"))); got != "shoal 0.12.3" {
		t.Errorf("our own id reads as %q", got)
	}
	if _, taken := azureusNames["SO"]; !taken || len(Code) != 2 {
		t.Error("our code is not in the list")
	}
}
