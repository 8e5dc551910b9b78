package metainfo

// rewriteAll says that all names are made safe, whatever the file system takes: Windows
// interprets characters, endings and whole names before any file system sees them.
const rewriteAll = true
