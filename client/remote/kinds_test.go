package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/server"
	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
	"dfs/server/hub"
)

// A venue is a hub with events, behind a URL, with a volume that stays empty.
type venue struct {
	hub    *hub.Hub
	url    string
	token  api.Secret // of who administers it, if it has accounts
	volume cas.VolumeID
}

// newVenue opens one for the time of the test.
func newVenue(t *testing.T, accounts bool) *venue {
	t.Helper()
	bus, f := new(events.Bus), feed.New(0)
	h, err := hub.Open(t.TempDir(), hub.Options{Events: bus, Attempts: access.Unlimited()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		bus.Close()
	})
	go f.Run(context.Background(), events.Subscribe[events.Event](bus, 1<<16))
	v := &venue{hub: h, volume: random()}
	if _, err := h.CreateVolume(t.Context(), "empty", v.volume); err != nil {
		t.Fatal(err)
	}
	opts := server.Options{Feed: f}
	if accounts {
		opts.Accounts = h
		if v.token, _, _, err = h.Found(); err != nil {
			t.Fatal(err)
		}
	}
	v.url = serve(t, server.New(h, opts))
	return v
}

// privateRequests are those that are about a whole hub.
func privateRequests() []request {
	return []request{
		{"register", func(ctx context.Context, h api.Hub, s *scene) error {
			key, token := api.NewJoinKey(), api.NewToken()
			_, err := s.venue.hub.Invite(ctx, invitation(key))
			if err != nil {
				return err
			}
			got, err := h.(*remote.Hub).Register(ctx, api.RegisterRequest{Key: key, Token: token})
			return errors.Join(err, s.tokens(ctx, got.Client, 1, 1))
		}},
		{"invite", func(ctx context.Context, h api.Hub, s *scene) error {
			before, err := s.venue.hub.Invites(ctx)
			if err != nil {
				return err
			}
			got, err := h.(*remote.Hub).Invite(ctx, invitation(api.NewJoinKey()))
			if err != nil {
				return err
			}
			after, err := s.venue.hub.Invites(ctx)
			return errors.Join(err, same(len(after), len(before)+1), same(after[len(after)-1].ID, got.ID))
		}},
		{"invites", func(ctx context.Context, h api.Hub, s *scene) error {
			i, err := s.venue.hub.Invite(ctx, invitation(api.NewJoinKey()))
			if err != nil {
				return err
			}
			got, err := h.(*remote.Hub).Invites(ctx)
			if err != nil || len(got) == 0 {
				return fmt.Errorf("no invites: %w", err)
			}
			return errors.Join(same(got[len(got)-1].ID, i.ID), s.venue.hub.Revoke(ctx, i.ID))
		}},
		{"tokens", func(ctx context.Context, h api.Hub, s *scene) error {
			want, err := s.venue.hub.Tokens(ctx)
			if err != nil {
				return err
			}
			got, err := h.(*remote.Hub).Tokens(ctx)
			if err != nil || len(got) != len(want) {
				return fmt.Errorf("%d tokens: %w", len(got), err)
			}
			return same(got[0].Client, want[0].Client)
		}},
		{"rotate token", func(ctx context.Context, h api.Hub, s *scene) error {
			client, err := s.member(ctx)
			if err != nil {
				return err
			}
			_, err = h.(*remote.Hub).RotateToken(ctx, api.RotateRequest{Client: client, Token: api.NewToken()})
			return errors.Join(err, s.tokens(ctx, client, 2, 1))
		}},
		{"revoke", func(ctx context.Context, h api.Hub, s *scene) error {
			client, err := s.member(ctx)
			if err != nil {
				return err
			}
			return errors.Join(h.(*remote.Hub).Revoke(ctx, client), s.tokens(ctx, client, 1, 0))
		}},
		{"set quota", func(ctx context.Context, h api.Hub, s *scene) error {
			if err := h.SetQuota(ctx, api.Quota{Volume: s.venue.volume, Files: 17}); err != nil {
				return err
			}
			list, err := s.venue.hub.Quotas(ctx)
			return errors.Join(err, same(list, []api.Quota{{Volume: s.venue.volume, Files: 17}}))
		}},
		{"quotas", func(ctx context.Context, h api.Hub, s *scene) error {
			if err := s.venue.hub.SetQuota(ctx, api.Quota{Volume: s.venue.volume, Bytes: 18}); err != nil {
				return err
			}
			list, err := h.Quotas(ctx)
			return errors.Join(err, same(list, []api.Quota{{Volume: s.venue.volume, Bytes: 18}}))
		}},
		{"overview", func(ctx context.Context, h api.Hub, s *scene) error {
			got, err := h.Overview(ctx)
			if err != nil || len(got.Volumes) != 1 {
				return fmt.Errorf("%d volumes: %w", len(got.Volumes), err)
			}
			return same(got.Volumes[0].Volume.ID, s.venue.volume)
		}},
		{"events", listen},
	}
}

