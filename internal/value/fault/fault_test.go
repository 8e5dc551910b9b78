package fault_test

import (
	"strings"
	"testing"

	"shoal/internal/value/fault"
)

// One row for each error number: its kind, what follows, and words of the advice.
func TestTable(t *testing.T) {
	for name, want := range map[string]struct {
		kind  fault.Kind
		then  fault.Then
		words string
	}{
		"ENOSPC":       {fault.NoSpace, fault.Hold, "free some space"},
		"EDQUOT":       {fault.NoSpace, fault.Hold, "your share of that volume"},
		"EMLINK":       {fault.NoFiles, fault.Hold, "entries"},
		"EFBIG":        {fault.TooLarge, fault.Refuse, "FAT32 holds files below 4 GiB"},
		"EOVERFLOW":    {fault.TooLarge, fault.Refuse, "too large for this program"},
		"EACCES":       {fault.NoPermission, fault.Refuse, "allow this user"},
		"EPERM":        {fault.NoPermission, fault.Refuse, "attribute"},
		"EKEYEXPIRED":  {fault.NoPermission, fault.Refuse, "ticket"},
		"ENOKEY":       {fault.NoPermission, fault.Refuse, "encrypted"},
		"EROFS":        {fault.ReadOnly, fault.Hold, "mount the volume writable"},
		"ENAMETOOLONG": {fault.BadName, fault.Refuse, "too long"},
		"EINVAL":       {fault.BadName, fault.Refuse, "--rename"},
		"EILSEQ":       {fault.BadName, fault.Refuse, "--rename"},
		"ENOTDIR":      {fault.Unsafe, fault.Refuse, "a file lies where a folder"},
		"EISDIR":       {fault.Unsafe, fault.Refuse, "a folder where the file"},
		"ELOOP":        {fault.Unsafe, fault.Refuse, "circle"},
		"EEXIST":       {fault.Unsafe, fault.Refuse, "out of the way"},
		"ENOTEMPTY":    {fault.Unsafe, fault.Refuse, "out of the way"},
		"ENOENT":       {fault.Missing, fault.Missed, "bring the file back"},
		"EXDEV":        {fault.Unsupported, fault.Hold, "different volumes"},
		"EIO":          {fault.IO, fault.Look, "health of the disk"},
		"EUCLEAN":      {fault.IO, fault.Look, "fsck"},
		"EBADMSG":      {fault.IO, fault.Look, "checksum"},
		"EREMOTEIO":    {fault.IO, fault.Look, "health"},
		"EMEDIUMTYPE":  {fault.IO, fault.Look, "health"},
		"ENXIO":        {fault.Gone, fault.Look, "attach the volume"},
		"ENODEV":       {fault.Gone, fault.Look, "attach the volume"},
		"ENOMEDIUM":    {fault.Gone, fault.Look, "attach the volume"},
		"ESHUTDOWN":    {fault.Gone, fault.Look, "attach the volume"},
		"ESTALE":       {fault.Gone, fault.Look, "another file"},
		"ETIMEDOUT":    {fault.Gone, fault.Look, "server"},
		"ENOTCONN":     {fault.Gone, fault.Look, "has ended: mount it again"},
		"ECONNABORTED": {fault.Gone, fault.Look, "server"},
		"ECONNREFUSED": {fault.Gone, fault.Look, "server"},
		"ECONNRESET":   {fault.Gone, fault.Look, "server"},
		"EHOSTDOWN":    {fault.Gone, fault.Look, "server"},
		"EHOSTUNREACH": {fault.Gone, fault.Look, "server"},
		"ENETDOWN":     {fault.Gone, fault.Look, "server"},
		"ENETUNREACH":  {fault.Gone, fault.Look, "server"},
		"ENOLINK":      {fault.Gone, fault.Look, "server"},
		"EPIPE":        {fault.Gone, fault.Look, "server"},
		"EPROTO":       {fault.Gone, fault.Look, "server"},
		"EREMCHG":      {fault.Gone, fault.Look, "server"},
		"ECOMM":        {fault.Gone, fault.Look, "server"},
		"EBUSY":        {fault.Busy, fault.Hold, "holds it"},
		"ETXTBSY":      {fault.Busy, fault.Hold, "a program that runs"},
		"EDEADLK":      {fault.Busy, fault.Hold, "holds it"},
		"ENOLCK":       {fault.Busy, fault.Hold, "holds it"},
		"EAGAIN":       {fault.Busy, fault.Hold, "by itself"},
		"EINTR":        {fault.Busy, fault.Hold, "by itself"},
		"EMFILE":       {fault.TooManyFiles, fault.Slow, "raise the limit"},
		"ENFILE":       {fault.TooManyFiles, fault.Slow, "end some programs"},
		"ENOMEM":       {fault.NoMemory, fault.Slow, "end some programs"},
		"ENOBUFS":      {fault.NoMemory, fault.Slow, "end some programs"},
		"ENOSYS":       {fault.Unsupported, fault.Hold, "can't do that"},
		"EOPNOTSUPP":   {fault.Unsupported, fault.Hold, "can't do that"},
		"ENOTSUP":      {fault.Unsupported, fault.Hold, "can't do that"},
		"ENOTTY":       {fault.Unsupported, fault.Hold, "can't do that"},
		"EBADF":        {fault.Other, fault.Hold, "report it"},
		"EFAULT":       {fault.Other, fault.Hold, "report it"},
		"EWHATEVER":    {fault.Other, fault.Hold, ""},
	} {
		f := fault.Of("open", name)
		if f.Kind != want.kind || f.Kind.Then() != want.then || !strings.Contains(f.Words(), want.words) {
			t.Errorf("%s: %v, %v, %q; want %v, %v, %q", name, f.Kind, f.Kind.Then(), f.Words(), want.kind, want.then, want.words)
		}
		if f.Kind != fault.NoSpace && strings.Contains(f.Words(), "free some space") {
			t.Errorf("%s is not full, and says %q", name, f.Words())
		}
	}
	if n := fault.Rows(); n != 60 {
		t.Errorf("the table has %d rows: each has a row in this test", n)
	}
}

