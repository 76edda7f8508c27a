package badgerstore

import (
	"sync"

	"dfs/cas"
)

// recentSize is how many holdings a generation remembers, at some 100 bytes each.
const recentSize = 1 << 16

// holding is that a volume holds a blob.
type holding struct {
	ref    cas.Ref
	volume cas.VolumeID
}

// recent remembers holdings that were written lately, with their sizes, which spares asking Badger
// about them: what is uploaded is asked about again by its commit. It has two
// generations, of which the older is forgotten when the younger is full. It is safe for
// concurrent use.
type recent struct {
	mu         sync.RWMutex
	young, old map[holding]int32 // sizes
}

// size returns the size of a blob that v is remembered to hold, and whether it is.
func (r *recent) size(ref cas.Ref, v cas.VolumeID) (int, bool) {
	h := holding{ref, v}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if n, ok := r.young[h]; ok {
		return int(n), true
	}
	n, ok := r.old[h]
	return int(n), ok
}

// add remembers what is written.
func (r *recent) add(v cas.VolumeID, blobs []sized) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range blobs {
		if len(r.young) == recentSize || r.young == nil {
			r.young, r.old = make(map[holding]int32), r.young
		}
		r.young[holding{b.ref, v}] = int32(b.size)
	}
}
