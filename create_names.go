package shoal

import (
	"strings"
	"unicode/utf8"

	"shoal/metainfo"
)

// This file decides which names Create leaves out. It reads no folder: create_find.go does.

// junk are files and folders that systems make for themselves beside those of the user. In
// lower case, since Windows writes some in several forms.
var junk = map[string]bool{
	// macOS
	".ds_store": true, ".spotlight-v100": true, ".trashes": true, ".fseventsd": true, ".temporaryitems": true,
	".documentrevisions-v100": true, ".apdisk": true, ".localized": true, "icon\r": true, "__macosx": true,
	// Windows
	"thumbs.db": true, "ehthumbs.db": true, "ehthumbs_vista.db": true, "desktop.ini": true, "$recycle.bin": true,
	"system volume information": true, "recycler": true,
	// Linux desktops, file systems, and network storage
	".directory": true, "lost+found": true, "@eadir": true, "#recycle": true, "@recycle": true,
}

// isJunk reports whether a file or folder is one that a system makes for itself.
func isJunk(name string) bool {
	return junk[strings.ToLower(name)] ||
		strings.HasPrefix(name, "._") || // macOS: what the file system has no room for
		strings.HasPrefix(name, ".Trash-") || // Linux: removed files of a user
		strings.HasPrefix(name, ".nfs") && len(name) > len(".nfs00000000") // removed, and still open
}

// ownFile reports whether a file is one that shoal makes while it downloads or moves.
func ownFile(name string) bool {
	return strings.HasSuffix(name, ".shoal-part") || strings.HasSuffix(name, ".shoal-new")
}

// incomplete reports whether a program's ending says that a file is not complete.
func incomplete(name string) bool {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return false
	}
	switch strings.ToLower(name[i:]) {
	case ".part", ".partial", ".!qb", ".!ut", ".!bt", ".!sync", ".bc!", ".aria2", ".crdownload", ".download", ".opdownload":
		return true
	}
	return false
}

// portability says which names other systems can't take as they are. Everybody who gets the
// torrent there has other names than are here (decision 0130).
func portability(name string, files []metainfo.NewFile) (warnings []string) {
	var windows, decomposed, twins, bytes left
	reason := ""
	look := func(elem, path string) {
		if why := metainfo.WindowsRefuses(elem); why != "" {
			if windows.count == 0 {
				reason = why
			}
			windows.add(path)
		}
		if metainfo.Decomposed(elem) {
			decomposed.add(path)
		}
		if !utf8.ValidString(elem) {
			bytes.add(path)
		}
	}
	look(name, name)
	seen := map[string]string{} // by what file systems take for one; files and folders
	for _, f := range files {
		for i := range f.Path {
			path := strings.Join(f.Path[:i+1], "/")
			key := metainfo.PathKey(path)
			first, known := seen[key]
			if known && first == path {
				continue
			}
			if !known {
				seen[key] = path
			} else if i == len(f.Path)-1 || !strings.HasPrefix(first, path) {
				twins.add(first + " and " + path)
			}
			look(f.Path[i], path)
		}
	}
	if windows.count > 0 {
		warnings = append(warnings, "Windows can't have these names, and gets others: "+windows.String()+" (the first has "+reason+")")
	}
	if twins.count > 0 {
		warnings = append(warnings, "Windows and macOS take these for one name, and get another for the second: "+twins.String())
	}
	if decomposed.count > 0 {
		warnings = append(warnings, "names with accents as macOS writes them, which look the same elsewhere and are others: "+decomposed.String())
	}
	if bytes.count > 0 {
		warnings = append(warnings, "names that are not UTF-8, which other clients read in their own way: "+bytes.String())
	}
	return warnings
}
