package hub

import (
	"context"

	"dfs/server/api"
)

// Progress says that bytes came that are for a session, which keeps it from expiring. It does nothing to
// one that has ended or is not the caller's.
func (h *Hub) Progress(ctx context.Context, id api.SessionID) {
	h.mu.Lock()
	s := h.sessions[id]
	h.mu.Unlock()
	if s != nil && s.of(api.CallerOf(ctx)) {
		s.touch()
	}
}

func (s *session) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ended(s.state) {
		s.active = s.now()
	}
}
