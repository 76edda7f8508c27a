package replica

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dfs/cas"
	"dfs/merkle"
)

// The format of a record file (base, and the spool of a push's edits):
//
//	file    = magic block* trailer
//	magic   = "dfsbase" version(1 byte, 1)
//	block   = length(u32) crc32c(u32) record+            at most some 64 KiB
//	record  = shared(uvarint) rest(uvarint) bytes flags(1 byte) [value] [value]
//	          path = the first shared bytes of the block's former path + bytes
//	          flags: 1 = base present, 2 = remote differs from base, 4 = remote present,
//	                 8 = ignored here
//	value   = length(uvarint) bytes                      a canonical manifest
//	trailer = seen(32) seq(u64) root(32) records(u64) pending(u64) ignored(u64) body(u64) crc32c(u32)
//
// Integers of fixed width are little-endian. Paths ascend by merkle.Compare.
// Body is the number of bytes of magic and blocks, so truncation shows.

const (
	magic       = "dfsbase\x01"
	trailerSize = 32 + 8 + 32 + 8 + 8 + 8 + 8 + 4
	blockTarget = 64 << 10
	blockMax    = 1 << 20
	textSize    = 2 << 10 // of paths that share memory: whoever keeps one keeps so much
)

const (
	hasBase    = 1
	differs    = 2
	hasRemote  = 4
	isIgnored  = 8
	knownFlags = hasBase | differs | hasRemote | isIgnored
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Record is one path of the base file with its canonical manifests; nil is
// absent. Remote is the manifest in the tree of seen.
type Record struct {
	Path   string
	Base   []byte
	Remote []byte
	// Ignored says that the replica ignored this path, and so all below it, when it was
	// last looked at. That it is not in the directory is then no deletion.
	Ignored bool
}

// Pending reports whether the hub's version is not the base's: it is still to
// be applied here, or in conflict with what is here.
func (r Record) Pending() bool {
	return string(r.Base) != string(r.Remote) || (r.Base == nil) != (r.Remote == nil)
}

// Seen names the newest snapshot that the base file knows.
type Seen struct {
	Snapshot cas.ID // zero: none yet
	Seq      uint64
	Root     cas.ID // the root of the snapshot's tree
}

// Summary is what the trailer of a record file says.
type Summary struct {
	Seen
	Records uint64
	Pending uint64 // records whose Remote differs from Base
	Ignored uint64 // records that are marked so
	body    uint64
}

// ErrDamaged: a record file is not what was written.
var ErrDamaged = errors.New("damaged")

// A Reader reads a record file in path order.
type Reader struct {
	Summary
	file  *os.File
	in    *bufio.Reader
	read  uint64 // bytes of the body read so far
	block []byte // what is left of the current block
	buf   []byte
	path  []byte
	text  strings.Builder // the memory of some paths
}

// OpenBase opens the base of the replica at root. Without a base file it is empty.
func OpenBase(root string) (*Reader, error) {
	f, err := os.Open(filepath.Join(root, Dir, "base"))
	if errors.Is(err, fs.ErrNotExist) {
		return &Reader{Summary: Summary{Seen: Seen{Root: merkle.EmptyRoot()}}}, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := newReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w (remove it to start from an empty base: nothing is deleted, what differs becomes a conflict)", f.Name(), err)
	}
	return r, nil
}

func newReader(f *os.File) (*Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < int64(len(magic)+trailerSize) {
		return nil, fmt.Errorf("%w: only %d bytes", ErrDamaged, info.Size())
	}
	tail := make([]byte, trailerSize)
	if _, err := f.ReadAt(tail, info.Size()-trailerSize); err != nil {
		return nil, err
	}
	r := &Reader{file: f}
	if err := r.Summary.decode(tail); err != nil {
		return nil, err
	}
	if r.body != uint64(info.Size()-trailerSize) {
		return nil, fmt.Errorf("%w: body of %d bytes, not %d", ErrDamaged, info.Size()-trailerSize, r.body)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r.in = bufio.NewReaderSize(io.LimitReader(f, int64(r.body)), 256<<10)
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(r.in, head); err != nil || string(head) != magic {
		return nil, fmt.Errorf("%w: not a base file of version 1", ErrDamaged)
	}
	r.read = uint64(len(magic))
	return r, nil
}

// Next returns the next record; ok is false at the end. The record's slices are
// valid until the following call.
func (r *Reader) Next() (rec Record, ok bool, err error) {
	if len(r.block) == 0 {
		if r.file == nil || r.read == r.body {
			return Record{}, false, nil
		}
		if err := r.nextBlock(); err != nil {
			return Record{}, false, fmt.Errorf("%s: %w", r.file.Name(), err)
		}
	}
	rec, err = r.record()
	if err != nil {
		return Record{}, false, fmt.Errorf("%s: %w", r.file.Name(), err)
	}
	return rec, true, nil
}

// Close releases the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *Reader) nextBlock() error {
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > blockMax {
		return fmt.Errorf("%w: block of %d bytes", ErrDamaged, n)
	}
	if uint32(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	r.block = r.buf[:n]
	if _, err := io.ReadFull(r.in, r.block); err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if crc32.Checksum(r.block, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return fmt.Errorf("%w: checksum of the block at %d", ErrDamaged, r.read)
	}
	r.read += 8 + uint64(n)
	r.path = r.path[:0]
	return nil
}

func (r *Reader) record() (Record, error) {
	shared, err := r.uvarint(uint64(len(r.path)))
	if err != nil {
		return Record{}, err
	}
	rest, err := r.bytes()
	if err != nil {
		return Record{}, err
	}
	r.path = append(r.path[:shared], rest...)
	if len(r.block) == 0 || r.block[0]&^knownFlags != 0 {
		return Record{}, fmt.Errorf("%w: flags", ErrDamaged)
	}
	flags := r.block[0]
	r.block = r.block[1:]
	rec := Record{Path: r.keep(r.path), Ignored: flags&isIgnored != 0}
	if flags&hasBase != 0 {
		if rec.Base, err = r.bytes(); err != nil {
			return Record{}, err
		}
	}
	switch {
	case flags&differs == 0:
		rec.Remote = rec.Base
	case flags&hasRemote != 0:
		rec.Remote, err = r.bytes()
	}
	return rec, err
}

// keep returns path as a string.
func (r *Reader) keep(path []byte) string {
	if r.text.Cap()-r.text.Len() < len(path) {
		r.text = strings.Builder{}
		r.text.Grow(max(textSize, len(path)))
	}
	from := r.text.Len()
	r.text.Write(path)
	return r.text.String()[from:]
}

func (r *Reader) uvarint(limit uint64) (uint64, error) {
	v, n := binary.Uvarint(r.block)
	if n <= 0 || v > limit {
		return 0, fmt.Errorf("%w: number", ErrDamaged)
	}
	r.block = r.block[n:]
	return v, nil
}

func (r *Reader) bytes() ([]byte, error) {
	v, n := binary.Uvarint(r.block)
	if n <= 0 || v > uint64(len(r.block)-n) {
		return nil, fmt.Errorf("%w: length", ErrDamaged)
	}
	b := r.block[n : n+int(v) : n+int(v)]
	r.block = r.block[n+int(v):]
	return b, nil
}

func (s *Summary) decode(b []byte) error {
	if crc32.Checksum(b[:trailerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[trailerSize-4:]) {
		return fmt.Errorf("%w: checksum of the trailer", ErrDamaged)
	}
	copy(s.Snapshot[:], b)
	s.Seq = binary.LittleEndian.Uint64(b[32:])
	copy(s.Root[:], b[40:])
	s.Records = binary.LittleEndian.Uint64(b[72:])
	s.Pending = binary.LittleEndian.Uint64(b[80:])
	s.Ignored = binary.LittleEndian.Uint64(b[88:])
	s.body = binary.LittleEndian.Uint64(b[96:])
	return nil
}

func (s *Summary) encode() []byte {
	b := make([]byte, 0, trailerSize)
	b = append(b, s.Snapshot[:]...)
	b = binary.LittleEndian.AppendUint64(b, s.Seq)
	b = append(b, s.Root[:]...)
	b = binary.LittleEndian.AppendUint64(b, s.Records)
	b = binary.LittleEndian.AppendUint64(b, s.Pending)
	b = binary.LittleEndian.AppendUint64(b, s.Ignored)
	b = binary.LittleEndian.AppendUint64(b, s.body)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}
