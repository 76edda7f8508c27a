package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/events"
)

// accountsDir in the environment makes this test program give out and revoke tokens until it is killed.
const accountsDir = "DFS_TEST_HUB_ACCOUNTS"

// tokenAck says what a token is good for from now on.
type tokenAck struct {
	Token string
	Live  bool
}

// accountForever registers one client after the other, and rotates or revokes most. It writes an
// ack for each token before and after something is done about it.
func accountForever(dir string, w io.Writer) error {
	ctx := context.Background()
	h, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	acks := json.NewEncoder(w)
	for n := 0; ; n++ {
		key, token := api.NewJoinKey(), api.NewToken()
		if _, err := h.Invite(ctx, api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
			return err
		}
		who, err := h.Register(ctx, api.RegisterRequest{Key: key, Token: token})
		if err != nil {
			return err
		}
		if n%3 == 0 {
			if err := acks.Encode(tokenAck{string(token), true}); err != nil {
				return err
			}
			continue
		}
		next := api.NewToken()
		if n%3 == 1 {
			_, err = h.RotateToken(ctx, api.RotateRequest{Client: who.Client, Token: next})
			err = errors.Join(err, acks.Encode(tokenAck{string(next), true}))
		} else {
			err = h.Revoke(ctx, who.Client)
		}
		if err := errors.Join(err, acks.Encode(tokenAck{string(token), false})); err != nil {
			return err
		}
	}
}

// TestKilledAccounts kills a hub that gives out and revokes tokens: what it said to be revoked stays
// so, and what it gave out works, also after its database was compacted.
func TestKilledAccounts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hub")
	var acks []tokenAck
	check := func(compact bool) {
		t.Helper()
		h, err := Open(dir, Options{Attempts: access.Unlimited()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
		if compact {
			if err := h.meta.db.Flatten(1); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range acks {
			_, release, err := h.Authenticate(t.Context(), api.Secret(a.Token), "")
			if err == nil {
				release()
			}
			if a.Live != (err == nil) || !a.Live && !errors.Is(err, api.ErrUnauthorized) {
				t.Fatalf("a token that is live: %v, got %v", a.Live, err)
			}
		}
	}
	for range 4 {
		cmd, out := childOf(t, fmt.Sprintf("%s=%s", accountsDir, dir))
		for range 1 + rand.IntN(40) {
			var a tokenAck
			if err := out.Decode(&a); err != nil {
				t.Fatalf("the child ended by itself: %v", err)
			}
			acks = append(acks, a)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for { // what it said until it was dead counts
			var a tokenAck
			if out.Decode(&a) != nil {
				break
			}
			acks = append(acks, a)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		check(false)
	}
	check(true)
	check(false)
	t.Logf("%d tokens", len(acks))
}

// TestFound makes the first token: it is in a file that only its owner may read.
func TestFound(t *testing.T) {
	dir := t.TempDir()
	h := openTest(t, dir, nil, Options{})
	token, file, made, err := h.Found()
	if err != nil || !made {
		t.Fatal(made, err)
	}
	data, err := os.ReadFile(file)
	if err != nil || string(data) != string(token)+"\n" || filepath.Dir(file) != dir {
		t.Errorf("%s: %v", file, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, _, made, err := h.Found(); made || err != nil {
		t.Errorf("once more: %v, %v", made, err)
	}
}

// TestFoundFileFollows rotates the first token: its file has the new one, until that is another client's or none's.
func TestFoundFileFollows(t *testing.T) {
	h := openTest(t, t.TempDir(), nil, Options{})
	first, file, _, err := h.Found()
	if err != nil {
		t.Fatal(err)
	}
	holds := func(want api.Secret) {
		t.Helper()
		data, err := os.ReadFile(file)
		info, serr := os.Stat(file)
		if err != nil || serr != nil || string(data) != string(want)+"\n" || info.Mode().Perm() != 0o600 {
			t.Errorf("the file holds another token, or others may read it: %v, %v", err, info.Mode())
		}
	}
	admin, _ := h.users.Holder(first)
	rotate := func(client api.ClientID) api.Secret {
		t.Helper()
		next := api.NewToken()
		if _, err := h.RotateToken(t.Context(), api.RotateRequest{Client: client, Token: next}); err != nil {
			t.Fatal(err)
		}
		return next
	}
	second := rotate(admin)
	holds(second)
	key := api.NewJoinKey()
	if _, err := h.Invite(t.Context(), api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	other, err := h.Register(t.Context(), api.RegisterRequest{Key: key, Token: api.NewToken()})
	if err != nil {
		t.Fatal(err)
	}
	rotate(other.Client)
	holds(second)
	if err := os.WriteFile(file, []byte(string(first)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rotate(admin)
	holds(first)
}

// TestRegistrationIsToldOnce registers a client twice, and somebody with a key that is not valid.
func TestRegistrationIsToldOnce(t *testing.T) {
	t.Parallel()
	var bus events.Bus
	defer bus.Close()
	clock := newClock()
	h := openTest(t, t.TempDir(), nil, Options{Events: &bus, Now: clock.now})
	told := events.Subscribe[events.ClientRegistered](&bus, 0)
	key, token := api.NewJoinKey(), api.NewToken()
	if _, err := h.Invite(t.Context(), api.InviteRequest{Key: key, Name: "ann", Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	var who api.Registered
	for range 2 {
		var err error
		if who, err = h.Register(t.Context(), api.RegisterRequest{Key: key, Token: token}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.Register(t.Context(), api.RegisterRequest{Key: api.NewJoinKey(), Token: api.NewToken()})
	wantError(t, err, api.ErrForbidden)
	wantEvents(t, told, events.ClientRegistered{Client: who.Client, Name: "ann", At: clock.now().UTC()})
}
