//go:build !windows

package metainfo

// rewriteAll says that all names are made safe, whatever the file system takes.
const rewriteAll = false