func invitation(key api.Secret) api.InviteRequest {
	return api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}
}

// member registers a client.
func (s *scene) member(ctx context.Context) (api.ClientID, error) {
	key := api.NewJoinKey()
	if _, err := s.venue.hub.Invite(ctx, invitation(key)); err != nil {
		return api.ClientID{}, err
	}
	who, err := s.venue.hub.Register(ctx, api.RegisterRequest{Key: key, Token: api.NewToken()})
	return who.Client, err
}

// tokens returns an error unless a client has or had so many tokens, and so many that are valid.
func (s *scene) tokens(ctx context.Context, client api.ClientID, all, valid int) error {
	list, err := s.venue.hub.Tokens(ctx)
	for _, t := range list {
		if t.Client == client {
			all--
			if !t.Revoked {
				valid--
			}
		}
	}
	return errors.Join(err, same(all, 0), same(valid, 0))
}

// listen hears of three volumes that are made once it listens.
func listen(ctx context.Context, h api.Hub, s *scene) error {
	var want, got []string
	var failed error
	enough := errors.New("enough")
	publish := func() {
		for range 3 {
			id := random()
			want = append(want, id.String())
			_, err := s.venue.hub.CreateVolume(ctx, "of "+id.String(), id)
			failed = errors.Join(failed, err)
		}
	}
	err := h.(*remote.Hub).Events(ctx, cas.VolumeID{}, publish, func(e remote.Event) error {
		for _, id := range want {
			if e.Type == "volume_created" && bytes.Contains(e.Data, []byte(id)) {
				got = append(got, id)
			}
		}
		if len(got) == len(want) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		return err
	}
	return errors.Join(failed, same(got, want))
}

// TestRepeatedFrames has a frame of an answer come twice: it is noticed, the request is made again, and nobody gets anything twice.
func TestRepeatedFrames(t *testing.T) {
	shared := newVenue(t, false)
	handler := server.New(shared.hub, server.Options{})
	for _, r := range requests() {
		c := chaos{request: r, dir: down}
		if !c.framed() {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n += 1 + n/4 {
				var twice repeater
				twice.handler, twice.frame = handler, n
				h := dial(t, serve(t, &twice), remote.Options{})
				twice.armed.Store(true)
				if err := r.run(t.Context(), h, newScene(t, shared.hub)); err != nil {
					t.Fatalf("frame %d: %v", n, err)
				}
				if twice.armed.Load() {
					if n == 0 {
						t.Error("there are no frames")
					}
					return
				}
				// What follows the last blob is not looked at.
				if retries := h.Traffic().Retries; retries > 1 {
					t.Errorf("frame %d: %d retries", n, retries)
				}
			}
		})
	}
}

// A repeater answers as a handler does, but in the first answer that has it a frame comes twice.
type repeater struct {
	handler http.Handler
	frame   int // which, from 0
	armed   atomic.Bool
}

func (r *repeater) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !r.armed.Load() {
		r.handler.ServeHTTP(w, req)
		return
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, req)
	body := answer.Body.Bytes()
	if answer.Header().Get("Content-Type") == api.Binary {
		header := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", api.Binary, len(body))
		at := boundaries(append(header, body...))
		if at = append(at, len(header)+len(body)); r.frame < len(at)-1 {
			from, to := at[r.frame]-len(header), at[r.frame+1]-len(header)
			body = append(body[:to:to], body[from:]...)
			r.armed.Store(false)
		}
	}
	give(w, answer, body)
}

// give answers as was recorded, but with body.
func give(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

// TestAnswerToAnotherRequest has an answer come again in place of the next, and mixed with it: the request is made again.
func TestAnswerToAnotherRequest(t *testing.T) {
	v := newVenue(t, false)
	for _, mixed := range []bool{false, true} {
		late := latecomer{handler: server.New(v.hub, server.Options{}), mixed: mixed}
		h := dial(t, serve(t, &late), remote.Options{})
		if list, err := h.Volumes(t.Context(), "empty"); err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		late.armed.Store(true)
		if list, err := h.Volumes(t.Context(), "none"); err != nil || len(list) != 0 {
			t.Errorf("mixed %v: %+v, %v", mixed, list, err)
		}
		if retries := h.Traffic().Retries; retries != 1 || late.armed.Load() {
			t.Errorf("mixed %v: %d retries", mixed, retries)
		}
	}
}

// A latecomer answers as a handler does, but once as it did before.
type latecomer struct {
	handler http.Handler
	mixed   bool // that answer has the names of both requests
	armed   atomic.Bool
	before  atomic.Pointer[httptest.ResponseRecorder]
}

func (l *latecomer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	answer := httptest.NewRecorder()
	l.handler.ServeHTTP(answer, req)
	before := l.before.Swap(answer)
	if l.armed.Swap(false) {
		if l.mixed {
			before.Header().Add(api.HeaderRequest, answer.Header().Get(api.HeaderRequest))
		}
		answer = before
	}
	give(w, answer, answer.Body.Bytes())
}
