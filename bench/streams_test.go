package bench

import (
	"testing"

	"dfs/cas"
)

// TestUploads: each upload is of 2 MiB or, for the sake of whole chunks, a little more; all are
// the bytes that were asked for, and none repeats.
func TestUploads(t *testing.T) {
	r := &run{Options: Options{Seed: 1}, ctx: t.Context()}
	const size = 9<<20 + 7
	list, total, err := r.uploads(size)
	if err != nil || total != size || len(list) < 4 {
		t.Fatalf("%d uploads of %d bytes, %v", len(list), total, err)
	}
	seen := map[cas.ID]bool{}
	for i, blobs := range list {
		n := 0
		for _, b := range blobs {
			if seen[b.ID()] || b.ID() != cas.Sum(b.Plain()) {
				t.Fatalf("%v is not itself, or there twice", b.Ref())
			}
			seen[b.ID()] = true
			n += b.Size()
		}
		if n >= uploadBytes+256<<10 || n < uploadBytes && i < len(list)-1 {
			t.Errorf("an upload of %d bytes", n)
		}
	}
}
