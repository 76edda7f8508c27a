// Package chunker cuts content into chunks at boundaries that the content
// itself chooses, so that an insertion moves boundaries only near it. It is
// pure: it reads what it is given, and stores and hashes nothing.
//
// # Profile 1 (frozen)
//
// Boundaries are those of the Rabin chunker of github.com/restic/chunker over
// a window of 64 bytes with
//
//	polynomial  0x3b08c1fa47da97, irreducible, of degree 53
//	Min         49,152 bytes  (48 KiB)
//	Max         262,144 bytes (256 KiB)
//	mask        2^14 - 1
//
// A chunk begins at the start of the content or where the one before it ends.
// It ends at the first place, at least Min bytes on, where the fingerprint of
// the last 64 bytes, with the lowest 14 bits looked at, is zero; else Max
// bytes on; else where the content ends. So all chunks but the last have Min
// to Max bytes, 64 KiB on average; content of up to Min bytes is one chunk,
// empty content has none, and where a chunk ends depends on nothing but its own bytes. The
// fingerprint of zeros is zero: inside a hole every chunk is the one of
// [ZeroID].
//
// The fingerprint is the remainder modulo the polynomial of the window's bytes
// as a polynomial over GF(2), the first byte's highest bit the highest
// coefficient. The window starts out at Min-64 bytes into the chunk as the
// byte 1 followed by 63 zeros, of which the 1 is the first to leave: it is full
// of content at Min.
//
// The polynomial is the first irreducible one that restic/chunker's
// DerivePolynomial draws from the first 8 bytes each of the SHA-256 of
// "dfs chunking profile 1" followed by 0, 1, 2, … as 8 bytes big-endian.
//
// [Chunker] cuts a stream; [Parallel] cuts a large file on several cores, at
// the same places.
package chunker

import (
	"fmt"
	"io"

	"dfs/cas"
)

// Profile1 is the number of the chunking profile that this package implements.
const Profile1 = 1

// The bounds of profile 1, in bytes: all chunks of a file but the last have at
// least Min, and none has more than Max.
const (
	Min = 48 << 10
	Max = 256 << 10
)

// CheckProfile refuses a profile number that this version does not know.
func CheckProfile(number uint8) error {
	if number != Profile1 {
		return fmt.Errorf("chunking profile %d is not known", number)
	}
	return nil
}

// ZeroID is the ID of the chunk of Min zero bytes. Where a chunk begins inside a hole
// that goes on for n bytes, the next n/Min chunks are this one, so they
// need not be read; cutting goes on after them.
func ZeroID() cas.ID {
	return cas.ID{
		0x2a, 0xae, 0x7d, 0xc8, 0x46, 0xaa, 0xf2, 0x5f, 0x1c, 0xad, 0xf5, 0x5f, 0x16, 0x66, 0x86, 0x20,
		0x46, 0xc6, 0xdb, 0x9d, 0x65, 0xd8, 0x4b, 0xdc, 0x07, 0xfa, 0x03, 0x9d, 0xac, 0x40, 0x56, 0x06,
	}
}

// step is how much is read beyond Min at a time in search of a boundary. What
// is read beyond the boundary is copied once more, half a step on average.
const step = 16 << 10

// A Chunker cuts a stream into chunks. It keeps less than 32 KiB of its own and
// can be used for any number of streams, one after another.
type Chunker struct {
	r       io.Reader
	err     error // of r, once it came; io.EOF at the end
	cutter  cutter
	ahead   [step]byte
	pending []byte // what of ahead was read beyond the last boundary
}

// New returns a Chunker of r.
func New(r io.Reader) *Chunker {
	c := new(Chunker)
	c.Reset(r)
	return c
}

// Reset makes c cut r, forgetting what it had before.
func (c *Chunker) Reset(r io.Reader) {
	c.r, c.err, c.pending = r, nil, nil
	c.cutter.begin()
}

// Next returns the next chunk, never an empty one, in the memory of buf where
// that suffices (what buf holds is lost) and in new memory otherwise, so a caller that passes
// the former chunk has it overwritten, and one that passes nil may keep
// each. A capacity of Max always suffices; one of the file's size does for a
// file of up to Min bytes. At the end the error is io.EOF. An error of the reader is returned as it
// is, without the bytes since the last boundary. After any error every call returns it
// until Reset.
func (c *Chunker) Next(buf []byte) ([]byte, error) {
	buf = append(buf[:0], c.pending...)
	c.pending = nil
	scanned := 0
	for want := Min + step; ; want += step {
		buf = c.fill(buf, want)
		if c.err != nil && (c.err != io.EOF || len(buf) == 0) {
			return nil, c.err
		}
		end := c.cutter.end(buf, scanned, c.err == io.EOF)
		if end < 0 {
			scanned = len(buf)
			continue
		}
		c.pending = c.ahead[:copy(c.ahead[:], buf[end:])]
		return buf[:end], nil
	}
}

// fill reads until buf holds n bytes or the reader has an error. It grows buf
// only for bytes that it has got.
func (c *Chunker) fill(buf []byte, n int) []byte {
	for idle := 0; len(buf) < n && c.err == nil; {
		free := buf[len(buf):min(cap(buf), n)]
		var got int
		if len(free) > 0 {
			got, c.err = c.r.Read(free)
			buf = buf[:len(buf)+got]
		} else {
			got, c.err = c.r.Read(c.ahead[:min(step, n-len(buf))])
			buf = append(buf, c.ahead[:got]...)
		}
		if idle++; got > 0 {
			idle = 0
		}
		if idle == 100 && c.err == nil {
			c.err = io.ErrNoProgress
		}
	}
	return buf
}
