package hub

import (
	"context"
	"testing"

	"dfs/server/api"
)

// join registers a client under a name.
func join(t *testing.T, h *Hub, name string, grants api.Grants) *api.Caller {
	t.Helper()
	key := api.NewJoinKey()
	if _, err := h.Invite(t.Context(), api.InviteRequest{Key: key, Name: name, Grants: grants, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	who, err := h.Register(t.Context(), api.RegisterRequest{Key: key, Token: api.NewToken()})
	if err != nil {
		t.Fatal(err)
	}
	return &api.Caller{Client: who.Client, Name: who.Name, Grants: grants}
}

// TestWhoseSessions: who administers the hub sees whose the sessions are, others only which are their own. Those of a
// client that is revoked end.
func TestWhoseSessions(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	write := api.Grants{All: api.RightWrite}
	ann, ben, admin := join(t, h, "ann", write), join(t, h, "ben", write), join(t, h, "root", api.Grants{All: api.RightAdmin})
	for _, who := range []*api.Caller{ann, ben} {
		as := api.WithCaller(t.Context(), who)
		s, err := newClient(h, v).start(as, randomID())
		if err != nil {
			t.Fatal(err)
		}
		m, _ := file(who.Name)
		if _, err := h.Diff(as, api.DiffRequest{Session: s.Session, Edits: newClient(h, v).build(edits{"f": m})}); err != nil {
			t.Fatal(err)
		}
	}
	owners := func(ctx context.Context, who *api.Caller, seen ...string) {
		t.Helper()
		ctx = api.WithCaller(ctx, who)
		list, err := h.Sessions(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		status, err := h.Status(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, infos := range [][]api.SessionInfo{list, status.Sessions} {
			got := map[string]api.ClientID{}
			for _, s := range infos {
				got[s.Account] = s.Owner
			}
			if len(infos) != len(seen) {
				t.Errorf("%d sessions, not %q", len(infos), seen)
			}
			for _, name := range seen {
				want := map[string]api.ClientID{"ann": ann.Client, "ben": ben.Client}[name]
				if owner, ok := got[name]; !ok || owner != want {
					t.Errorf("%v, not %q", got, seen)
				}
			}
		}
	}
	owners(t.Context(), admin, "ann", "ben")
	owners(t.Context(), nil, "ann", "ben")
	owners(t.Context(), ann, "ann", "")
	owners(t.Context(), &api.Caller{Client: randomID(), Grants: write}, "", "")
	if err := h.Revoke(t.Context(), ben.Client); err != nil {
		t.Fatal(err)
	}
	owners(t.Context(), admin, "ann")
}
