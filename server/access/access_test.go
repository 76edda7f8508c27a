package access_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/access"
	"dfs/server/api"
)

// memory is a store of records.
type memory struct {
	mu      sync.Mutex
	records map[string]string
	fail    error
}

func (m *memory) Each(fn func(key, value []byte) error) error {
	m.mu.Lock()
	records := maps.Clone(m.records)
	m.mu.Unlock()
	for key, value := range records {
		if err := fn([]byte(key), []byte(value)); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Add(records ...access.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.records == nil {
		m.records = make(map[string]string)
	}
	for _, r := range records {
		if _, ok := m.records[string(r.Key)]; ok {
			panic(fmt.Sprintf("record %q is changed", r.Key))
		}
		m.records[string(r.Key)] = string(r.Value)
	}
	return nil
}

const here = "192.0.2.1:1000"

func open(t testing.TB, store access.Store, opts access.Options) *access.Registry {
	t.Helper()
	r, err := access.Open(store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func works(r *access.Registry, token api.Secret) bool {
	_, release, err := r.Authenticate(context.Background(), token, here)
	if err == nil {
		release()
	}
	return err == nil
}

// member invites and registers a client, and returns its token.
func member(t testing.TB, r *access.Registry, grants api.Grants) (api.Secret, api.Registered) {
	t.Helper()
	key, token := api.NewJoinKey(), api.NewToken()
	if _, err := r.Invite(context.Background(), api.InviteRequest{Key: key, Name: "m", Grants: grants, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	answer, _, err := r.Register(api.RegisterRequest{Key: key, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return token, answer
}

func TestFound(t *testing.T) {
	var store memory
	r := open(t, &store, access.Options{})
	if r.Founded() {
		t.Error("a new hub has a token")
	}
	first, second := api.NewToken(), api.NewToken()
	if made, err := r.Found(first, "admin"); !made || err != nil {
		t.Fatal(made, err)
	}
	if made, err := r.Found(second, "admin"); made || err != nil {
		t.Error(made, err)
	}
	r = open(t, &store, access.Options{})
	if !works(r, first) || works(r, second) || works(r, "") {
		t.Error("not the first token, and it alone, lets in")
	}
	ctx, release, err := r.Authenticate(context.Background(), first, here)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if c := api.CallerOf(ctx); c == nil || c.Name != "admin" || !c.MayAll(api.RightAdmin) {
		t.Errorf("caller %+v", c)
	}
}

// TestSecretsAreNotStored looks for secrets in what is stored.
func TestSecretsAreNotStored(t *testing.T) {
	var store memory
	r := open(t, &store, access.Options{})
	key, token, next := api.NewJoinKey(), api.NewToken(), api.NewToken()
	ctx := context.Background()
	_, err := r.Invite(ctx, api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60})
	answer, _, err2 := r.Register(api.RegisterRequest{Key: key, Token: token, Name: "m"})
	_, err3 := r.RotateToken(ctx, api.RotateRequest{Client: answer.Client, Token: next})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%q", store.records)
	for _, s := range []api.Secret{key, token, next} {
		if _, digits, _ := strings.Cut(string(s), "_"); strings.Contains(all, digits) {
			t.Error("a secret is stored")
		}
	}
}

func TestRegister(t *testing.T) {
	now := time.Unix(1e9, 0)
	var store memory
	r := open(t, &store, access.Options{Now: func() time.Time { return now }})
	docs := cas.VolumeID{1}
	invite := func(lifetime int64) (api.Secret, api.ClientID) {
		key := api.NewJoinKey()
		req := api.InviteRequest{Key: key, Name: "ann", Grants: api.Grants{Volumes: map[cas.VolumeID]api.Right{docs: api.RightWrite}}, ExpiresIn: lifetime}
		i, err := r.Invite(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.Invite(context.Background(), req)
		if err != nil || again.ID != i.ID {
			t.Errorf("the same again: %+v, %v, not %+v", again, err, i)
		}
		return key, i.ID
	}
	used, _ := invite(60)
	token := api.NewToken()
	first, again, err := r.Register(api.RegisterRequest{Key: used, Token: token})
	if err != nil || again || first.Name != "ann" || !first.Grants.May(docs, api.RightWrite) {
		t.Fatalf("%+v, %v", first, err)
	}
	expired, _ := invite(60)
	now = now.Add(time.Minute)
	// The same again gives the same, whatever happened meanwhile.
	r = open(t, &store, access.Options{Now: func() time.Time { return now }})
	if second, again, err := r.Register(api.RegisterRequest{Key: used, Token: token}); err != nil || !again || second.Client != first.Client {
		t.Errorf("the same again: %+v, %v, %v, not %+v", second, again, err, first)
	}
	revoked, id := invite(60)
	if err := r.Revoke(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]bool)
	for name, key := range map[string]api.Secret{"used": used, "expired": expired, "revoked": revoked, "unknown": api.NewJoinKey(), "empty": "", "a token": token} {
		_, _, err := r.Register(api.RegisterRequest{Key: key, Token: api.NewToken()})
		if !errors.Is(err, api.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("the refusals differ: %v", texts)
	}
	fresh, _ := invite(60)
	if _, _, err := r.Register(api.RegisterRequest{Key: fresh, Token: token}); !errors.Is(err, api.ErrExists) {
		t.Errorf("a token twice: %v", err)
	}
	for _, weak := range []api.Secret{"", "secret", token[:len(token)-1], token + "0"} {
		if _, _, err := r.Register(api.RegisterRequest{Key: fresh, Token: weak}); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("token of %d bytes: %v", len(weak), err)
		}
	}
	if err := r.Revoke(context.Background(), first.Client); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Register(api.RegisterRequest{Key: used, Token: token}); !errors.Is(err, api.ErrForbidden) {
		t.Errorf("a revoked client registers again: %v", err)
	}
}

// TestRevokedAtOnce revokes while a call is under way.
func TestRevokedAtOnce(t *testing.T) {
	r := open(t, new(memory), access.Options{})
	token, who := member(t, r, api.Grants{All: api.RightRead})
	ctx, release, err := r.Authenticate(context.Background(), token, here)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if ctx.Err() != nil {
		t.Fatal("the call has ended")
	}
	if err := r.Revoke(context.Background(), who.Client); err != nil {
		t.Fatal(err)
	}
	if cause := context.Cause(ctx); !errors.Is(cause, api.ErrUnauthorized) {
		t.Errorf("the call goes on after the revocation: %v", cause)
	}
	if works(r, token) {
		t.Error("a revoked token lets in")
	}
}

// TestCallsAreTheirRequests: a call has the values of the request that makes it, and ends with it.
func TestCallsAreTheirRequests(t *testing.T) {
	r := open(t, new(memory), access.Options{})
	token, who := member(t, r, api.Grants{All: api.RightRead})
	type key struct{}
	gone := errors.New("gone")
	request, end := context.WithCancelCause(context.WithValue(context.Background(), key{}, "value"))
	ctx, release, err := r.Authenticate(request, token, here)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if ctx.Value(key{}) != "value" || api.CallerOf(ctx).Client != who.Client || ctx.Err() != nil {
		t.Errorf("%v", ctx)
	}
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	end(gone)
	<-child.Done()
	if cause := context.Cause(child); cause != gone {
		t.Errorf("the call ends for %v", cause)
	}
}

// TestWhoAdministers has callers of each kind invite, list, rotate and revoke.
func TestWhoAdministers(t *testing.T) {
	r := open(t, new(memory), access.Options{})
	docs, code := cas.VolumeID{1}, cas.VolumeID{2}
	only := func(v cas.VolumeID, right api.Right) api.Grants {
		return api.Grants{Volumes: map[cas.VolumeID]api.Right{v: right}}
	}
	_, ofDocs := member(t, r, only(docs, api.RightWrite))
	_, ofAll := member(t, r, api.Grants{All: api.RightRead})
	as := func(g api.Grants) context.Context {
		return api.WithCaller(context.Background(), &api.Caller{Client: api.ClientID{9}, Grants: g})
	}
	for _, c := range []struct {
		name         string
		ctx          context.Context
		docs, others bool // administers docs, all
	}{
		{"process", context.Background(), true, true},
		{"admin", as(api.Grants{All: api.RightAdmin}), true, true},
		{"admin of docs", as(only(docs, api.RightAdmin)), true, false},
		{"admin of code", as(only(code, api.RightAdmin)), false, false},
		{"writer", as(api.Grants{All: api.RightWrite}), false, false},
		{"nobody", as(api.Grants{}), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for grants, may := range map[*api.Grants]bool{
				{Volumes: map[cas.VolumeID]api.Right{docs: api.RightAdmin}}:                     c.docs,
				{Volumes: map[cas.VolumeID]api.Right{docs: api.RightRead, code: api.RightRead}}: c.others,
				{All: api.RightRead}: c.others,
			} {
				_, err := r.Invite(c.ctx, api.InviteRequest{Key: api.NewJoinKey(), Grants: *grants, ExpiresIn: 60})
				if may != (err == nil) || !may && !errors.Is(err, api.ErrForbidden) {
					t.Errorf("invite with %v: %v", grants, err)
				}
			}
			tokens := r.Tokens(c.ctx)
			seen := make(map[api.ClientID]bool)
			for _, token := range tokens {
				seen[token.Client] = true
			}
			if seen[ofDocs.Client] != c.docs || seen[ofAll.Client] != c.others {
				t.Errorf("sees %v", tokens)
			}
			for client, may := range map[api.ClientID]bool{ofDocs.Client: c.docs, ofAll.Client: c.others} {
				_, err := r.RotateToken(c.ctx, api.RotateRequest{Client: client, Token: api.NewToken()})
				if may != (err == nil) || !may && !errors.Is(err, api.ErrNotFound) {
					t.Errorf("rotate: %v", err)
				}
				if !may {
					if err := r.Revoke(c.ctx, client); !errors.Is(err, api.ErrNotFound) {
						t.Errorf("revoke: %v", err)
					}
				}
			}
		})
	}
	self := api.WithCaller(context.Background(), &api.Caller{Client: ofDocs.Client, Grants: ofDocs.Grants})
	if _, err := r.RotateToken(self, api.RotateRequest{Client: ofDocs.Client, Token: api.NewToken()}); err != nil {
		t.Errorf("a client rotates its own token: %v", err)
	}
	if err := r.Revoke(self, ofDocs.Client); err != nil {
		t.Errorf("a client revokes its own token: %v", err)
	}
}

// TestLastAdministrator: who comes over the network cannot end all administration; who has the store can.
func TestLastAdministrator(t *testing.T) {
	r := open(t, new(memory), access.Options{})
	_, first := member(t, r, api.Grants{All: api.RightAdmin})
	_, writer := member(t, r, api.Grants{All: api.RightWrite})
	as := api.WithCaller(context.Background(), &api.Caller{Client: first.Client, Grants: first.Grants})
	if err := r.Revoke(as, first.Client); !errors.Is(err, api.ErrInvalid) || !r.Live(first.Client) {
		t.Errorf("the last administrator is revoked: %v", err)
	}
	if err := r.Revoke(as, writer.Client); err != nil {
		t.Errorf("another is not revoked: %v", err)
	}
	_, second := member(t, r, api.Grants{All: api.RightAdmin})
	if err := r.Revoke(as, first.Client); err != nil || r.Live(first.Client) {
		t.Errorf("one of two administrators is not revoked: %v", err)
	}
	if err := r.Revoke(context.Background(), second.Client); err != nil || r.Live(second.Client) {
		t.Errorf("who has the store cannot revoke the last administrator: %v", err)
	}
}

// TestRotationsAreBounded: a client that administers nothing replaces its token so often a day, and the administrator does so still.
func TestRotationsAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	store := new(memory)
	opts := access.Options{Now: func() time.Time { return now }}
	r := open(t, store, opts)
	_, who := member(t, r, api.Grants{All: api.RightWrite})
	self := api.WithCaller(context.Background(), &api.Caller{Client: who.Client, Grants: who.Grants})
	rotate := func(ctx context.Context) error {
		_, err := r.RotateToken(ctx, api.RotateRequest{Client: who.Client, Token: api.NewToken()})
		return err
	}
	for day := range 3 {
		for n := range api.MaxRotations {
			if day == 0 && n == 0 {
				continue // the token that it registered with
			}
			if err := rotate(self); err != nil {
				t.Fatalf("day %d, rotation %d: %v", day, n, err)
			}
		}
		r = open(t, store, opts)
		if err := rotate(self); !errors.Is(err, api.ErrForbidden) {
			t.Fatalf("day %d, once more: %v", day, err)
		}
		if err := rotate(context.Background()); err != nil {
			t.Fatalf("day %d, by the hub's own process: %v", day, err)
		}
		now = now.Add(25 * time.Hour)
	}
}

// TestStoreFails has the store refuse: nobody gets in by what is not stored, and who is revoked is out.
func TestStoreFails(t *testing.T) {
	store := new(memory)
	r := open(t, store, access.Options{})
	token, who := member(t, r, api.Grants{All: api.RightRead})
	store.fail = errors.New("disk")
	if _, err := r.Found(api.NewToken(), "admin"); err != nil {
		t.Errorf("found once more: %v", err)
	}
	if err := r.Revoke(context.Background(), who.Client); !errors.Is(err, store.fail) {
		t.Errorf("revoke: %v", err)
	}
	if works(r, token) {
		t.Error("a token lets in after its revocation failed to be stored")
	}
	next := api.NewToken()
	if made, err := open(t, &memory{fail: store.fail}, access.Options{}).Found(next, "admin"); err == nil {
		t.Errorf("found: %v, %v", made, err)
	}
}

func TestRecordsOfAnotherForm(t *testing.T) {
	for _, key := range []string{"", "t", "z" + strings.Repeat("h", 32)} {
		if _, err := access.Open(&memory{records: map[string]string{key: "{}"}}, access.Options{}); err == nil {
			t.Errorf("record %q is taken", key)
		}
	}
}
