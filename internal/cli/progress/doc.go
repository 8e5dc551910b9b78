// Package progress shows how torrents get on: as an area of the terminal that is redrawn, as lines, or
// as events for programs.
package progress
