package engine

import "context"

// library holds the torrents that the next start restores.
//
//shoal:part
type library struct {
	memory *memory                     // nil without Config.Remember
	close  func(context.Context) error // closes the catalogue; nil without Config.Remember
}

func (l *library) opened(m *memory, close func(context.Context) error) { l.memory, l.close = m, close }
