package engine

import "context"

// library is the torrents that come back at the next start.
//
//shoal:part
type library struct {
	memory *memory                     // nil: nothing is remembered
	close  func(context.Context) error // nil: nothing is remembered
}

func (l *library) opened(m *memory, close func(context.Context) error) { l.memory, l.close = m, close }
