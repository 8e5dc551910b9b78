package transfer

import (
	"path"
	"strings"
)

// mediaType says what a file is to a player, by its name. The table is our own: that of the
// machine differs from one to the next, lacks much of this, and can be changed by any
// program that is installed. What is not in it is not looked into either, since that would
// wait for its first piece.
func mediaType(name string) string {
	if t, ok := mediaTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

var mediaTypes = map[string]string{
	// video
	".mkv": "video/x-matroska", ".mk3d": "video/x-matroska", ".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm",
	".mov": "video/quicktime", ".qt": "video/quicktime", ".avi": "video/x-msvideo", ".wmv": "video/x-ms-wmv", ".asf": "video/x-ms-asf",
	".flv": "video/x-flv", ".f4v": "video/mp4", ".mpg": "video/mpeg", ".mpeg": "video/mpeg", ".mpe": "video/mpeg", ".m1v": "video/mpeg",
	".m2v": "video/mpeg", ".vob": "video/mpeg", ".ts": "video/mp2t", ".m2ts": "video/mp2t", ".mts": "video/mp2t", ".ogv": "video/ogg",
	".ogm": "video/ogg", ".3gp": "video/3gpp", ".3g2": "video/3gpp2", ".divx": "video/x-msvideo", ".rmvb": "application/vnd.rn-realmedia-vbr",
	".rm": "application/vnd.rn-realmedia", ".mxf": "application/mxf", ".hevc": "video/H265", ".h264": "video/H264",
	// sound
	".mp3": "audio/mpeg", ".mp2": "audio/mpeg", ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".aac": "audio/aac", ".flac": "audio/flac",
	".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".spx": "audio/ogg", ".wav": "audio/wav", ".wma": "audio/x-ms-wma",
	".aif": "audio/aiff", ".aiff": "audio/aiff", ".aifc": "audio/aiff", ".alac": "audio/mp4", ".ape": "audio/x-ape", ".wv": "audio/x-wavpack",
	".mka": "audio/x-matroska", ".ac3": "audio/ac3", ".eac3": "audio/eac3", ".dts": "audio/vnd.dts", ".mid": "audio/midi", ".midi": "audio/midi",
	".amr": "audio/amr", ".weba": "audio/webm", ".caf": "audio/x-caf", ".dsf": "audio/x-dsf", ".mpc": "audio/x-musepack", ".tta": "audio/x-tta",
	// what belongs to these
	".srt": "application/x-subrip", ".vtt": "text/vtt; charset=utf-8", ".ass": "text/x-ssa; charset=utf-8", ".ssa": "text/x-ssa; charset=utf-8",
	".sub": "text/plain; charset=utf-8", ".idx": "text/plain; charset=utf-8", ".smi": "application/smil+xml", ".ttml": "application/ttml+xml",
	".m3u8": "application/vnd.apple.mpegurl", ".m3u": "audio/x-mpegurl", ".pls": "audio/x-scpls", ".xspf": "application/xspf+xml",
	".mpd": "application/dash+xml", ".m4s": "video/iso.segment", ".cue": "application/x-cue", ".lrc": "text/plain; charset=utf-8",
	// pictures
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg", ".png": "image/png", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heif", ".bmp": "image/bmp", ".tif": "image/tiff",
	".tiff": "image/tiff", ".svg": "image/svg+xml", ".ico": "image/vnd.microsoft.icon", ".jxl": "image/jxl", ".apng": "image/apng",
	// to be read
	".pdf": "application/pdf", ".epub": "application/epub+zip", ".mobi": "application/x-mobipocket-ebook", ".azw3": "application/vnd.amazon.ebook",
	".fb2": "application/x-fictionbook+xml", ".djvu": "image/vnd.djvu", ".djv": "image/vnd.djvu", ".cbz": "application/vnd.comicbook+zip",
	".cbr": "application/vnd.comicbook-rar", ".txt": "text/plain; charset=utf-8", ".nfo": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".log": "text/plain; charset=utf-8", ".diz": "text/plain; charset=utf-8", ".sfv": "text/plain; charset=utf-8", ".md5": "text/plain; charset=utf-8",
	".sha1": "text/plain; charset=utf-8", ".sha256": "text/plain; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".rtf": "application/rtf",
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".xhtml": "application/xhtml+xml", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".xml": "application/xml",
	".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".ppt": "application/vnd.ms-powerpoint", ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt": "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet", ".odp": "application/vnd.oasis.opendocument.presentation",
	// the rest
	".zip": "application/zip", ".rar": "application/vnd.rar", ".7z": "application/x-7z-compressed", ".gz": "application/gzip", ".tgz": "application/gzip",
	".bz2": "application/x-bzip2", ".xz": "application/x-xz", ".zst": "application/zstd", ".tar": "application/x-tar", ".iso": "application/x-iso9660-image",
	".torrent": "application/x-bittorrent", ".apk": "application/vnd.android.package-archive", ".wasm": "application/wasm",
	".ttf": "font/ttf", ".otf": "font/otf", ".woff": "font/woff", ".woff2": "font/woff2",
}
