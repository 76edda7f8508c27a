package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"dfs/cas"
	"dfs/manifest"
)

// maxText bounds an error's message and code; longer ones are cut by the sender.
const maxText = 4096

func appendBytes[T ~string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// appendManifests appends each manifest that is there. The error is that one is not valid.
func appendManifests(dst []byte, ms ...*manifest.Manifest) ([]byte, error) {
	for _, m := range ms {
		if m == nil {
			continue
		}
		b, err := m.Encode()
		if err != nil {
			return dst, err
		}
		dst = appendBytes(dst, b)
	}
	return dst, nil
}

func appendRefs(dst []byte, refs []cas.Ref) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(refs)))
	for _, r := range refs {
		dst = append(append(dst, byte(r.Kind)), r.ID[:]...)
	}
	return dst
}

func appendPaths(dst []byte, paths []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(paths)))
	for _, p := range paths {
		dst = appendBytes(dst, p)
	}
	return dst
}

func bit(set bool, mask byte) byte {
	if set {
		return mask
	}
	return 0
}

// A decoder takes the primitives of a message from its front. Its first error
// sticks and makes every later result zero.
type decoder struct {
	buf []byte
	err error
}

var errShort = errors.New("ends early")

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes, or nil after an error.
func (d *decoder) take(n int) []byte {
	if d.err == nil && n > len(d.buf) {
		d.err = errShort
	}
	if d.err != nil {
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// flags reads a byte of which only the bits of mask may be set.
func (d *decoder) flags(mask byte) byte {
	f := d.byte()
	if f&^mask != 0 {
		d.fail("unknown flags %#x", f)
		return 0
	}
	return f
}

func (d *decoder) uvarint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.buf)
	switch {
	case n == 0:
		d.err = errShort
	case n < 0:
		d.fail("number above 64 bits")
	case n > 1 && d.buf[n-1] == 0:
		d.fail("number not in its shortest form")
	default:
		d.buf = d.buf[n:]
		return v
	}
	return 0
}

// number reads an integer of at most 31 bits.
func (d *decoder) number() int {
	v := d.uvarint()
	if v > 1<<31-1 {
		d.fail("number %d is too large", v)
		return 0
	}
	return int(v)
}

// count reads the number of elements that follow, each of at least size bytes.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.buf)/size) {
		d.fail("%d elements do not fit in %d bytes", n, len(d.buf))
		return 0
	}
	return int(n)
}

// bytes reads a length of at most max and that many bytes.
func (d *decoder) bytes(max int) []byte {
	n := d.uvarint()
	if n > uint64(max) {
		d.fail("%d bytes are more than %d", n, max)
		return nil
	}
	return d.take(int(n))
}

// text reads UTF-8 of at most max bytes.
func (d *decoder) text(max int) string {
	s := string(d.bytes(max))
	if !utf8.ValidString(s) {
		d.fail("%q is not UTF-8", s)
	}
	return s
}

func (d *decoder) id() (id cas.ID) {
	copy(id[:], d.take(len(id)))
	return id
}

func (d *decoder) volume() (v cas.VolumeID) {
	copy(v[:], d.take(len(v)))
	return v
}

// path reads a path as manifest.CheckPath allows it.
func (d *decoder) path() string {
	p := string(d.bytes(manifest.MaxPath))
	if d.err == nil {
		d.err = manifest.CheckPath(p)
	}
	return p
}

func (d *decoder) paths() []string {
	n := d.count(2)
	var paths []string
	for range n {
		paths = append(paths, d.path())
	}
	return paths
}

// manifest reads a manifest, or returns nil when present is false.
func (d *decoder) manifest(present bool) *manifest.Manifest {
	if !present {
		return nil
	}
	b := d.bytes(manifest.MaxEncoded)
	if d.err != nil {
		return nil
	}
	m, err := manifest.Decode(b)
	if err != nil {
		d.err = err
		return nil
	}
	return m
}

func (d *decoder) refs() []cas.Ref {
	n := d.count(33)
	if n == 0 {
		return nil
	}
	refs := make([]cas.Ref, n)
	for i := range refs {
		refs[i] = cas.Ref{Kind: cas.Kind(d.byte()), ID: d.id()}
		if d.err == nil && !refs[i].Kind.Valid() {
			d.fail("unknown blob %v", refs[i].Kind)
		}
	}
	return refs
}

// end returns the first error; bytes that are left over are one.
func (d *decoder) end(what string) error {
	if d.err == nil && len(d.buf) > 0 {
		d.fail("%d bytes too many", len(d.buf))
	}
	if d.err != nil {
		return &Error{Code: ErrInvalid.Code, Message: what + ": " + d.err.Error()}
	}
	return nil
}
