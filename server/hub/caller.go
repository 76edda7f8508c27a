package hub

import (
	"context"

	"dfs/cas"
	"dfs/server/api"
)

// reach returns a volume with which the caller has the right. One that the caller may not
// even read is not there, and not looked for, so that the time tells nothing either.
func (h *Hub) reach(ctx context.Context, id cas.VolumeID, right api.Right) (*volume, error) {
	caller := api.CallerOf(ctx)
	if !caller.May(id, api.RightRead) {
		return nil, noVolume(id)
	}
	v, err := h.volume(id)
	if err == nil && !caller.May(id, right) {
		may := "read it, not write to it"
		if right == api.RightAdmin {
			may = "not administer it"
		}
		err = refuse(api.ErrForbidden, "volume %q: this client may %s", v.name, may)
	}
	return v, err
}

func noVolume(id cas.VolumeID) error { return refuse(api.ErrNotFound, "no volume %v", id) }

func noSession(id api.SessionID) error {
	return refuse(api.ErrNoSession, "no session %v; start again", id)
}

// mayUse refuses a session that is there but not the caller's.
func (h *Hub) mayUse(ctx context.Context, id api.SessionID) error {
	h.mu.Lock()
	s := h.sessions[id]
	h.mu.Unlock()
	if s != nil && !s.of(api.CallerOf(ctx)) {
		return noSession(id)
	}
	return nil
}

// scope returns what the caller may read.
func (h *Hub) scope(ctx context.Context) cas.Scope {
	caller := api.CallerOf(ctx)
	if caller.MayAll(api.RightRead) {
		return cas.Everything()
	}
	var volumes []cas.VolumeID
	for id := range caller.Volumes {
		if caller.May(id, api.RightRead) {
			volumes = append(volumes, id)
		}
	}
	return cas.Scope{Volumes: volumes}
}

// sessionsOf counts the live sessions of a client.
func (h *Hub) sessionsOf(client api.ClientID) (n int) {
	for _, s := range h.allSessions() {
		if rec, _ := s.record(); rec.Owner == client && !ended(rec.State) {
			n++
		}
	}
	return n
}
