package metainfo

// rewriteAll says that names are made safe whatever the file system takes: Windows gives a
// meaning to characters, endings and whole names before any file system sees them.
const rewriteAll = true
