package hub

import (
	"cmp"
	"context"
	"slices"

	"dfs/cas"
	"dfs/server/api"
)

// Sessions implements [api.Hub].
func (h *Hub) Sessions(ctx context.Context, v cas.VolumeID) ([]api.SessionInfo, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.leave()
	if !v.IsZero() {
		if _, err := h.reach(ctx, v, api.RightRead); err != nil {
			return nil, err
		}
	}
	if err := h.sweep(); err != nil {
		return nil, wire(err)
	}
	caller := api.CallerOf(ctx)
	return h.list(func(info *api.SessionInfo) bool {
		return !ended(info.State) && (v.IsZero() || info.Volume == v) && caller.May(info.Volume, api.RightRead)
	}), nil
}

// list returns the sessions that keep wants, the oldest first.
func (h *Hub) list(keep func(*api.SessionInfo) bool) []api.SessionInfo {
	infos := []api.SessionInfo{}
	for _, s := range h.allSessions() {
		if info := s.info(); keep(&info) {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b api.SessionInfo) int {
		return cmp.Or(a.Started.Compare(b.Started), slices.Compare(a.ID[:], b.ID[:]))
	})
	return infos
}

// AbortSession implements [api.Hub].
func (h *Hub) AbortSession(ctx context.Context, id api.SessionID) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	return wire(h.abortSession(ctx, id))
}

func (h *Hub) abortSession(ctx context.Context, id api.SessionID) error {
	h.starting.Lock()
	defer h.starting.Unlock()
	h.mu.Lock()
	s := h.sessions[id]
	h.mu.Unlock()
	caller := api.CallerOf(ctx)
	switch {
	case s == nil || !caller.May(s.slot.volume, api.RightRead):
		return noSession(id)
	case !caller.May(s.slot.volume, api.RightAdmin):
		return refuse(api.ErrForbidden, "session %v: only who administers its volume may end it", id)
	}
	live, sealed := s.abort()
	switch {
	case sealed:
		return refuse(api.ErrState, "session %v: its commit is under way", id)
	case live:
		return h.drop(s)
	}
	return nil
}
