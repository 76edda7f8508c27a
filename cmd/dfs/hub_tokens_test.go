package main

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"testing"

	"dfs/client/remote"
	clientstate "dfs/client/state"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/hub"
)

// mute is a hub whose answers to rotations are lost.
type mute struct{ *remote.Hub }

var errMute = errors.New("the answer is lost")

func (m mute) RotateToken(ctx context.Context, req api.RotateRequest) (api.Token, error) {
	_, err := m.Hub.RotateToken(ctx, req)
	return api.Token{}, errors.Join(err, errMute)
}

// TestRotationIsTakenUp ends the rotation of one's own token when the hub has done it and before anything is recorded.
func TestRotationIsTakenUp(t *testing.T) {
	h, err := hub.Open(t.TempDir(), hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	srv := httptest.NewServer(server.New(h, server.Options{Accounts: h}))
	defer srv.Close()
	key, token := api.NewJoinKey(), api.NewToken()
	if _, err := h.Invite(t.Context(), api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	who, err := h.Register(t.Context(), api.RegisterRequest{Key: key, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{env: map[string]string{"XDG_CONFIG_HOME": t.TempDir()}, out: output{stdout: io.Discard, stderr: io.Discard}}
	if err := a.credentials().Record(srv.URL, clientstate.Credential{Client: who.Client, Token: token}); err != nil {
		t.Fatal(err)
	}
	as := func() *remote.Hub {
		t.Helper()
		opts, err := a.remoteOptions(srv.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := remote.New(srv.URL, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	if err := a.rotate(t.Context(), mute{as()}, srv.URL, who.Client); !errors.Is(err, errMute) {
		t.Fatal(err)
	}
	if _, err := as().Info(t.Context(), ""); !errors.Is(err, api.ErrUnauthorized) {
		t.Fatalf("the former token: %v", err)
	}
	if err := a.rotate(t.Context(), as(), srv.URL, who.Client); err != nil {
		t.Fatal(err)
	}
	if _, err := as().Info(t.Context(), ""); err != nil {
		t.Errorf("the new token: %v", err)
	}
}
