package hub

import (
	"context"

	"dfs/server/api"
	"dfs/server/events"
)

// Report implements [api.Hub].
func (h *Hub) Report(ctx context.Context, id api.SessionID, state api.State) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	return wire(h.report(ctx, id, state))
}

// Expect implements [api.Hub].
func (h *Hub) Expect(ctx context.Context, id api.SessionID, bytes int64) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	s, _, err := h.find(ctx, id, api.RightRead)
	if err == nil {
		err = s.expects(bytes)
	}
	return wire(err)
}

func (s *session) expects(bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case bytes < 0:
		return refuse(api.ErrInvalid, "session %v: %d bytes cannot be expected", s.id, bytes)
	case ended(s.state):
		return refuse(api.ErrState, "session %v is %s, and nothing more is expected of it", s.id, s.state)
	}
	s.active = s.now()
	s.bus.Publish(events.UploadExpected{Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume, Bytes: bytes, At: s.now().UTC()})
	return nil
}

func (h *Hub) report(ctx context.Context, id api.SessionID, state api.State) error {
	s, _, err := h.find(ctx, id, api.RightRead)
	if err != nil {
		return err
	}
	if state == api.Expired {
		return refuse(api.ErrState, "session %v: only the hub says %s", id, state)
	}
	failed := events.SessionFailed{Session: id, Replica: s.slot.replica, Volume: s.slot.volume}
	err = s.begin(func(from api.State) api.State {
		failed.State, failed.Parts = from, len(s.parts)
		return state
	})
	if err != nil {
		return err
	}
	defer s.done()
	if !ended(state) {
		return nil
	}
	if err := h.drop(s); err != nil {
		return err
	}
	h.publishEnd(state, failed)
	return nil
}

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
