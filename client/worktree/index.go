package worktree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	indexName    = "index"
	journalName  = "journal"
	journalLimit = 8 << 20 // bytes after which the journal is merged into the index, which takes some 3 times that in memory
	journalFloor = 256 << 10
	flushAfter   = time.Second
)

// Index keeps a [Record] of each file that was read, in two files of the state
// directory: index, sorted by path, and journal, what was added since. It is a
// cache: a damaged file, or one of another version, counts as empty, nothing is
// fsynced, and to delete both costs time only.
type Index struct {
	dir string

	mu      sync.Mutex
	sorted  *os.File // nil: none
	size    int64    // of sorted
	count   uint64   // records in sorted
	recent  []Record // the journal's as it was opened, sorted by path
	journal *frameWriter
	good    int64      // where the journal's next frame belongs
	retired []*os.File // former sorted files, which cursors may still read
	live    []bool     // of the records of sorted, which are of a file; nil: unknown, so all
	dead    uint64     // how many are not
	timer   *time.Timer
	err     error // the first error of a flush
}

// OpenIndex opens the index in a state directory, which must exist. It changes
// nothing on disk, so that it needs no lock; Add and Save do.
func OpenIndex(stateDir string) (*Index, error) {
	ix := &Index{dir: stateDir}
	if err := ix.openSorted(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := ix.openJournal(); err != nil {
		ix.Close()
		return nil, fmt.Errorf("index journal: %w", err)
	}
	return ix, nil
}

// openIndexFile opens a file of the index; nil when there is none of this version.
func openIndexFile(path string, flag int) (f *os.File, size int64, err error) {
	f, err = os.OpenFile(path, flag, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var header [len(fileHeader)]byte
	if _, err = f.ReadAt(header[:], 0); err == nil && string(header[:]) == fileHeader {
		size, err = f.Seek(0, io.SeekEnd)
		return f, size, err
	}
	return nil, 0, f.Close()
}

func (ix *Index) openSorted() error {
	f, size, err := openIndexFile(filepath.Join(ix.dir, indexName), os.O_RDONLY)
	if f == nil || err != nil {
		return err
	}
	end := frameReader{file: f, at: size - endSize}
	if size < int64(len(fileHeader))+endSize {
		return f.Close()
	}
	kind, payload, err := end.next()
	if err != nil || kind != frameEnd || len(payload) != 8 {
		return f.Close()
	}
	ix.sorted, ix.size, ix.count = f, size, binary.LittleEndian.Uint64(payload)
	return nil
}

func (ix *Index) openJournal() error {
	f, _, err := openIndexFile(filepath.Join(ix.dir, journalName), os.O_RDONLY)
	if f == nil || err != nil {
		return err
	}
	ix.retired = append(ix.retired, f)
	ix.recent, ix.good = readJournal(f)
	return nil
}

// readJournal returns the newest record of each path, sorted, and where the
// journal's good part ends.
func readJournal(f *os.File) ([]Record, int64) {
	r := newRecordReader(f)
	var records []Record
	for r.next() {
		rec := r.Record
		rec.Path, rec.Value = string(r.path), slices.Clone(rec.Value)
		records = append(records, rec)
	}
	slices.SortStableFunc(records, func(a, b Record) int { return compare(a.Path, b.Path) })
	kept := records[:0]
	for i, rec := range records {
		if i+1 == len(records) || records[i+1].Path != rec.Path {
			kept = append(kept, rec)
		}
	}
	clear(records[len(kept):])
	return kept, r.good
}

// Add remembers rec, in the journal. It is safe for concurrent use, keeps
// nothing of rec, and reaches the operating system within a second, or 64 KiB of records.
func (ix *Index) Add(rec Record) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.err != nil {
		return ix.err
	}
	if err := ix.add(&rec); err != nil {
		ix.err = fmt.Errorf("index journal: %w", err)
	}
	return ix.err
}

func (ix *Index) add(rec *Record) error {
	if ix.journal == nil {
		if err := ix.startJournal(); err != nil {
			return err
		}
	}
	w := ix.journal
	if err := w.add(rec); err != nil {
		return err
	}
	if w.at > journalLimit {
		return ix.merge()
	}
	if len(w.buf) > frameHeader && ix.timer == nil {
		ix.timer = time.AfterFunc(flushAfter, ix.flushLater)
	}
	return nil
}

func (ix *Index) flushLater() {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.timer = nil
	ix.flush()
}

func (ix *Index) flush() error {
	if ix.journal != nil && ix.err == nil {
		if err := ix.journal.flush(); err != nil {
			ix.err = fmt.Errorf("index journal: %w", err)
		}
	}
	return ix.err
}

// startJournal opens the journal for writing behind its good part.
func (ix *Index) startJournal() error {
	f, err := os.OpenFile(filepath.Join(ix.dir, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(ix.good); err != nil {
		f.Close()
		return err
	}
	ix.journal = newFrameWriter(f, ix.good)
	if ix.good == 0 {
		return ix.journal.header()
	}
	return nil
}

// All returns every record, in no order; of a path that was added anew also
// former ones. So the records are hints about where bytes may be. A record's
// Value is valid until the next.
func (ix *Index) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		ix.mu.Lock()
		err := ix.flush()
		files := []*os.File{ix.sorted}
		switch {
		case ix.journal != nil:
			files = append(files, ix.journal.file)
		case len(ix.recent) > 0:
			files = append(files, ix.retired[0])
		}
		ix.mu.Unlock()
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, f := range files {
			if f == nil {
				continue
			}
			for r := newRecordReader(f); r.next(); {
				r.Path = string(r.path)
				if !yield(r.Record, nil) {
					return
				}
			}
		}
	}
}

// Close flushes the journal and releases the files. No cursor, record or list of the
// index may be used afterwards.
func (ix *Index) Close() error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.timer != nil {
		ix.timer.Stop()
		ix.timer = nil
	}
	err := ix.flush()
	files := append(ix.retired, ix.sorted)
	if ix.journal != nil {
		files = append(files, ix.journal.file)
	}
	for _, f := range files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	ix.sorted, ix.journal, ix.retired, ix.recent = nil, nil, nil, nil
	return err
}
