module broken

go 1.26

require golang.org/x/sys v0.1.0 // want decided: golang.org/x/sys

require (
	example.com/decided v1.0.0
	example.com/undecided v1.0.0 // want decided: example.com/undecided
	example.com/carried v1.0.0 // indirect
)
