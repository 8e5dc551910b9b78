package engine

import "context"

// library holds the torrents that the next start restores.
//
//shoal:part
type library struct {
	librarian *librarian                  // nil without Config.Remember
	close     func(context.Context) error // closes the catalogue; nil without Config.Remember
}

func (l *library) opened(m *librarian, close func(context.Context) error) {
	l.librarian, l.close = m, close
}
