package trackerclient

// session is a part.
//
//shoal:part
type session struct {
	open  bool
	tries map[string]int
	order []string
}

func (s *session) opened() { s.open = true }

// client has two.
type client struct {
	session session
	session2
}

// session2 is embedded.
//
//shoal:part
type session2 struct{ count int }
