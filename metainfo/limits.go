package metainfo

// Bounds on what we load. Each keeps a number from a stranger from sizing something, and is
// above what real torrents need (decision 0010).
const (
	// MaxSize bounds a torrent file, in bytes. The hashes of MaxPieces take 40 MiB; the rest
	// is for the list of files. Other clients stop at 10 MB, which excludes real archives.
	MaxSize = 64 << 20

	// MaxPieces bounds the number of pieces, like the widest of the deployed limits.
	MaxPieces = 2_097_152

	// MaxPieceLength and MinPieceLength bound a piece, in bytes. We load any length in
	// between; new torrents get a power of two of at least MinNewPieceLength.
	MaxPieceLength    = 512 << 20
	MinPieceLength    = 1
	MinNewPieceLength = 16 << 10

	// MaxFiles bounds the number of files, pad files included.
	MaxFiles = 1_000_000

	// MaxPathDepth bounds the elements of a file's path below the torrent's name.
	MaxPathDepth = 100

	// MaxTrackers and MaxNodes bound what we read from the lists of those names; the rest is
	// ignored with a warning, and so are URLs longer than MaxURL bytes.
	MaxTrackers = 1000
	MaxNodes    = 200
	MaxWebSeeds = 1000
	MaxURL      = 8 << 10

	// maxTokens leaves ten values for each of MaxFiles files: the decoder takes 16 bytes for
	// each while it parses a torrent.
	maxTokens = 10 * MaxFiles

	// maxDepth leaves room for the file tree of a hybrid as deep as MaxPathDepth.
	maxDepth = MaxPathDepth + 20

	// maxWarnings bounds the list of warnings.
	maxWarnings = 100
)
