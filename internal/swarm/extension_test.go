package swarm

import (
	"fmt"

	"shoal/internal/trace"
	"shoal/internal/wire"
)

// Ids that peers announce in the scripts, "ext=all": none is like ours, so that
// whoever mistakes one for the other is not understood.
const theirAll = "d1:md11:lt_donthavei107e11:upload_onlyi108e12:ut_holepunchi109e11:ut_metadatai110e6:ut_pexi111eee"

var theirIDs = func() wire.IDs {
	e, err := wire.ParseExtensions([]byte(theirAll))
	if err != nil {
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
			return fmt.Sprintf("%s %d", metadataWords(&r, msg), msg.Piece)
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
