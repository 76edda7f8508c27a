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
	return h.list(caller, func(info *api.SessionInfo) bool {
		return !ended(info.State) && (v.IsZero() || info.Volume == v) && caller.May(info.Volume, api.RightRead)
	}), nil
}

// list returns the sessions that keep wants, the oldest first, with the owners that the caller may know.
func (h *Hub) list(caller *api.Caller, keep func(*api.SessionInfo) bool) []api.SessionInfo {
	infos := []api.SessionInfo{}
	for _, s := range h.allSessions() {
		if info := s.info(); keep(&info) {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b api.SessionInfo) int {
		return cmp.Or(a.Started.Compare(b.Started), slices.Compare(a.ID[:], b.ID[:]))
	})
	h.nameOwners(caller, infos)
	return infos
}

// nameOwners completes the sessions with the names of their owners. Who does not administer the hub learns of
// no owner but itself.
func (h *Hub) nameOwners(caller *api.Caller, infos []api.SessionInfo) {
	if len(infos) == 0 {
		return // the names need not be gathered
	}
	names := h.users.Names()
	for i := range infos {
		s := &infos[i]
		if !caller.MayAll(api.RightAdmin) && s.Owner != caller.ID() {
			s.Owner = api.ClientID{}
		}
		s.Account = names[s.Owner]
	}
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
		return refuse(api.ErrNoSession, "no session %v", id)
	case !caller.May(s.slot.volume, api.RightAdmin):
		return refuse(api.ErrForbidden, "session %v: only who administers its volume may end it", id)
	}
	sealed, err := h.abort(s)
	if sealed {
		return refuse(api.ErrState, "session %v: its commit is under way", id)
	}
	return err
}

// abort ends a session, if it is live, with what it has staged. While its commit is under way, which sealed
// says, it does nothing. The caller holds starting.
func (h *Hub) abort(s *session) (sealed bool, err error) {
	live, sealed := s.abort()
	if live && !sealed {
		err = h.drop(s)
	}
	return sealed, err
}

// abortAll ends the sessions of a client that can do nothing more with them, but for those whose commit is
// under way.
func (h *Hub) abortAll(owner api.ClientID) error {
	h.starting.Lock()
	defer h.starting.Unlock()
	for _, s := range h.allSessions() {
		if rec, _ := s.record(); rec.Owner != owner {
			continue
		}
		if _, err := h.abort(s); err != nil {
			return err
		}
	}
	return nil
}
