package worktree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// The index's files, index and journal, have one format. Numbers in frames are
// little-endian; varints are those of encoding/binary.
//
//	file    = "dfs-index" version *frame
//	version = %x01
//	frame   = kind length crc payload
//	kind    = "R" / "C" / "E"
//	length  = uint32                        ; of the payload, at most 256 KiB
//	crc     = uint32                        ; CRC-32C of kind, length and payload
//
//	payload of R = 1*record
//	record  = shared suffix flags size mtime ctime ino value [runs]
//	shared  = uvarint                       ; bytes that the path begins with as the record's before it in the frame
//	suffix  = bytes                         ; the rest of the path
//	flags   = byte                          ; 1: racy, 2: runs follow
//	size    = uvarint
//	mtime   = varint uvarint                ; seconds, nanoseconds below 1e9
//	ctime   = varint uvarint
//	ino     = uvarint
//	value   = bytes                         ; the manifest's encoding
//	runs    = uvarint uvarint               ; where in the file its first C frame begins, bytes of all its runs
//	bytes   = uvarint *byte                 ; length first
//
//	payload of C = 1*run                    ; the next runs of a list that begins in this frame or before
//	run     = 32*32byte uvarint uvarint     ; ID, size, count
//
//	payload of E = uint64                   ; how many records the file has
//
// The file index has its records in path order, no path twice, and ends with E.
// The journal has them as they came, the later one of a path counts, and no E;
// it ends before the first frame that is incomplete or does not match its crc.
//
// An index of one empty file named a with the inode 7, times 1 and 2 and the value ff:
//
//	64 66 73 2d 69 6e 64 65 78 01                          dfs-index, version 1
//	52 0c 00 00 00 09 63 63 fd                             R, 12 bytes
//	00 01 61 00 00 02 00 04 00 07 01 ff
//	45 08 00 00 00 4f a3 c3 84 01 00 00 00 00 00 00 00     E, 1 record
const (
	fileHeader  = "dfs-index\x01"
	frameHeader = 9
	maxFrame    = 256 << 10
	frameGoal   = 64 << 10 // when a frame of records is written

	frameRecords = 'R'
	frameChunks  = 'C'
	frameEnd     = 'E'

	endSize = frameHeader + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frameSum(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:5], castagnoli), castagnoli, payload)
}

// frameWriter writes an index or a journal. pending are records that belong
// into the next frame.
type frameWriter struct {
	file     *os.File
	at       int64
	buf      []byte // frameHeader bytes of room, then the pending records
	previous string
	records  uint64
}

func newFrameWriter(f *os.File, at int64) *frameWriter {
	return &frameWriter{file: f, at: at, buf: make([]byte, frameHeader, frameHeader+maxFrame)}
}

func (w *frameWriter) header() error {
	n, err := w.file.WriteAt([]byte(fileHeader), 0)
	w.at = int64(n)
	return err
}

func (w *frameWriter) add(r *Record) error {
	if len(r.Path) > maxPath || len(r.Value) > 64<<10 {
		return fmt.Errorf("index record of %d + %d bytes", len(r.Path), len(r.Value))
	}
	at, err := w.list(r.Runs)
	switch {
	case errors.Is(err, errDamaged):
		whole := *r
		whole.Runs = Runs{} // the record is of use without it
		r = &whole
	case err != nil:
		return err
	}
	w.buf = appendRecord(w.buf, w.previous, r, at)
	w.previous = r.Path
	w.records++
	if len(w.buf) >= frameGoal {
		return w.flush()
	}
	return nil
}

// list writes the frames of a list and returns where they begin.
func (w *frameWriter) list(l Runs) (at int64, err error) {
	if l.Empty() {
		return 0, nil
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	at = w.at
	for part, err := range l.parts() {
		if err == nil {
			err = w.frame(frameChunks, append(make([]byte, frameHeader), part...))
		}
		if err != nil {
			return 0, err
		}
	}
	return at, nil
}

// flush writes the pending records.
func (w *frameWriter) flush() error {
	if len(w.buf) == frameHeader {
		return nil
	}
	err := w.frame(frameRecords, w.buf)
	w.buf, w.previous = w.buf[:frameHeader], ""
	return err
}

func (w *frameWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.frame(frameEnd, binary.LittleEndian.AppendUint64(make([]byte, frameHeader), w.records))
}

// frame writes a frame whose payload begins at b[frameHeader].
func (w *frameWriter) frame(kind byte, b []byte) error {
	payload := b[frameHeader:]
	b[0] = kind
	binary.LittleEndian.PutUint32(b[1:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[5:], frameSum(b, payload))
	n, err := w.file.WriteAt(b, w.at)
	w.at += int64(n)
	return err
}

// frameReader reads frames one after the other.
type frameReader struct {
	file io.ReaderAt
	at   int64
	buf  []byte
}

// next returns the next frame, valid until the next call: io.EOF at the end of
// the file, errDamaged for what is not a whole frame.
func (r *frameReader) next() (kind byte, payload []byte, err error) {
	var header [frameHeader]byte
	n, err := r.file.ReadAt(header[:], r.at)
	switch {
	case n == 0 && err == io.EOF:
		return 0, nil, io.EOF
	case n < frameHeader && err != nil && err != io.EOF:
		return 0, nil, err
	}
	size := binary.LittleEndian.Uint32(header[1:])
	if n < frameHeader || size > maxFrame {
		return 0, nil, errDamaged
	}
	if int(size) > cap(r.buf) {
		r.buf = make([]byte, max(size, frameGoal+frameGoal/4))
	}
	r.buf = r.buf[:size]
	if n, err = r.file.ReadAt(r.buf, r.at+frameHeader); n < int(size) {
		if err == io.EOF {
			err = errDamaged
		}
		return 0, nil, err
	}
	if frameSum(header[:], r.buf) != binary.LittleEndian.Uint32(header[5:]) {
		return 0, nil, errDamaged
	}
	r.at += frameHeader + int64(size)
	return header[0], r.buf, nil
}

// recordReader reads the records of a file, skipping chunk lists.
type recordReader struct {
	frames frameReader
	rest   decoder
	good   int64 // end of the last frame that was whole
	begin  int64 // of the record's frame
	nth    int   // which of its frame the record is
	path   []byte
	Record // all but Path; Value is valid until next is called
}

func newRecordReader(file io.ReaderAt) recordReader {
	start := int64(len(fileHeader))
	return recordReader{frames: frameReader{file: file, at: start}, good: start}
}

// next reads the next record into r; false at the end or before what is damaged.
func (r *recordReader) next() bool {
	for len(r.rest.b) == 0 {
		kind, payload, err := r.frames.next()
		if err != nil || kind == frameEnd {
			return false
		}
		r.good = r.frames.at
		if kind == frameRecords {
			r.rest, r.path = decoder{b: payload}, r.path[:0]
			r.begin, r.nth = r.good-int64(frameHeader+len(payload)), -1
		}
	}
	shared, suffix, err := r.rest.record(r.frames.file, &r.Record)
	if err != nil || shared > uint64(len(r.path)) {
		r.rest.b = nil
		return false
	}
	r.path = append(r.path[:shared], suffix...)
	r.nth++
	return true
}
