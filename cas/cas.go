// Package cas is content-addressed storage: immutable bytes named by their SHA-256.
//
// A [Blob] is bytes together with the proof that they match their [ID]: it is
// made only by [Seal], which computes the ID, and [Check], which verifies it,
// so bytes are verified once per trust boundary and never trusted by type
// alone. A [Store] keeps blobs and remembers which volumes may see each.
//
// The package knows nothing of files, trees, networks or disks.
package cas

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/minio/sha256-simd"
)

// ID names a blob: the SHA-256 of its plain (uncompressed) bytes.
type ID [32]byte

// Sum returns the ID of plain bytes.
func Sum(plain []byte) ID { return sha256.Sum256(plain) }

// ParseID reads the 64 lower-case hexadecimal digits that [ID.String] writes.
// Every other spelling is refused.
func ParseID(s string) (ID, error) {
	var id ID
	if err := parseHex(id[:], s); err != nil {
		return ID{}, fmt.Errorf("ID %q: %w", s, err)
	}
	return id, nil
}

func parseHex(dst []byte, s string) error {
	if len(s) != 2*len(dst) {
		return fmt.Errorf("not %d hexadecimal digits", 2*len(dst))
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("not lower-case hexadecimal at %d", i)
		}
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}

// String returns the ID as 64 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 digits, for messages.
func (id ID) Short() string { return hex.EncodeToString(id[:4]) }

// IsZero reports whether id is the zero ID, which names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders IDs by their bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// MarshalText implements [encoding.TextMarshaler] with the form of [ID.String].
// The zero ID is the empty text.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ID.MarshalText].
func (id *ID) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	*id, err = ParseID(string(text))
	return err
}

// Kind says what a blob is for. It stands in the store's key and is demanded by
// every reader, so bytes stored as one kind never pass for another.
type Kind byte

// The kinds of blobs.
const (
	Chunk    Kind = 'c' // a piece of a file's content
	Page     Kind = 'p' // a list of chunks of one large file
	Node     Kind = 'n' // a node of a tree
	Snapshot Kind = 's' // a snapshot record
)

// Valid reports whether k is one of the kinds above.
func (k Kind) Valid() bool { return k == Chunk || k == Page || k == Node || k == Snapshot }

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Chunk:
		return "chunk"
	case Page:
		return "page"
	case Node:
		return "node"
	case Snapshot:
		return "snapshot"
	}
	return fmt.Sprintf("kind(%d)", byte(k))
}

// Ref names a blob of a kind.
type Ref struct {
	Kind Kind
	ID   ID
}

// String returns the kind and the first digits of the ID, for messages.
func (r Ref) String() string { return r.Kind.String() + " " + r.ID.Short() + "…" }

// VolumeID is the random identity of a volume.
type VolumeID [16]byte

// ParseVolumeID reads the 32 lower-case hexadecimal digits of [VolumeID.String].
func ParseVolumeID(s string) (VolumeID, error) {
	var v VolumeID
	if err := parseHex(v[:], s); err != nil {
		return VolumeID{}, fmt.Errorf("volume ID %q: %w", s, err)
	}
	return v, nil
}

// String returns the volume ID as 32 lower-case hexadecimal digits.
func (v VolumeID) String() string { return hex.EncodeToString(v[:]) }

// IsZero reports whether v is the zero volume ID, which names nothing.
func (v VolumeID) IsZero() bool { return v == VolumeID{} }

// MarshalText implements [encoding.TextMarshaler] with the form of [VolumeID.String].
func (v VolumeID) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *VolumeID) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVolumeID(string(text))
	return err
}

// The contract's errors. Each is found with [errors.Is] through any wrapping
// and across HTTP.
var (
	// ErrNotFound: no volume of the caller's scope holds the blob.
	ErrNotFound = errors.New("blob not found")
	// ErrNoSpace: storing would go below the free-space reserve.
	ErrNoSpace = errors.New("no space left in the store")
	// ErrPoisoned: an earlier I/O error leaves it unknown what is stored; the
	// store refuses writes until it is opened again.
	ErrPoisoned = errors.New("store stopped after an I/O error")
	// ErrCorrupt: bytes do not match the ID they stand under, or are not what names them says. Errors of this
	// kind are a [*CorruptError].
	ErrCorrupt = errors.New("corrupt blob")
)

// CorruptError says which blob's bytes do not match their ID, or what names them.
type CorruptError struct {
	Ref    Ref
	Detail string // what is wrong: "has SHA-256 …", "s2: corrupt input", …
}

func (e *CorruptError) Error() string { return fmt.Sprintf("corrupt %v: %s", e.Ref, e.Detail) }

// Is makes errors.Is(err, [ErrCorrupt]) hold.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
