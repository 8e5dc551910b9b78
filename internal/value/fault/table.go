package fault

const (
	folderInWay = "a file lies where a folder has to be, or a folder where the file has to be: move it out of the way, or leave the file out with --skip"
	server      = "the server of that volume does not answer: it goes on by itself when it does"
)

// unix has every known error number of open, read, write, truncate, fallocate, sync, stat,
// chmod, rename, mkdir, link, unlink and close.
var unix = map[string]Fault{
	// Space.
	"ENOSPC": {Kind: NoSpace},
	"EDQUOT": {NoSpace, "your share of that volume is used up: remove some of your own files, or choose another folder"},
	"EFBIG":  {Kind: TooLarge},
	"EMLINK": {NoFiles, "the folder has as many entries as this file system allows: choose another folder"},

	// Permissions.
	"EACCES":  {Kind: NoPermission},
	"EPERM":   {NoPermission, "the system forbids it, perhaps by an attribute of the file or folder (lsattr): change that, or choose another folder"},
	"EROFS":   {Kind: ReadOnly},
	"ETXTBSY": {Busy, "the file is a program that runs: end it, and it goes on by itself"},
	"EBUSY":   {Kind: Busy},
	"EDEADLK": {Kind: Busy},
	"ENOLCK":  {Kind: Busy},

	// Names.
	"ENAMETOOLONG": {BadName, "the name is too long for this file system: choose a shorter one with --rename, or leave it out with --skip"},
	"EILSEQ":       {Kind: BadName},
	"EINVAL":       {Kind: BadName}, // vfat and exFAT for names that they don't take
	"ENOTDIR":      {Unsafe, folderInWay},
	"EISDIR":       {Unsafe, folderInWay},
	"ELOOP":        {Unsafe, "the path leads in a circle of symbolic links: fix that, or choose another folder"},
	"EEXIST":       {Kind: Unsafe},
	"ENOTEMPTY":    {Kind: Unsafe},
	"ENOENT":       {Kind: Missing},
	"EXDEV":        {Unsupported, "the two folders are on different volumes"},

	// Devices and servers.
	"EIO":          {Kind: IO},
	"EUCLEAN":      {IO, "the file system is damaged: unmount it and check it (fsck)"},
	"EBADMSG":      {IO, "the file system found a wrong checksum: look at the health of the disk"},
	"EREMOTEIO":    {Kind: IO},
	"EMEDIUMTYPE":  {Kind: IO},
	"ENXIO":        {Kind: Gone},
	"ENODEV":       {Kind: Gone},
	"ENOMEDIUM":    {Kind: Gone},
	"ESHUTDOWN":    {Kind: Gone},
	"ESTALE":       {Gone, "the server has another file there now: it is looked at again by itself"},
	"ETIMEDOUT":    {Gone, server},
	"ENOTCONN":     {Gone, "the program that serves this volume has ended: mount it again"},
	"ECONNABORTED": {Gone, server},
	"ECONNREFUSED": {Gone, server},
	"ECONNRESET":   {Gone, server},
	"EHOSTDOWN":    {Gone, server},
	"EHOSTUNREACH": {Gone, server},
	"ENETDOWN":     {Gone, server},
	"ENETUNREACH":  {Gone, server},
	"ENOLINK":      {Gone, server},
	"EPIPE":        {Gone, server},
	"EPROTO":       {Gone, server},
	"EREMCHG":      {Gone, server},
	"ECOMM":        {Gone, server},
	"EKEYEXPIRED":  {NoPermission, "the key or ticket for that volume has expired: get another one (kinit)"},
	"ENOKEY":       {NoPermission, "the folder is encrypted and locked: unlock it"},

	// The process and the system.
	"EMFILE":  {Kind: TooManyFiles},
	"ENFILE":  {TooManyFiles, "the system has no file handles left: end some programs"},
	"ENOMEM":  {Kind: NoMemory},
	"ENOBUFS": {Kind: NoMemory},
	"EAGAIN":  {Kind: Busy},
	"EINTR":   {Kind: Busy},

	// What is not possible here.
	"ENOSYS":     {Kind: Unsupported},
	"EOPNOTSUPP": {Kind: Unsupported},
	"ENOTSUP":    {Kind: Unsupported},
	"ENOTTY":     {Kind: Unsupported},
	"EOVERFLOW":  {TooLarge, "the file is too large for this program or system"},
	"EBADF":      {Other, "this is a mistake in shoal: please report it"},
	"EFAULT":     {Other, "this is a mistake in shoal: please report it"},
}

// windows has the codes of winerror.h.
var windows = map[uint32]Fault{
	2: {Kind: Missing}, 3: {Kind: Missing}, // file, path not found
	4: {Kind: TooManyFiles},                   // too many open files
	5: {Kind: NoPermission},                   // access denied
	8: {Kind: NoMemory}, 14: {Kind: NoMemory}, // not enough memory
	19: {Kind: ReadOnly},               // write protected
	20: {Kind: Gone}, 21: {Kind: Gone}, // bad unit, not ready
	23: {Kind: IO}, 27: {Kind: IO}, 29: {Kind: IO}, 30: {Kind: IO}, 31: {Kind: IO}, // checksum, sector, write and read faults, general
	32: {Busy, "another program has the file open: close it there, and it goes on by itself"},
	33: {Busy, "another program has locked a part of the file: close it there, and it goes on by itself"},
	39: {Kind: NoSpace}, // handle disk full
	50: {Kind: Unsupported},
	53: {Gone, server}, 55: {Gone, server}, 59: {Gone, server}, 64: {Gone, server}, // network path, resource, error, name
	80: {Kind: Unsafe}, 183: {Kind: Unsafe}, // exists
	112:  {Kind: NoSpace}, // disk full
	121:  {Gone, server},  // semaphore timeout
	123:  {Kind: BadName}, // invalid name
	145:  {Kind: Unsafe},  // directory not empty
	170:  {Kind: Busy},
	206:  {BadName, "the name is too long for Windows: choose a shorter one with --rename, or choose a folder with a shorter path"},
	223:  {Kind: TooLarge}, // file too large
	225:  {NoPermission, "the virus scanner of the system refuses the file: allow it there, or leave the file out with --skip"},
	267:  {Unsafe, folderInWay}, // not a directory
	483:  {Kind: IO},
	1006: {Kind: Gone}, // volume changed
	1117: {Kind: IO},   // device error
	1167: {Kind: Gone}, // device not connected
	1295: {NoSpace, "your share of that volume is used up: remove some of your own files, or choose another folder"},
	1393: {IO, "the file system is damaged: check it (chkdsk)"},
	1450: {Kind: NoMemory},
	1816: {Kind: NoMemory}, // not enough quota of memory
}
