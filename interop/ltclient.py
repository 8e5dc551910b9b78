#!/usr/bin/python3
"""A small client around libtorrent, for the tests of this folder.

    ltclient.py create FOLDER OUT PIECE_LENGTH [NODE]   make a torrent, print its info-hash
    ltclient.py run CONFIG                              run sessions until stdin ends

CONFIG is JSON: {"sessions": [{
    "listen": "127.0.0.1:6881",        TCP and UDP
    "dht": false,                      take part in the DHT
    "lsd": false,                      look for peers on the local network
    "dht_nodes": ["127.0.0.1:6882"],   its way in
    "torrents": [{"torrent": FILE or magnet link, "dir": FOLDER, "peers": ["127.0.0.1:6883"], "upload_limit": BYTES_PER_SECOND}]
}]}

It prints one JSON object a line, each with "event" and "session" (an index):
"listening" once the session accepts; "complete" with "uploaded" and
"downloaded" when every torrent of the session is complete, be it found or
fetched; "announced" when somebody announced a torrent to this DHT node;
"views" on request, with what it sees of its "peers": parts per million, and
whether it is a seed;
"replied" when a tracker answered, with the number of its "peers"; "stats" on request, with the DHT "nodes" it
knows and the peers it has "stored"; "error". A line "stats" on stdin asks for the totals of
each session, "views" for its peers, "announce" makes every torrent announce to the DHT now.
"""
import json
import os
import select
import sys

import libtorrent as lt


def say(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def split(addr):
    host, port = addr.rsplit(":", 1)
    return host.strip("[]"), int(port)


def settings(conf):
    """Loopback only, nothing found but what the test arranges."""
    a = lt.alert.category_t
    return {
        "listen_interfaces": conf["listen"],
        "enable_dht": conf.get("dht", False),
        "dht_bootstrap_nodes": "",
        "enable_lsd": conf.get("lsd", False), "enable_upnp": False, "enable_natpmp": False,
        "enable_incoming_utp": False, "enable_outgoing_utp": False,
        "in_enc_policy": 2, "out_enc_policy": 2,  # plain connections only
        "allow_multiple_connections_per_ip": True,
        "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
        "dht_ignore_dark_internet": False, "dht_enforce_node_id": False, "dht_prefer_verified_node_ids": False,
        "dht_block_ratelimit": 1000, "dht_upload_rate_limit": 1 << 20,
        "ssrf_mitigation": False, "validate_https_trackers": True,
        "min_reconnect_time": 1, "min_announce_interval": 1,
        "active_limit": 100, "active_seeds": 100, "active_downloads": 100, "active_dht_limit": 100,
        "alert_mask": a.error_notification | a.status_notification | a.storage_notification
        | a.dht_notification | a.tracker_notification,
    }


class Session:
    def __init__(self, index, conf):
        self.index = index
        self.said_complete = False
        self.ses = lt.session(settings(conf))
        self.nodes = [split(n) for n in conf.get("dht_nodes", [])]
        for node in self.nodes:
            self.ses.add_dht_node(node)
        self.handles = []
        for t in conf.get("torrents", []):
            if t["torrent"].startswith("magnet:"):
                p = lt.parse_magnet_uri(t["torrent"])
            else:
                p = lt.add_torrent_params()
                p.ti = lt.torrent_info(t["torrent"])
            p.save_path = t["dir"]
            p.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
            h = self.ses.add_torrent(p)
            if t.get("upload_limit"):
                h.set_upload_limit(t["upload_limit"])
            for peer in t.get("peers", []):
                h.connect_peer(split(peer))
            self.handles.append(h)

    def say(self, event, **fields):
        say(event=event, session=self.index, **fields)

    def totals(self):
        st = [h.status() for h in self.handles]
        return {"uploaded": sum(s.total_payload_upload for s in st),
                "downloaded": sum(s.total_payload_download for s in st),
                "failed": sum(s.total_failed_bytes for s in st),
                "peers": sum(s.num_peers for s in st)}

    def views(self):
        """What this session sees of each peer: how much of the torrent it has, and whether it is a seed."""
        return {"%s:%d" % p.ip: [p.progress_ppm, bool(p.flags & lt.peer_info.seed)]
                for h in self.handles for p in h.get_peer_info()}

    def turn(self):
        for a in self.ses.pop_alerts():
            if isinstance(a, lt.listen_succeeded_alert):
                self.say("listening", address="%s:%d" % (a.address, a.port), kind=str(a.socket_type))
            elif isinstance(a, (lt.listen_failed_alert, lt.torrent_error_alert, lt.file_error_alert)):
                self.say("error", text=a.message())
            elif isinstance(a, lt.session_stats_alert):
                self.say("stats", nodes=a.values["dht.dht_nodes"], stored=a.values["dht.dht_peers"], **self.totals())
            elif isinstance(a, lt.dht_announce_alert):
                ip = str(a.ip)
                self.say("announced", by=("[%s]:%d" if ":" in ip else "%s:%d") % (ip, a.port))
            elif isinstance(a, (lt.tracker_error_alert, lt.tracker_warning_alert)):
                self.say("tracker", text=a.message())
            elif isinstance(a, lt.tracker_reply_alert):
                self.say("replied", peers=a.num_peers)
        if self.handles and not self.said_complete and all(h.status().is_seeding for h in self.handles):
            self.said_complete = True
            self.say("complete", **self.totals())


def run(conf):
    sessions = [Session(i, c) for i, c in enumerate(conf["sessions"])]
    for s in sessions:  # those that knew nobody yet meet the first ones
        for node in s.nodes:
            s.ses.add_dht_node(node)
    while True:
        for s in sessions:
            s.turn()
        if select.select([sys.stdin], [], [], 0.05)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            for s in sessions:
                if line.strip() == "views":
                    s.say("views", peers=s.views())
                elif line.strip() == "stats":
                    s.ses.post_session_stats()  # answered by an alert
                elif line.strip() == "announce":
                    for h in s.handles:
                        h.force_dht_announce()
    # Leave without waiting for trackers that may be gone.
    sys.stdout.flush()
    os._exit(0)


def create(folder, out, piece_length, node=None):
    fs = lt.file_storage()
    lt.add_files(fs, folder)
    t = lt.create_torrent(fs, piece_size=int(piece_length), flags=lt.create_torrent.v1_only)
    t.set_creator("")
    if node:
        t.add_node(*split(node))
    lt.set_piece_hashes(t, os.path.dirname(os.path.abspath(folder)))
    with open(out, "wb") as f:
        f.write(lt.bencode(t.generate()))
    print(lt.torrent_info(out).info_hash())


if __name__ == "__main__":
    if sys.argv[1] == "create":
        create(*sys.argv[2:])
    else:
        run(json.loads(sys.argv[2]))
