package badgerstore

import (
	"encoding/binary"
	"testing"

	"dfs/cas"
	"dfs/cas/castest"
)

// TestRecent: what was added lately is known, for its volume alone, and memory is bounded.
func TestRecent(t *testing.T) {
	var r recent
	ref := func(n int) (ref cas.Ref) {
		ref.Kind = cas.Chunk
		binary.BigEndian.PutUint64(ref.ID[:], uint64(n))
		return ref
	}
	const all = 3 * recentSize
	for n := range all {
		r.add(castest.Volume(1), []sized{{ref(n), n}})
	}
	if len(r.young)+len(r.old) > 2*recentSize {
		t.Errorf("%d holdings are remembered", len(r.young)+len(r.old))
	}
	for n := all - recentSize; n < all; n++ {
		if size, ok := r.size(ref(n), castest.Volume(1)); !ok || size != n {
			t.Fatalf("holding %d: size %d, %v", n, size, ok)
		}
	}
	if _, ok := r.size(ref(0), castest.Volume(1)); ok {
		t.Error("the first holding is still remembered")
	}
	if _, ok := r.size(ref(all-1), castest.Volume(2)); ok {
		t.Error("another volume holds it too")
	}
}
