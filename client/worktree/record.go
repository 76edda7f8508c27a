package worktree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"dfs/cas"
	"dfs/manifest"
)

// Record is what the index keeps of a file: its identity on disk, its manifest
// and the list of its chunks.
type Record struct {
	Path  string
	Size  uint64
	Mtime manifest.Time
	Ctime manifest.Time
	Ino   uint64

	// Racy says that the file could have changed unseen since its bytes were
	// read, so it must be read again; its chunks are still likely.
	Racy bool

	Value []byte // the manifest's canonical encoding, at most 64 KiB
	Runs  Runs   // the complete content of a file whose manifest lists it by pages; else empty
}

// NewRecord returns the record of a file that was read as e after probe was
// taken, without runs; see [Entry.Racy]. Of a change that was applied it is
// [Applied.Record].
func NewRecord(e Entry, probe manifest.Time, value []byte) Record {
	return Record{Path: e.Path, Size: e.Size, Mtime: e.Mtime, Ctime: e.Ctime, Ino: e.Ino, Racy: e.Racy(probe), Value: value}
}

// Clean reports whether e is the file of the record, unchanged: Value is its
// manifest without reading it.
func (r *Record) Clean(e Entry) bool {
	return !r.Racy && e.Kind == manifest.File && e.Size == r.Size && e.Mtime == r.Mtime && e.Ctime == r.Ctime && e.Ino == r.Ino
}

// Runs is a list of runs: encoded in memory, or in the index's files, from
// where it is read when iterated. The zero Runs is empty.
type Runs struct {
	raw  []byte
	file io.ReaderAt // else at, size bytes of frames
	at   int64
	size uint64
}

// Append adds a run at the end. It must not be called on a list of the index.
func (r *Runs) Append(run manifest.Run) {
	r.raw = append(r.raw, run.ID[:]...)
	r.raw = binary.AppendUvarint(r.raw, uint64(run.Size))
	r.raw = binary.AppendUvarint(r.raw, run.Count)
}

// Empty reports whether there are no runs.
func (r Runs) Empty() bool { return len(r.raw) == 0 && r.size == 0 }

// All returns the runs in order. An error ends the sequence: the index's file
// is damaged or was closed.
func (r Runs) All() iter.Seq2[manifest.Run, error] {
	return func(yield func(manifest.Run, error) bool) {
		for part, err := range r.parts() {
			if err != nil {
				yield(manifest.Run{}, err)
				return
			}
			for len(part) > 0 {
				var run manifest.Run
				run, part, err = cutRun(part)
				if !yield(run, err) || err != nil {
					return
				}
			}
		}
	}
}

// parts returns the encoded runs, at most maxFrame bytes at a time, each part whole runs.
func (r Runs) parts() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if r.file == nil {
			for raw := r.raw; len(raw) > 0; {
				n, err := wholeRuns(raw)
				if !yield(raw[:n], err) || err != nil {
					return
				}
				raw = raw[n:]
			}
			return
		}
		frames := frameReader{file: r.file, at: r.at}
		for left := r.size; left > 0; {
			kind, part, err := frames.next()
			if err == nil && (kind != frameChunks || len(part) == 0 || uint64(len(part)) > left) {
				err = errDamaged
			}
			if !yield(part, err) || err != nil {
				return
			}
			left -= uint64(len(part))
		}
	}
}

// wholeRuns returns how many bytes of raw, at most maxFrame, are whole runs.
func wholeRuns(raw []byte) (n int, err error) {
	if len(raw) <= maxFrame {
		return len(raw), nil
	}
	for rest := raw; ; n = len(raw) - len(rest) {
		if _, rest, err = cutRun(rest); err != nil {
			return 0, err
		}
		if len(raw)-len(rest) > maxFrame {
			return n, nil
		}
	}
}

func cutRun(b []byte) (run manifest.Run, rest []byte, err error) {
	if len(b) < len(run.ID) {
		return run, nil, errDamaged
	}
	run.ID, b = cas.ID(b), b[len(run.ID):]
	d := decoder{b: b}
	size := d.uvarint()
	run.Count = d.uvarint()
	if size > cas.MaxSize {
		d.bad = true
	}
	run.Size = uint32(size)
	return run, d.b, d.err()
}

var errDamaged = errors.New("index is damaged")

const (
	flagRacy = 1 << iota
	flagRuns
	flagsKnown = flagRacy | flagRuns
)

// appendRecord appends r to b, its path front-coded against previous. Runs are at at.
func appendRecord(b []byte, previous string, r *Record, at int64) []byte {
	shared := 0
	for shared < min(len(previous), len(r.Path)) && previous[shared] == r.Path[shared] {
		shared++
	}
	var flags byte
	if r.Racy {
		flags |= flagRacy
	}
	if !r.Runs.Empty() {
		flags |= flagRuns
	}
	b = binary.AppendUvarint(b, uint64(shared))
	b = appendBytes(b, r.Path[shared:])
	b = append(b, flags)
	b = binary.AppendUvarint(b, r.Size)
	b = appendTime(b, r.Mtime)
	b = appendTime(b, r.Ctime)
	b = binary.AppendUvarint(b, r.Ino)
	b = appendBytes(b, r.Value)
	if flags&flagRuns != 0 {
		b = binary.AppendUvarint(b, uint64(at))
		b = binary.AppendUvarint(b, r.Runs.bytes())
	}
	return b
}

func (r Runs) bytes() uint64 {
	if r.file != nil {
		return r.size
	}
	return uint64(len(r.raw))
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendTime(b []byte, t manifest.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Sec), uint64(t.Nsec))
}

// decoder reads fields off the front of b; after a bad one it returns zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) err() error {
	if d.bad {
		return errDamaged
	}
	return nil
}

func (d *decoder) advance(n int) {
	if n <= 0 {
		d.bad, d.b = true, nil
		return
	}
	d.b = d.b[n:]
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.advance(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.advance(n)
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) time() manifest.Time {
	sec, nsec := d.varint(), d.uvarint()
	if nsec >= 1e9 {
		d.bad = true
	}
	return manifest.Time{Sec: sec, Nsec: uint32(nsec)}
}

// record reads a record but for its path, of which it returns the new end and
// how much of the previous path goes before. r.Value is part of d.b.
func (d *decoder) record(file io.ReaderAt, r *Record) (shared uint64, suffix []byte, err error) {
	shared, suffix = d.uvarint(), d.bytes()
	flags := d.byte()
	r.Racy = flags&flagRacy != 0
	r.Size = d.uvarint()
	r.Mtime, r.Ctime = d.time(), d.time()
	r.Ino = d.uvarint()
	r.Value = d.bytes()
	r.Runs = Runs{}
	if flags&flagRuns != 0 {
		at, size := d.uvarint(), d.uvarint()
		if at > 1<<62 || size == 0 {
			d.bad = true
		}
		r.Runs = Runs{file: file, at: int64(at), size: size}
	}
	if flags&^flagsKnown != 0 {
		return 0, nil, fmt.Errorf("%w: record flags %#x", errDamaged, flags)
	}
	return shared, suffix, d.err()
}
