package hub

import (
	"context"
	"iter"

	"dfs/cas"
	"dfs/server/api"
)

// SessionStates counts the sessions that have not ended, by their state.
func (h *Hub) SessionStates() map[api.State]int {
	counts := make(map[api.State]int)
	for _, s := range h.allSessions() {
		if state := s.info().State; !ended(state) {
			counts[state]++
		}
	}
	return counts
}

// StoreSize returns how many bytes the blobs take on disk; 0 when the store does not tell.
func (h *Hub) StoreSize() (int64, error) {
	if err := h.enter(); err != nil {
		return 0, err
	}
	defer h.leave()
	if sized, ok := h.store.(interface{ Size() (int64, error) }); ok {
		return sized.Size()
	}
	return 0, nil
}

// Recompare is [Hub.Changes] for who looks whether the store still gives back what a volume has:
// nothing is said of it on the bus.
func (h *Hub) Recompare(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	return h.changes(ctx, req, func(cas.VolumeID, tally) {})
}

// Reread is [Hub.Blobs] for the same.
func (h *Hub) Reread(ctx context.Context, v cas.VolumeID, refs []cas.Ref, fn func(cas.Blob) error) error {
	return h.read(ctx, v, refs, fn)
}
