package catalogue

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"shoal/internal/infohash"
	"shoal/internal/storage"
)

const (
	newSuffix  = ".new"
	asideStyle = "%s.%016x.damaged"
)

// Flush makes all that was put, set, moved and removed durable. After an error, or when
// ctx ends, some of it may be; what is not stays to be written by the next Flush.
func (c *Catalogue) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	return c.flush(ctx)
}

// Close makes all durable and gives the folder up, in any case; fsys itself stays
// open. The error is that of Flush.
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

// flush is Flush. c.mu is held.
func (c *Catalogue) flush(ctx context.Context) error {
	if c.fs == nil {
		c.listDirty = false
		clear(c.removed)
		return nil
	}
	if err := c.writePending(ctx); err != nil {
		return err
	}
	if err := c.writeList(ctx); err != nil {
		return err
	}
	for h := range c.removed {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.fs.Remove(fileName(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a torrent from the catalogue: %w", err)
		}
		c.renamed = true
		delete(c.removed, h)
	}
	return c.syncNames()
}

// syncNames makes names durable. c.mu is held.
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

// writePending writes entries, several at once, and gives them their names. c.mu is
// held.
func (c *Catalogue) writePending(ctx context.Context) error {
	type written struct {
		hash infohash.Hash
		err  error
	}
	var wg sync.WaitGroup
	hashes := slices.SortedFunc(maps.Keys(c.pending), func(a, b infohash.Hash) int { return slices.Compare(a[:], b[:]) })
	results := make([]written, len(hashes))
	each := (len(hashes) + c.writers - 1) / c.writers
	for part := range slices.Chunk(results, max(each, 1)) {
		mine := hashes[:len(part)]
		hashes = hashes[len(part):]
		wg.Go(func() {
			for i, h := range mine {
				err := ctx.Err()
				if err == nil {
					err = c.writeNew(fileName(h), c.pending[h])
				}
				if part[i] = (written{h, err}); err != nil && errors.Is(err, ctx.Err()) {
					part[i].err = ctx.Err()
				}
			}
		})
	}
	wg.Wait()
	var first error
	for _, w := range results {
		err := w.err
		if err == nil {
			err = c.place(w.hash)
		}
		if err != nil {
			first = cmpOr(first, fmt.Errorf("write a torrent to the catalogue: %w", err))
			continue
		}
		c.pendingBytes -= len(c.pending[w.hash])
		delete(c.pending, w.hash)
	}
	return first
}
