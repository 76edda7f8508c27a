package worktree

import (
	"fmt"
	"os"
	"path/filepath"
)

// IndexCursor finds records by ascending paths, reading the index once, in order.
// Only one goroutine uses it; the index may be added to meanwhile.
type IndexCursor struct {
	ix     *Index
	file   *os.File // the sorted file; nil: none
	sorted recordReader
	ok     bool     // sorted stands on a record
	found  []bool   // of the records of sorted so far, whether Find asked for them
	recent []Record // of the journal, those to come
	rec    Record
}

// Cursor returns a cursor over the records that the index had when it was opened
// or last merged.
func (ix *Index) Cursor() *IndexCursor {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	c := &IndexCursor{ix: ix, file: ix.sorted, recent: ix.recent}
	if ix.sorted != nil {
		c.sorted = newRecordReader(ix.sorted)
		c.step()
	}
	return c
}

func (c *IndexCursor) step() {
	if c.ok = c.sorted.next(); c.ok {
		c.found = append(c.found, false)
	}
}

// Find returns the record of path, which is valid until the next call. A path
// that does not come after the one before may not be found.
func (c *IndexCursor) Find(path string) (*Record, bool) {
	for c.ok && compare(c.sorted.path, path) < 0 {
		c.step()
	}
	found := c.ok && string(c.sorted.path) == path
	if found {
		c.found[len(c.found)-1] = true
		c.rec = c.sorted.Record
	}
	for len(c.recent) > 0 && compare(c.recent[0].Path, path) < 0 {
		c.recent = c.recent[1:]
	}
	if len(c.recent) > 0 && c.recent[0].Path == path {
		found = true
		c.rec = c.recent[0]
	}
	c.rec.Path = path
	return &c.rec, found
}

// Complete tells the index that Find was called for every file of the tree, so
// that Save may drop the other records.
func (c *IndexCursor) Complete() {
	c.ix.mu.Lock()
	defer c.ix.mu.Unlock()
	if c.file != c.ix.sorted {
		return // merged since: its records are others
	}
	c.ix.live = c.found
	c.ix.dead = c.ix.count
	for _, found := range c.found {
		if found {
			c.ix.dead--
		}
	}
}

// Save hands what was added to the operating system, and merges the journal into
// the sorted file once one of them has grown by enough or a quarter of it is of no file. The
// sorted file is replaced atomically.
func (ix *Index) Save() error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if err := ix.flush(); err != nil {
		return err
	}
	size := ix.good
	if ix.journal != nil {
		size = ix.journal.at
	}
	if size <= max(journalFloor, ix.size/8) && (ix.dead == 0 || ix.dead < ix.count/4) {
		return nil
	}
	return ix.merge()
}

// merge writes a new sorted file from the present one, without what is of no
// file, and the journal, and empties the journal.
func (ix *Index) merge() error {
	if ix.journal == nil {
		if err := ix.startJournal(); err != nil {
			return fmt.Errorf("index journal: %w", err)
		}
	}
	if err := ix.flush(); err != nil {
		return err
	}
	temp := filepath.Join(ix.dir, indexName+".new")
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	w := newFrameWriter(f, 0)
	if err = ix.mergeTo(w); err == nil {
		err = ix.rename(temp)
	}
	if err != nil {
		f.Close()
		os.Remove(temp)
		return fmt.Errorf("index: %w", err)
	}
	ix.retired = append(ix.retired, ix.sorted, ix.journal.file)
	ix.sorted, ix.size, ix.count = f, w.at, w.records
	ix.recent, ix.journal, ix.good, ix.live, ix.dead = nil, nil, 0, nil, 0
	// Where the removal fails, the same records are merged another time.
	os.Remove(filepath.Join(ix.dir, journalName))
	return nil
}

// rename puts the new sorted file in place. Systems that do not rename over an
// open file need it closed; cursors that still read it find nothing more then.
func (ix *Index) rename(temp string) error {
	name := filepath.Join(ix.dir, indexName)
	err := os.Rename(temp, name)
	if err != nil && ix.sorted != nil {
		ix.sorted.Close()
		err = os.Rename(temp, name)
	}
	return err
}

func (ix *Index) mergeTo(w *frameWriter) error {
	if err := w.header(); err != nil {
		return err
	}
	recent, _ := readJournal(ix.journal.file)
	if ix.sorted != nil {
		r := newRecordReader(ix.sorted)
		for i := 0; r.next(); i++ {
			for len(recent) > 0 && compare(recent[0].Path, r.path) < 0 {
				if err := w.add(&recent[0]); err != nil {
					return err
				}
				recent = recent[1:]
			}
			superseded := len(recent) > 0 && recent[0].Path == string(r.path)
			if superseded || ix.live != nil && (i >= len(ix.live) || !ix.live[i]) {
				continue
			}
			r.Path = string(r.path)
			if err := w.add(&r.Record); err != nil {
				return err
			}
		}
	}
	for i := range recent {
		if err := w.add(&recent[i]); err != nil {
			return err
		}
	}
	return w.end()
}
