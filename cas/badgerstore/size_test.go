package badgerstore

import (
	"testing"

	"dfs/cas"
	"dfs/cas/castest"
)

// TestSize: what is stored takes room, and what is stored already takes no more.
func TestSize(t *testing.T) {
	s := openStore(t, t.TempDir(), small)
	defer closeStore(t, s)
	size := func() int64 {
		t.Helper()
		n, err := s.Size()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := size()
	var many []cas.Blob
	stored := int64(0)
	for i := range 100 {
		b := cas.Seal(cas.Chunk, castest.Bytes(uint64(i), 100_000))
		many, stored = append(many, b), stored+100_000
	}
	put := func() {
		t.Helper()
		if err := s.Put(t.Context(), castest.Volume(1), many); err != nil {
			t.Fatal(err)
		}
		if err := s.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	put()
	once := size()
	if once-before < stored {
		t.Errorf("%d bytes in a store of %d, then %d", stored, before, once)
	}
	put()
	if twice := size(); twice-once > stored/2 {
		t.Errorf("%d bytes, and %d after the same again", once, twice)
	}
}
