package wire

// azureusNames are the clients whose ids begin with "-XX1234-": the list of BEP 20, and those
// seen since.
var azureusNames = map[string]string{
	Code: "shoal",

	"AG": "Ares", "A~": "Ares", "AR": "Arctic", "AV": "Avicora", "AX": "BitPump", "AZ": "Azureus",
	"BB": "BitBuddy", "BC": "BitComet", "BF": "Bitflu", "BG": "BTG", "BR": "BitRocket", "BS": "BTSlave",
	"BX": "Bittorrent X", "CD": "Enhanced CTorrent", "CT": "CTorrent", "DE": "Deluge",
	"DP": "Propagate Data Client", "EB": "EBit", "ES": "electric sheep", "FT": "FoxTorrent",
	"FW": "FrostWire", "FX": "Freebox BitTorrent", "GS": "GSTorrent", "HL": "Halite", "HN": "Hydranode",
	"KG": "KGet", "KT": "KTorrent", "LH": "LH-ABC", "LP": "Lphant", "LT": "libtorrent (Rasterbar)",
	"lt": "libTorrent (Rakshasa)", "LW": "LimeWire", "MO": "MonoTorrent", "MP": "MooPolice", "MR": "Miro",
	"MT": "MoonlightTorrent", "NX": "Net Transport", "PD": "Pando", "qB": "qBittorrent", "QD": "QQDownload",
	"QT": "Qt 4 Torrent example", "RT": "Retriever", "S~": "Shareaza alpha/beta", "SB": "Swiftbit",
	"SS": "SwarmScope", "ST": "SymTorrent", "st": "sharktorrent", "SZ": "Shareaza", "TN": "TorrentDotNET",
	"TR": "Transmission", "TS": "Torrentstorm", "TT": "TuoTu", "UL": "uLeecher!", "UT": "uTorrent",
	"UW": "uTorrent Web", "VG": "Vagaa", "WD": "WebTorrent Desktop", "WT": "BitLet", "WW": "WebTorrent",
	"WY": "FireTorrent", "XL": "Xunlei", "XT": "XanTorrent", "XX": "Xtorrent", "ZT": "ZipTorrent",

	"BI": "BiglyBT", "BT": "BitTorrent", "FD": "Free Download Manager", "FG": "FlashGet", "FL": "Flud",
	"GT": "anacrolix/torrent", "MG": "MediaGet", "PI": "PicoTorrent", "rQ": "rqbit", "SD": "Xunlei",
	"TL": "Tribler", "UM": "uTorrent Mac",
}

// shadowNames are the clients with a one-letter code.
var shadowNames = map[byte]string{
	'A': "ABC", 'O': "Osprey Permaseed", 'Q': "BTQueue", 'R': "Tribler", 'S': "Shadow's",
	'T': "BitTornado", 'U': "UPnP NAT Bit Torrent",
}
