package cas

import "fmt"

// MaxSize bounds the plain bytes of a blob.
const MaxSize = 1 << 20

// Encoding says how a blob's stored bytes derive from its plain bytes.
type Encoding byte

// The encodings.
const (
	Raw  Encoding = 0 // the plain bytes themselves
	S2   Encoding = 1 // an S2 block (github.com/klauspost/compress/s2)
	Zstd Encoding = 2 // Zstandard (RFC 8878)
)

// Blob is bytes that are proven to match their ID. The zero Blob is not valid.
// A Blob refers to the byte slices it was made from; their owner must not
// change them while the Blob is in use.
type Blob struct {
	ref   Ref
	enc   Encoding
	data  []byte // as stored and sent
	plain []byte // decoded; the same slice as data when enc is Raw
}

// Seal makes the blob of plain bytes, which it does not copy. No store takes a
// blob of more than [MaxSize] bytes.
func Seal(kind Kind, plain []byte) Blob {
	return Blob{ref: Ref{kind, Sum(plain)}, data: plain, plain: plain}
}

// Ref returns the blob's kind and ID.
func (b Blob) Ref() Ref { return b.ref }

// ID returns the blob's ID.
func (b Blob) ID() ID { return b.ref.ID }

// Encoding says how Data is encoded.
func (b Blob) Encoding() Encoding { return b.enc }

// Data returns the bytes as they are stored and sent. The caller must not change them.
func (b Blob) Data() []byte { return b.data }

// Plain returns the plain bytes. The caller must not change them.
func (b Blob) Plain() []byte { return b.plain }

// Size returns the number of plain bytes.
func (b Blob) Size() int { return len(b.plain) }

// Storable returns nil when a store may take b, else what is wrong with it: it
// is above [MaxSize], or of no kind.
func (b Blob) Storable() error {
	if !b.ref.Kind.Valid() {
		return fmt.Errorf("%v: not a kind of blob", b.ref)
	}
	if len(b.plain) > MaxSize {
		return fmt.Errorf("%v: its %d bytes are above %d", b.ref, len(b.plain), MaxSize)
	}
	return nil
}

// Check verifies that data, decoded by enc, has exactly size bytes that match
// ref, and returns the blob. The blob refers to data and, unless enc is [Raw],
// to its plain bytes, which are decoded into scratch when that has the capacity
// and into new memory when not. Errors are [*CorruptError]. New memory is
// bounded by size, which must be ≤ [MaxSize], whatever data claims or decodes
// to: a hostile Zstandard frame is refused after at most three times as much.
func Check(ref Ref, enc Encoding, size int, data, scratch []byte) (Blob, error) {
	if size < 0 || size > MaxSize {
		return Blob{}, &CorruptError{ref, fmt.Sprintf("size %d is above %d", size, MaxSize)}
	}
	plain, err := decode(enc, size, data, scratch)
	if err != nil {
		return Blob{}, &CorruptError{ref, err.Error()}
	}
	if got := Sum(plain); got != ref.ID {
		return Blob{}, &CorruptError{ref, "bytes have SHA-256 " + got.String()}
	}
	return Blob{ref: ref, enc: enc, data: data, plain: plain}, nil
}
