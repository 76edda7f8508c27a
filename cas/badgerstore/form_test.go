package badgerstore

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
	"dfs/cas/castest"
)

// unsized has v hold the blobs as a store of before sizes were kept says it: by keys with
// these values.
func unsized(t *testing.T, s *Store, v cas.VolumeID, refs []cas.Ref, value []byte) {
	t.Helper()
	var pairs []pair
	for _, ref := range refs {
		pairs = append(pairs, pair{held: badger.NewEntry(heldKey(ref, v), value)})
	}
	if err := s.write(t.Context(), pairs); err != nil {
		t.Fatal(err)
	}
}

// forms returns blobs of sizes on both sides of every limit, raw and compressed.
func forms() (out []cas.Blob, sizes []int) {
	for i, size := range []int{0, 1, 127, 128, 129, 16382, 16383, 16384, 16385, 64 << 10, 256 << 10, cas.MaxSize - 1, cas.MaxSize} {
		text := cas.Seal(cas.Chunk, bytes.Repeat([]byte{byte(i)}, size))
		out = append(out, cas.Seal(cas.Chunk, castest.Bytes(uint64(i), size)), cas.NewCodec(cas.CompressBulk).Compress(text, nil))
		sizes = append(sizes, size, size)
	}
	return out, sizes
}

// TestSizesOfBefore: what volumes hold since before sizes were kept has its size by its data, and is taken over with it.
func TestSizesOfBefore(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	defer closeStore(t, s)
	blobs, sizes := forms()
	refs := castest.Refs(blobs)
	if err := s.Put(t.Context(), castest.Volume(1), blobs); err != nil {
		t.Fatal(err)
	}
	unsized(t, s, castest.Volume(2), refs, nil)
	unsized(t, s, castest.Volume(3), refs, []byte{7: 1})
	for _, c := range []struct {
		by    int
		scope []cas.VolumeID
	}{{2, nil}, {3, nil}, {4, []cas.VolumeID{castest.Volume(2)}}, {5, []cas.VolumeID{castest.Volume(3)}}, {6, []cas.VolumeID{castest.Volume(4)}}} {
		s.recent = recent{}
		got, err := s.Sizes(t.Context(), castest.Volume(c.by), cas.Scope{Volumes: c.scope}, refs)
		if err != nil || !slices.Equal(got, sizes) {
			t.Errorf("volume %d: %v, %v, not %v", c.by, got, err, sizes)
		}
		if n := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{castest.Volume(c.by)}}, refs); n != len(refs) {
			t.Errorf("volume %d reads %d of %d", c.by, n, len(refs))
		}
	}
}

// TestSizeNotReadable: a blob whose size cannot be read is corrupt to who holds it, and absent to who would take it over,
// who then brings it.
func TestSizeNotReadable(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	defer closeStore(t, s)
	text := cas.NewCodec(cas.CompressBulk).Compress(cas.Seal(cas.Chunk, bytes.Repeat([]byte("x"), 1000)), nil)
	refs := []cas.Ref{text.Ref()}
	if err := s.Put(t.Context(), castest.Volume(1), []cas.Blob{text}); err != nil {
		t.Fatal(err)
	}
	damage := badger.NewEntry(dataKey(text.Ref()), []byte{1}).WithMeta(byte(cas.S2))
	if err := s.write(t.Context(), []pair{{held: damage}}); err != nil {
		t.Fatal(err)
	}
	unsized(t, s, castest.Volume(1), refs, nil)
	s.recent = recent{}
	if _, err := s.Sizes(t.Context(), castest.Volume(1), cas.Scope{}, refs); !errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("of the holder: %v", err)
	}
	if got, err := s.Sizes(t.Context(), castest.Volume(2), cas.Everything(), refs); err != nil || got[0] != cas.Absent {
		t.Errorf("of another: %v, %v", got, err)
	}
	if err := s.Put(t.Context(), castest.Volume(2), []cas.Blob{text}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Sizes(t.Context(), castest.Volume(1), cas.Scope{}, refs); err != nil || got[0] != 1000 {
		t.Errorf("of the holder, after it came again: %v, %v", got, err)
	}
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	if _, err := plainSize(txn, cas.Ref{Kind: cas.Chunk}); !errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("without data: %v", err)
	}
}
