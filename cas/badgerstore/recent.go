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

// recent remembers holdings that were written lately, which spares asking Badger
// about them: what is uploaded is asked about again by its commit. It has two
// generations, of which the older is forgotten when the younger is full. It is safe for
// concurrent use.
type recent struct {
	mu         sync.RWMutex
	young, old map[holding]struct{}
}

func (r *recent) has(ref cas.Ref, v cas.VolumeID) bool {
	h := holding{ref, v}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.young[h]; ok {
		return true
	}
	_, ok := r.old[h]
	return ok
}

// add remembers what is written.
func (r *recent) add(v cas.VolumeID, refs []cas.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ref := range refs {
		if len(r.young) == recentSize || r.young == nil {
			r.young, r.old = make(map[holding]struct{}), r.young
		}
		r.young[holding{ref, v}] = struct{}{}
	}
}
