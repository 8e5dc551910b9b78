// Package cmdline reads the command line: the values of flags, the kinds of arguments, the settings
// that stand in for flags. It prints the help and the man pages from the same flags.
package cmdline
