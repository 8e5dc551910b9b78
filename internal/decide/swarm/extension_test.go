package swarm

import (
	"fmt"
	"strconv"
	"strings"

	"shoal/internal/format/wire"
	"shoal/internal/testkit"
	"shoal/internal/value/block"
	"shoal/internal/value/trace"
	"shoal/metainfo"
)

// Ids that peers announce in the scripts, "ext=all": none is like ours, so that
// whoever mistakes one for the other is not understood.
const theirAll = "d1:md11:lt_donthavei107e11:upload_onlyi108e12:ut_holepunchi109e11:ut_metadatai110e6:ut_pexi111eee"

var theirIDs = func() wire.IDs {
	var e wire.Extensions
	if err := e.Update([]byte(theirAll)); err != nil {
		panic(err)
	}
	return e.IDs
}()

// extensionWords puts an extension message of ours into words, as a peer reads it:
// by the ids it announced.
func (d *driver) extensionWords(m wire.Message) string {
	for x, id := range theirIDs {
		if id == 0 || id != m.Ext {
			continue
		}
		switch x := wire.Extension(x); x {
		case wire.UTMetadata:
			msg, err := wire.ParseMetadata(m.Body)
			if err != nil {
				d.t.Error(err)
			}
			var r trace.Record
			text := fmt.Sprintf("%s %d", metadataWords(&r, msg), msg.Piece)
			if msg.Type == wire.MetadataData {
				text += fmt.Sprintf(", %d of %d bytes", len(msg.Data), msg.Total)
			}
			return text
		case wire.UTPex:
			msg, err := wire.ParsePex(m.Body)
			if err != nil {
				d.t.Error(err)
			}
			text := "peer exchange"
			for _, p := range msg.Added {
				text += fmt.Sprintf(" +%c", p.Addr.Addr().AsSlice()[3])
				if p.Flags&wire.PexSeed != 0 {
					text += "(seed)"
				}
				if p.Flags&wire.PexConnectable != 0 {
					text += "(dialled)"
				}
			}
			for _, a := range msg.Dropped {
				text += fmt.Sprintf(" -%c", a.Addr().AsSlice()[3])
			}
			return text
		case wire.Holepunch:
			msg, err := wire.ParsePunch(m.Body)
			if err != nil {
				d.t.Error(err)
			}
			return fmt.Sprintf("%v %v, error %d", x, msg.Addr, msg.Err)
		default:
			return x.String()
		}
	}
	d.t.Errorf("it says an extended message with the id %d, which was not announced", m.Ext)
	return "extended"
}

// metadataPart is a part of a metadata as a peer sends it: "0/20000", "0/20000!" with
// something wrong.
func (d *driver) metadataPart(arg string) []byte {
	arg, wrong := strings.CutSuffix(arg, "!")
	number, size, _ := strings.Cut(arg, "/")
	n, _ := strconv.Atoi(size)
	piece := d.number(number)
	part := testkit.Pattern(n)[min(int(piece)*wire.MetadataPiece, n):min(int(piece+1)*wire.MetadataPiece, n)]
	if wrong {
		part[0] ^= 1
	}
	return wire.AppendMetadata(nil, ourID(wire.UTMetadata), wire.Metadata{Type: wire.MetadataData, Piece: piece, Total: int64(n), Data: part})
}

// known tells the swarm of a magnet link what there is: "known pieces=4 have=0-1".
func (d *driver) known(args []string) {
	pieces, have := uint32(0), ""
	for _, arg := range args {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "pieces":
			pieces = d.number(value)
		case "have":
			have = value
		}
	}
	d.geo = metainfo.Geometry{Total: int64(pieces) * block.Size, PieceLength: block.Size, Pieces: pieces}
	d.s.Known(d.now, Known{Geometry: d.geo, Have: d.pieces(have), Metadata: d.s.Metadata()})
}
