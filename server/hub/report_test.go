package hub

import (
	"context"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// TestProgressKeepsASession has bytes come of a body that is longer on its way than a session may be idle.
func TestProgressKeepsASession(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h := openTest(t, t.TempDir(), nil, Options{Idle: time.Hour, Now: func() time.Time { return now }})
	if h.limits.SessionTimeout != 3600 {
		t.Errorf("the hub tells of %d s", h.limits.SessionTimeout)
	}
	v := newTestVolume(t, h)
	s, err := newClient(h, v).start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	_, blob := file("x")
	for range 3 {
		now = now.Add(50 * time.Minute)
		h.Progress(t.Context(), s.Session)
	}
	if err := h.Upload(t.Context(), s.Session, []cas.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // of another client, which keeps nothing alive
		now = now.Add(50 * time.Minute)
		h.Progress(api.WithCaller(t.Context(), &api.Caller{Client: api.ClientID{1}}), s.Session)
	}
	wantError(t, h.Upload(t.Context(), s.Session, []cas.Blob{blob}), api.ErrNoSession)
	h.Progress(context.Background(), s.Session) // which has ended
	wantError(t, h.Upload(t.Context(), s.Session, []cas.Blob{blob}), api.ErrNoSession)
}
