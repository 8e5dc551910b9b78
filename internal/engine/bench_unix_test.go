//go:build unix

package engine

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// benchContent is a torrent of one file whose pieces are all alike, so that
// making it costs nothing.
func benchContent(b *testing.B, size, pieceLength int64) (*metainfo.Torrent, []byte) {
	b.Helper()
	piece := make([]byte, pieceLength)
	for i := range piece {
		piece[i] = byte(i * i >> 7)
	}
	draft, err := metainfo.NewDraft("bench.bin", []metainfo.NewFile{{Length: size}}, pieceLength)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha1.Sum(piece)
	var hashes []byte
	for range size / pieceLength {
		hashes = append(hashes, sum[:]...)
	}
	info, err := draft.Info(hashes)
	if err != nil {
		b.Fatal(err)
	}
	return &metainfo.Torrent{Info: info, InfoHash: info.Hash}, piece
}

// serve is the leanest seed: it answers every request from memory.
func serve(b *testing.B, nc net.Conn, meta *metainfo.Torrent, piece []byte) {
	var id [20]byte
	copy(id[:], "-XX0001-bench-seeder")
	if _, err := peerconn.Dial(nc, wire.Handshake{InfoHash: meta.InfoHash, PeerID: id}); err != nil {
		b.Error(err)
		return
	}
	all := bitfield.New(meta.Info.NumPieces())
	all.SetAll()
	nc.Write(wire.AppendSimple(wire.AppendBitfield(nil, all), wire.Unchoke))
	r := bufio.NewReaderSize(nc, 64<<10)
	var headers [64 * wire.PieceHeader]byte
	var bufs net.Buffers
	var head [17]byte
	for {
		hs := headers[:0]
		bufs = bufs[:0]
		for len(bufs) < 128 {
			if len(bufs) > 0 && r.Buffered() < 17 {
				break
			}
			if _, err := io.ReadFull(r, head[:4]); err != nil {
				return
			}
			n := binary.BigEndian.Uint32(head[:])
			if n != 13 {
				io.CopyN(io.Discard, r, int64(n))
				continue
			}
			if _, err := io.ReadFull(r, head[4:]); err != nil {
				return
			}
			ref := block.Ref{
				Piece: binary.BigEndian.Uint32(head[5:]), Begin: binary.BigEndian.Uint32(head[9:]),
				Length: binary.BigEndian.Uint32(head[13:]),
			}
			if wire.ID(head[4]) != wire.Request {
				continue
			}
			at := len(hs)
			hs = wire.AppendPieceHeader(hs, ref)
			bufs = append(bufs, hs[at:], piece[ref.Begin:ref.Begin+ref.Length])
		}
		out := bufs
		if _, err := out.WriteTo(nc); err != nil {
			return
		}
	}
}

// BenchmarkDownload fetches 256 MiB from the leanest seed over a real socket
// into real files. CPU is of both sides.
func BenchmarkDownload(b *testing.B) {
	const size, pieceLength = 256 << 20, 1 << 20
	meta, piece := benchContent(b, size, pieceLength)
	b.SetBytes(size)
	b.ReportAllocs()
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for b.Loop() {
		dir := b.TempDir()
		e := loopback(b, Config{})
		t := add(b, e, Spec{Meta: meta, Dir: dir})
		if err := t.Checked(b.Context()); err != nil {
			b.Fatal(err)
		}
		nc, err := netio.New(netio.Policy{LoopbackOnly: true}).Dial(b.Context(), e.Addr())
		if err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { serve(b, nc, meta, piece) })
		wait(b, t)
		nc.Close()
		wg.Wait()
		e.Close(b.Context())
		b.StopTimer()
		os.Remove(filepath.Join(dir, "bench.bin"))
		b.StartTimer()
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(cpu.Seconds()/float64(b.N)/(size/float64(1<<30)), "cpu-s/GiB")
}

// BenchmarkRestore10000 tells how long it takes until ten thousand torrents of an earlier
// run are back: on the list, and then all looked at and open to peers. BenchmarkRestore100
// is the same for a hundred.
func BenchmarkRestore10000(b *testing.B) { benchmarkRestore(b, 10_000) }
func BenchmarkRestore100(b *testing.B)   { benchmarkRestore(b, 100) }

func benchmarkRestore(b *testing.B, n int) {
	dir, state := b.TempDir(), b.TempDir()
	cfg := Config{StateDir: state, Remember: true}
	e := loopback(b, cfg)
	for i := range n {
		c := makeContent(b, fmt.Sprintf("restored %d", i), 16<<10, 16<<10)
		c.write(b, dir)
		if _, err := e.Add(Spec{Meta: c.meta, Dir: dir}); err != nil {
			b.Fatal(err)
		}
	}
	for _, t := range e.Torrents() {
		if err := t.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	var listed, up, closed, busy time.Duration
	for b.Loop() {
		start, before := time.Now(), cpu()
		e := loopback(b, cfg)
		if got := len(e.Torrents()); got != n {
			b.Fatalf("%d torrents are back", got)
		}
		listed += time.Since(start)
		for _, t := range e.Torrents() {
			if err := t.Checked(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		up += time.Since(start)
		busy += cpu() - before
		for _, t := range e.Torrents() {
			if s := t.Stats(); s.State != Seeding || s.Hashed != 0 {
				b.Fatalf("%+v", s)
			}
		}
		start = time.Now()
		if err := e.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		closed += time.Since(start)
	}
	b.ReportMetric(listed.Seconds()/float64(b.N), "s-listed")
	b.ReportMetric(up.Seconds()/float64(b.N), "s-up")
	b.ReportMetric(busy.Seconds()/float64(b.N), "cpu-s-up")
	b.ReportMetric(closed.Seconds()/float64(b.N), "s-closed")
}

// cpu gives the CPU time of the process.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
