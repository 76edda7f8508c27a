package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
	"dfs/server/hub"
)

// member registers a client with the rights at a hub with accounts.
func member(t *testing.T, h *hub.Hub, grants api.Grants) (token api.Secret, id api.ClientID) {
	t.Helper()
	key, token := api.NewJoinKey(), api.NewToken()
	if _, err := h.Invite(t.Context(), api.InviteRequest{Key: key, Name: "member", Grants: grants, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	answer, err := h.Register(t.Context(), api.RegisterRequest{Key: key, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return token, answer.Client
}

// TestEventsWithAccounts: a member gets what happens in its volumes, and of the others not even whether they are there;
// and the stream ends when its token is revoked.
func TestEventsWithAccounts(t *testing.T) {
	var bus events.Bus
	f := feed.New(0)
	go f.Run(context.Background(), events.Subscribe[events.Event](&bus, 0))
	defer bus.Close()
	h, err := hub.Open(t.TempDir(), hub.Options{Events: &bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	if _, _, _, err := h.Found(); err != nil {
		t.Fatal(err)
	}
	base := "http://" + serve(t, h, server.Options{Accounts: h, Feed: f, Bus: &bus, Metrics: http.NotFoundHandler(), Beat: time.Hour})
	foreign, own := cas.VolumeID{1}, cas.VolumeID{2}
	if _, err := h.CreateVolume(t.Context(), "foreign", foreign); err != nil {
		t.Fatal(err)
	}
	token, client := member(t, h, api.Grants{Volumes: map[cas.VolumeID]api.Right{own: api.RightRead}})
	bearer := "Bearer " + string(token)
	resp, data := do(t, http.MethodGet, base+"/api/events", "", nil)
	wantRefusal(t, "no token", resp, data, 401, api.ErrUnauthorized)
	resp, data = do(t, http.MethodGet, base+"/metrics", "", nil, "Authorization", bearer)
	wantRefusal(t, "metrics", resp, data, 403, api.ErrForbidden)
	resp, data = do(t, http.MethodGet, base+"/api/events?volume="+foreign.String(), "", nil, "Authorization", bearer)
	wantRefusal(t, "a foreign volume", resp, data, 404, api.ErrNotFound)
	_, absent := do(t, http.MethodGet, base+"/api/events?volume="+cas.VolumeID{9}.String(), "", nil, "Authorization", bearer)
	if got := strings.ReplaceAll(string(data), foreign.String(), cas.VolumeID{9}.String()); got != string(absent) {
		t.Errorf("a foreign volume is %s, an absent one %s", data, absent)
	}
	r := (&stage{url: base}).openAs(t, "/api/events", "", token)
	for _, v := range []cas.VolumeID{foreign, own} {
		bus.Publish(events.SnapshotCommitted{Volume: v})
	}
	if e := r.next(); !strings.Contains(e.data, own.String()) {
		t.Errorf("%+v", e)
	}
	if err := h.Revoke(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	for r.lines.Scan() {
	}
	if err := r.lines.Err(); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

// newGuarded opens a hub with accounts and serves it with events and metrics; the bus tells of it.
func newGuarded(t *testing.T, beat time.Duration) (h *hub.Hub, at *stage) {
	t.Helper()
	at = &stage{bus: new(events.Bus), feed: feed.New(0)}
	go at.feed.Run(context.Background(), events.Subscribe[events.Event](at.bus, 1<<12))
	t.Cleanup(at.bus.Close)
	h, err := hub.Open(t.TempDir(), hub.Options{Events: at.bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	at.url = "http://" + serve(t, h, server.Options{Accounts: h, Feed: at.feed, Bus: at.bus, Metrics: metrics, Beat: beat})
	return h, at
}

// TestEventsOfOthersDoNotShow: what a member may not see leaves no trace in its stream, neither when it happens nor after.
func TestEventsOfOthersDoNotShow(t *testing.T) {
	h, at := newGuarded(t, 100*time.Millisecond)
	token, _ := member(t, h, api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightRead}})
	r := at.openAs(t, "/api/events", "", token)
	seen := map[string]bool{}
	for n := range 6 {
		if n%2 == 1 {
			at.published(events.VolumeCreated{Volume: cas.VolumeID{2}})
		}
		if !r.lines.Scan() || r.lines.Text() != ": " {
			t.Fatalf("a stream in which nothing happens has %q: %v", r.lines.Text(), r.lines.Err())
		}
		if e := r.block(); e.kind != "" || seen[e.id] {
			t.Errorf("%+v, of %v", e, seen)
		}
		seen[r.id] = true
	}
	r.body.Close()
	at.published(events.VolumeCreated{Volume: cas.VolumeID{1}, Name: "mine"})
	again := at.openAs(t, "/api/events", r.id, token)
	again.wantNames("mine")
}

// TestEventsEndForTheRevoked: also for who reads so slowly that there is always more to tell.
func TestEventsEndForTheRevoked(t *testing.T) {
	const many = 800
	h, at := newGuarded(t, time.Hour)
	token, client := member(t, h, api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightRead}})
	begin, long := at.feed.ID(at.feed.End()), strings.Repeat("x", 20_000)
	for range many {
		at.published(events.VolumeCreated{Volume: cas.VolumeID{1}, Name: long})
	}
	r := at.openAs(t, "/api/events", begin, token)
	r.next()
	if err := h.Revoke(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	told := 1
	for r.lines.Scan() {
		if strings.HasPrefix(r.lines.Text(), "event: ") {
			told++
		}
	}
	if r.lines.Err() != nil || told == many {
		t.Errorf("%d of %d events were told, then %v", told, many, r.lines.Err())
	}
}

// TestMetricsAreOfAllVolumes: who administers one volume does not get them.
func TestMetricsAreOfAllVolumes(t *testing.T) {
	h, at := newGuarded(t, time.Hour)
	one, _ := member(t, h, api.Grants{All: api.RightWrite, Volumes: map[cas.VolumeID]api.Right{{1}: api.RightAdmin}})
	all, _ := member(t, h, api.Grants{All: api.RightAdmin})
	resp, data := do(t, http.MethodGet, at.url+"/metrics", "", nil, "Authorization", "Bearer "+string(one))
	wantRefusal(t, "of one volume", resp, data, 403, api.ErrForbidden)
	if resp, data = do(t, http.MethodGet, at.url+"/metrics", "", nil, "Authorization", "Bearer "+string(all)); resp.StatusCode != 200 {
		t.Errorf("%s: %s", resp.Status, data)
	}
}

// TestRefusalsOfStrangers: a refusal tells whether the hub knows who asked, also of one who may not use the route; and those of
// strangers are gathered.
func TestRefusalsOfStrangers(t *testing.T) {
	h, at := newGuarded(t, time.Hour)
	token, _ := member(t, h, api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightRead}})
	sub := events.Subscribe[events.RequestRefused](at.bus, 0)
	end := at.feed.End()
	for _, c := range []struct {
		token     api.Secret
		path      string
		status    int
		anonymous bool
	}{
		{token, "/metrics", 403, false}, {token, "/api/sync/status", 400, false},
		{"", "/api/hub", 401, true}, {"", "/api/sync/status", 401, true}, {"", "/nothing", 404, true},
	} {
		req, err := http.NewRequest(http.MethodGet, at.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+string(c.token))
		}
		for range 10 {
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			e, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r := e.(events.RequestRefused); resp.StatusCode != c.status || r.Status != c.status || r.Anonymous != c.anonymous {
				t.Errorf("%s: %s, %+v", c.path, resp.Status, r)
			}
		}
	}
	r := at.openAs(t, "/api/events", at.feed.ID(end), token)
	at.bus.Publish(events.VolumeCreated{Volume: cas.VolumeID{1}, Name: "the last"})
	r.wantNames("the last")
	if n := at.feed.End() - end; n > 40 { // a slow machine may have some told already
		t.Errorf("they are %d events of the feed", n)
	}
}
