package catalogue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"maps"
	"slices"

	"shoal/internal/files/storage"
)

const (
	newSuffix  = ".new"
	asideStyle = "%s.%016x.damaged" // the name, and a number
)

// Flush makes everything put, set, moved and removed durable. After an error, or when ctx ends, a
// part of it can be durable; the next Flush writes the rest.
func (c *Catalogue) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	return c.flush(ctx)
}

// Close flushes, and closes the catalogue even when that fails; fsys stays open. The error is that
// of Flush.
func (c *Catalogue) Close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	err := c.flush(ctx)
	c.closed = true
	c.unlock()
	return err
}

// flush is Flush. A failed write does not stop the others. The caller holds c.mu.
//
// The order makes sure that after any stop a torrent in the list has an entry, or its removal is in
// the list: entries, list, removals, each durable before the next.
func (c *Catalogue) flush(ctx context.Context) error {
	if c.fs == nil {
		c.listDirty = false
		return nil
	}
	entries := c.writePending(ctx)
	if err := c.writeList(ctx); err != nil {
		return cmp.Or(entries, err)
	}
	return cmp.Or(entries, c.remove(ctx), c.syncNames())
}

// writePending writes entries, several at once, and renames them into place. The caller holds c.mu.
func (c *Catalogue) writePending(ctx context.Context) error {
	hashes := slices.SortedFunc(maps.Keys(c.pending), compareHashes)
	errs := make([]error, len(hashes))
	sideBySide(c.writers, len(hashes), func(_, i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = c.writeNew(fileName(hashes[i]), c.pending[hashes[i]])
		}
	})
	for i, h := range hashes {
		if errs[i] == nil {
			errs[i] = c.putInPlace(fileName(h))
		}
		if errs[i] == nil {
			c.pendingBytes -= len(c.pending[h])
			delete(c.pending, h)
			c.rows[h].fresh = false
		}
	}
	if err := cmp.Or(errs...); err != nil {
		return fmt.Errorf("write a torrent to the catalogue: %w", err)
	}
	return nil
}

// writeList writes both lists. The caller holds c.mu.
func (c *Catalogue) writeList(ctx context.Context) error {
	if !c.listDirty {
		return nil
	}
	err := cmp.Or(ctx.Err(), c.syncNames())
	c.rev++
	b := c.appendList(nil)
	for _, name := range listNames {
		if err == nil {
			err = c.writeNew(name, b)
		}
	}
	for _, name := range listNames {
		if err == nil {
			err = c.putInPlace(name)
		}
	}
	if err != nil {
		return fmt.Errorf("write the list of torrents: %w", err)
	}
	c.listDirty = false
	return nil
}

// remove removes the entries whose removal is in the list. The caller holds c.mu.
func (c *Catalogue) remove(ctx context.Context) error {
	if len(c.removed) == 0 {
		return nil
	}
	if err := c.syncNames(); err != nil {
		return err
	}
	for h := range c.removed {
		err := ctx.Err()
		if err == nil {
			err = c.fs.Remove(fileName(h))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a torrent from the catalogue: %w", err)
		}
		c.renamed = true
		delete(c.removed, h)
		delete(c.rows, h) // the list can still have it until its next write
	}
	return nil
}

// syncNames makes names durable. The caller holds c.mu.
func (c *Catalogue) syncNames() error {
	if !c.renamed {
		return nil
	}
	if err := c.fs.SyncDir("."); err != nil {
		return fmt.Errorf("make the catalogue durable: %w", err)
	}
	c.renamed = false
	return nil
}

// writeNew writes a new version of a file, durably, beside the current one.
func (c *Catalogue) writeNew(name string, b []byte) error {
	name += newSuffix
	h, err := c.fs.Open(name, storage.Create)
	if errors.Is(err, fs.ErrExist) { // left by a failure
		if err := c.fs.Remove(name); err != nil {
			return err
		}
		h, err = c.fs.Open(name, storage.Create)
	}
	if err != nil {
		return err
	}
	if _, err = h.WriteV([][]byte{b}, 0); err == nil {
		err = h.Sync()
	}
	if err = errors.Join(err, h.Close()); err != nil {
		_ = c.fs.Remove(name) // it may occupy the last space
	}
	return err
}

// putInPlace renames a new version over the current one.
func (c *Catalogue) putInPlace(name string) error {
	if c.inTheWay[name] {
		_, err := c.copyAside(name)
		if err != nil {
			_, err = c.moveAside(name) // it can't be read
		}
		if err != nil {
			return err
		}
		delete(c.inTheWay, name)
	}
	if err := c.fs.Rename(name+newSuffix, name); err != nil {
		return err
	}
	c.renamed = true
	return nil
}

// copyAside keeps a copy of a file that will be replaced. The copy's name depends on the content,
// so repeating this makes no second copy.
func (c *Catalogue) copyAside(name string) (aside string, err error) {
	b, err := c.read(name, nil)
	if err != nil {
		return "", fmt.Errorf("set %s aside: %w", name, err)
	}
	aside = fmt.Sprintf(asideStyle, name, crc64.Checksum(b, ecma))
	if _, err := c.fs.Lstat(aside); err == nil {
		return aside, nil
	}
	if err = c.writeNew(aside, b); err == nil {
		err = c.fs.Rename(aside+newSuffix, aside)
	}
	if err == nil {
		err = c.fs.SyncDir(".") // before the file is replaced
	}
	if err != nil {
		return "", fmt.Errorf("set %s aside: %w", name, err)
	}
	return aside, nil
}

// moveAside renames a file that nothing replaces.
func (c *Catalogue) moveAside(name string) (aside string, err error) {
	sum := uint64(0)
	if b, err := c.read(name, nil); err == nil {
		sum = crc64.Checksum(b, ecma)
	}
	for {
		aside = fmt.Sprintf(asideStyle, name, sum)
		if _, err := c.fs.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", fmt.Errorf("set %s aside: %w", name, err)
		}
		sum++
	}
	if err := c.fs.Rename(name, aside); err != nil {
		return "", fmt.Errorf("set %s aside: %w", name, err)
	}
	c.renamed = true
	return aside, nil
}
