package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dfs/cas"
)

// version is the first byte of every encoding.
const version = 1

var (
	errShort      = errors.New("ends too early")
	errNotMinimal = errors.New("integer is not in its shortest form")
)

// decoder reads the fields of an encoding. After its first error, which it keeps,
// every field reads as zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.rest = err, nil
	}
}

// take returns the next n bytes, which are the encoding's own.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail(errShort)
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) version() {
	if v := d.byte(); d.err == nil && v != version {
		d.fail(fmt.Errorf("version %d is not known", v))
	}
}

// uint reads an integer of at most limit.
func (d *decoder) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	switch {
	case n == 0:
		d.fail(errShort)
	case n < 0 || v > limit:
		d.fail(fmt.Errorf("integer above %d", limit))
	case n > 1 && d.rest[n-1] == 0:
		d.fail(errNotMinimal)
	default:
		d.rest = d.rest[n:]
		return v
	}
	return 0
}

func (d *decoder) int() int64 {
	u := d.uint(1<<64 - 1)
	return int64(u>>1) ^ -int64(u&1)
}

// bytes reads a length of at most limit and so many bytes, which are the encoding's own.
func (d *decoder) bytes(limit uint64) []byte { return d.take(d.uint(limit)) }

func (d *decoder) id() (id cas.ID) {
	copy(id[:], d.take(uint64(len(id))))
	return id
}

func (d *decoder) volume() (v cas.VolumeID) {
	copy(v[:], d.take(uint64(len(v))))
	return v
}

func (d *decoder) time() Time { return Time{Sec: d.int(), Nsec: uint32(d.uint(1e9 - 1))} }

func (d *decoder) run() Run {
	head := d.uint(1<<33 - 1)
	r := Run{Size: uint32(head >> 1), Count: 1}
	if head&1 != 0 {
		r.Count = d.uint(maxContent) + 2
	}
	r.ID = d.id()
	return r
}

// end returns the first error; that bytes are left over is one too.
func (d *decoder) end() error {
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.rest))
	}
	return d.err
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendTime(b []byte, t Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Sec), uint64(t.Nsec))
}

func appendRun(b []byte, r Run) []byte {
	if r.Count == 1 {
		b = binary.AppendUvarint(b, uint64(r.Size)<<1)
	} else {
		b = binary.AppendUvarint(b, uint64(r.Size)<<1|1)
		b = binary.AppendUvarint(b, r.Count-2)
	}
	return append(b, r.ID[:]...)
}
