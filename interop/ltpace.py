#!/usr/bin/python3
"""libtorrent as one process whose cost is measured: between orders its interpreter waits and costs nothing.

    ltpace.py CONFIG

CONFIG is JSON, and every key may be missing:
    "listen"    "127.0.0.1:6881", TCP only
    "up, down"  limits of the session in bytes a second, which hold on the loopback too
    "torrents"  torrent files, or folders of them
    "dir"       folder of their content
    "seed"      true: the content is complete, and libtorrent need not check it
    "resume"    file of resume data in place of "torrents"

It prints a JSON object a line, with "event" and the "seconds" since "begin", the first one, which has the "version".
"up" follows when the torrents are added. Then each line on stdin is an order, answered by one line:
    create FOLDER OUT LENGTH   "created": OUT is a torrent of the folder, LENGTH bytes a piece
    connect ADDRESS            "connected": the first torrent dials that peer
    checked                    "checked" when no torrent is being checked; "complete" says whether all are
    complete                   "complete" when all torrents are
    fetch ADDRESS              checked, connect and complete in one; "complete"
    totals                     "totals", the payload that the first torrent has "uploaded" and "downloaded"
    save FILE                  "saved": FILE has the resume data of the first torrent
"""
import json
import os
import sys
import time

import libtorrent as lt

# Checking files, checking resume data, and the state before both.
CHECKING = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data, 0)


def settings(conf):
    """Nothing beside TCP, plain, and no limit but those of the test."""
    return {
        "listen_interfaces": conf.get("listen", "127.0.0.1:0"),
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "enable_incoming_utp": False, "enable_outgoing_utp": False,
        "in_enc_policy": 2, "out_enc_policy": 2,
        "allow_multiple_connections_per_ip": True,
        "connections_limit": 2000, "active_limit": -1, "active_seeds": -1, "active_tracker_limit": -1,
        "upload_rate_limit": conf.get("up", 0), "download_rate_limit": conf.get("down", 0),
        "ssrf_mitigation": False,
        "alert_mask": 0,
    }


class Client:
    def __init__(self, conf):
        self.began = time.monotonic()
        self.say("begin", version=lt.__version__)
        self.session = lt.session(settings(conf))
        # libtorrent exempts peers of the local network from limits: here every peer is one.
        everyone = lt.ip_filter()
        everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
        self.session.set_peer_class_filter(everyone)
        self.handles = [self.session.add_torrent(p) for p in self.wanted(conf)]
        self.say("up")

    def wanted(self, conf):
        """What to add, by resume data or by torrent files."""
        if "resume" in conf:
            with open(conf["resume"], "rb") as f:
                p = lt.read_resume_data(f.read())
            p.save_path = conf["dir"]
            yield p
            return
        for path in conf.get("torrents", []):
            files = [path]
            if os.path.isdir(path):
                files = [os.path.join(path, name) for name in sorted(os.listdir(path))]
            for file in files:
                p = lt.add_torrent_params()
                p.ti = lt.torrent_info(file)
                p.save_path = conf["dir"]
                p.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
                if conf.get("seed"):
                    p.flags |= lt.torrent_flags.seed_mode
                yield p

    def say(self, event, **fields):
        fields.update(event=event, seconds=time.monotonic() - self.began)
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()

    def until(self, holds):
        """Wait for something of every torrent; this costs CPU time, and only wall time is measured meanwhile."""
        while not all(holds(h.status()) for h in self.handles):
            time.sleep(0.005)

    def settle(self):
        self.until(lambda s: s.state not in CHECKING)

    def dial(self, address):
        host, port = address.rsplit(":", 1)
        self.handles[0].connect_peer((host, int(port)))

    def create(self, folder, out, length):
        fs = lt.file_storage()
        lt.add_files(fs, folder)
        t = lt.create_torrent(fs, piece_size=int(length), flags=lt.create_torrent.v1_only)
        lt.set_piece_hashes(t, os.path.dirname(folder))
        with open(out, "wb") as f:
            f.write(lt.bencode(t.generate()))
        self.say("created")

    def connect(self, address):
        self.dial(address)
        self.say("connected")

    def checked(self):
        self.settle()
        self.say("checked", complete=all(h.status().is_seeding for h in self.handles))

    def complete(self):
        self.until(lambda s: s.is_seeding)
        self.say("complete")

    def fetch(self, address):
        self.settle()
        self.dial(address)
        self.complete()

    def totals(self):
        s = self.handles[0].status()
        self.say("totals", uploaded=s.total_payload_upload, downloaded=s.total_payload_download)

    def save(self, file):
        self.handles[0].save_resume_data(lt.save_resume_flags_t.save_info_dict)
        while True:
            self.session.wait_for_alert(1000)
            for a in self.session.pop_alerts():
                if isinstance(a, lt.save_resume_data_alert):
                    with open(file, "wb") as f:
                        f.write(lt.write_resume_data_buf(a.params))
                    self.say("saved")
                    return


def main():
    client = Client(json.loads(sys.argv[1]))
    for line in sys.stdin:
        order, *args = line.split()
        getattr(client, order)(*args)
    os._exit(0)  # without waiting for trackers that may be gone


if __name__ == "__main__":
    main()