// An invalid argument is about a name only where a name was given; of a file that is open it
// says that the file system can't do this.
func TestInvalid(t *testing.T) {
	for op, want := range map[string]fault.Kind{
		"open": fault.BadName, "create": fault.BadName, "look up": fault.BadName, "move": fault.BadName, "rename": fault.BadName,
		"read": fault.Unsupported, "write": fault.Unsupported, "sync": fault.Unsupported, "make executable": fault.Unsupported,
	} {
		if got := fault.Of(op, "EINVAL").Kind; got != want {
			t.Errorf("%s: %v, want %v", op, got, want)
		}
	}
}

func TestWindows(t *testing.T) {
	for code, want := range map[uint32]fault.Kind{
		4: fault.TooManyFiles, 5: fault.NoPermission, 8: fault.NoMemory, 19: fault.ReadOnly, 21: fault.Gone, 23: fault.IO,
		32: fault.Busy, 33: fault.Busy, 39: fault.NoSpace, 112: fault.NoSpace, 1295: fault.NoSpace, 123: fault.BadName,
		206: fault.BadName, 223: fault.TooLarge, 267: fault.Unsafe, 64: fault.Gone, 1117: fault.IO, 1167: fault.Gone, 1393: fault.IO,
		99999: fault.Other,
	} {
		if f := fault.OfWindows(code); f.Kind != want {
			t.Errorf("%d: %v, want %v", code, f.Kind, want)
		}
	}
	if !strings.Contains(fault.OfWindows(32).Words(), "another program has the file open") {
		t.Errorf("a sharing violation says %q", fault.OfWindows(32).Words())
	}
}

func TestKinds(t *testing.T) {
	for k := fault.Other; k <= fault.NoFiles; k++ {
		if k.String() == "" || k != fault.Other && k.Advice() == "" {
			t.Errorf("kind %d: %q, %q", k, k, k.Advice())
		}
	}
	if (fault.NoFiles+1).String() != "kind 15" || (fault.NoFiles+1).Advice() != "" || (fault.NoFiles+1).Then() != fault.Hold {
		t.Error("a kind that there is not")
	}
}

// What "file too large" means depends on the length: no file system that people use refuses a
// small one, so a limit of the process does.
func TestTooLong(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		length, limit int64
		says, not     string
	}{
		{5 * gib, -1, "FAT32 holds files below 4 GiB", "raise"},
		{4 * gib, -1, "FAT32 holds files below 4 GiB", "raise"},
		{4*gib - 1, -1, "a limit of the system", "FAT32 holds files below"},
		{1 << 20, -1, "a limit of the system", "FAT32 holds files below"},
		{1 << 20, 1000, "1000 bytes: raise that limit (ulimit -f)", "FAT32"},
		{5 * gib, 1 << 20, "ulimit -f", "FAT32"},
		{5 * gib, 6 * gib, "FAT32 holds files below 4 GiB", "ulimit"},
		{1 << 20, 1 << 20, "a limit of the system", "raise"},
		{1, 0, "ulimit -f", "FAT32"},
	} {
		f := fault.TooLong(c.length, c.limit)
		if f.Kind != fault.TooLarge || !strings.Contains(f.Words(), c.says) || strings.Contains(f.Words(), c.not) || !strings.Contains(f.Words(), "--skip") {
			t.Errorf("%d bytes, limit %d: %v, %q", c.length, c.limit, f.Kind, f.Words())
		}
	}
}
