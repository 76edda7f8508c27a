package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// owned makes volumes of a client, each with somebody who may write that one alone, and bounds the client.
func owned(t *testing.T, h *Hub, owner api.ClientID, volumes int, quota api.Quota) []*client {
	t.Helper()
	as := api.WithCaller(t.Context(), &api.Caller{Client: owner, Grants: api.Grants{All: api.RightWrite}})
	var clients []*client
	for n := range volumes {
		v, err := h.CreateVolume(as, fmt.Sprint("volume", n), randomID())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, newClient(h, v.ID))
	}
	quota.Client = owner
	if err := h.SetQuota(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	return clients
}

// TestQuotaOfClientIsExact has many commit to volumes of one client at the same time: as many succeed as its quota allows.
func TestQuotaOfClientIsExact(t *testing.T) {
	t.Parallel()
	const all, allowed = 16, 5
	h := openTest(t, t.TempDir(), nil, Options{})
	clients := owned(t, h, api.ClientID{7}, all, api.Quota{Files: allowed})
	one, x := content("a")
	errs := make([]error, all)
	var running sync.WaitGroup
	for n, c := range clients {
		running.Go(func() { _, errs[n] = c.commit(t.Context(), one, x) })
	}
	running.Wait()
	passed := 0
	for _, err := range errs {
		if err == nil {
			passed++
		} else {
			wantQuota(t, err, "5 files, of which 5 files are used, and 6 files")
		}
	}
	if passed != allowed {
		t.Errorf("%d commits of one file each passed a quota of %d", passed, allowed)
	}
}

// gate is a store whose next barrier waits.
type gate struct {
	cas.Store
	mu      sync.Mutex
	reached chan struct{} // closed by the barrier that waits; nil: none does
	open    chan struct{} // closed: it waits no more
}

func (g *gate) Barrier(ctx context.Context) error {
	g.mu.Lock()
	reached, open := g.reached, g.open
	g.reached = nil
	g.mu.Unlock()
	if reached != nil {
		close(reached)
		<-open
	}
	return g.Store.Barrier(ctx)
}

// TestPromiseThatIsNotKept has a commit wait for another, which takes what is left of the quota and then fails.
func TestPromiseThatIsNotKept(t *testing.T) {
	t.Parallel()
	g := &gate{Store: &cas.Mem{}}
	h := open(t, t.TempDir(), Options{Store: func(string) (cas.Store, error) { return g, nil }})
	clients := owned(t, h, api.ClientID{7}, 3, api.Quota{Files: 1})
	one, x := content("a")
	ctx, cancel := context.WithCancel(t.Context())
	reached, open := make(chan struct{}), make(chan struct{})
	g.mu.Lock()
	g.reached, g.open = reached, open
	g.mu.Unlock()
	var first, second error
	var running sync.WaitGroup
	running.Go(func() { _, first = clients[0].commit(ctx, one, x) })
	<-reached
	running.Go(func() { _, second = clients[1].commit(t.Context(), one, x) })
	impatient, giveUp := context.WithCancel(t.Context())
	giveUp()
	v, err := h.volume(clients[2].volume)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.admitHead(impatient, v, api.Usage{Files: 1}); err != context.Canceled {
		t.Errorf("beside a promise: %v", err)
	}
	cancel()
	close(open)
	running.Wait()
	if first == nil || second != nil {
		t.Errorf("the first commit, which was cancelled: %v; the second: %v", first, second)
	}
	_, err = clients[0].commit(t.Context(), one, x)
	wantQuota(t, err, "1 files, of which 1 files are used, and 2 files")
}

// TestSumsStayWithTheOwner: who may write one volume does not learn what its owner has in others.
func TestSumsStayWithTheOwner(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	owner, guest := api.ClientID{7}, api.ClientID{8}
	clients := owned(t, h, owner, 2, api.Quota{Bytes: 777, Files: 3})
	three, x := content("a", "b", "c")
	clients[0].must(t, three, x)
	grants := func(all api.Right) api.Grants {
		return api.Grants{All: all, Volumes: map[cas.VolumeID]api.Right{clients[1].volume: api.RightAdmin}}
	}
	one, _ := content("d")
	for _, c := range []struct {
		name   string
		caller *api.Caller
		told   bool
	}{
		{"the owner", &api.Caller{Client: owner, Grants: grants(api.RightWrite)}, true},
		{"who runs the hub", &api.Caller{Client: guest, Grants: grants(api.RightAdmin)}, true},
		{"who administers one volume", &api.Caller{Client: guest, Grants: grants(api.RightNone)}, false},
		{"who writes all volumes", &api.Caller{Client: guest, Grants: grants(api.RightWrite)}, false},
	} {
		as := api.WithCaller(t.Context(), c.caller)
		by := newClient(h, clients[1].volume)
		_, committed := by.commit(as, one, x)
		wantQuota(t, committed)
		s, err := by.start(as, randomID())
		if err != nil {
			t.Fatal(err)
		}
		four, _ := content("d", "e", "f", "g")
		_, staged := h.Diff(as, api.DiffRequest{Session: s.Session, Edits: by.build(four)})
		wantQuota(t, staged)
		for _, err := range []error{committed, staged} {
			if told := strings.ContainsAny(err.Error(), "23456789") || strings.Contains(err.Error(), owner.String()); told != c.told {
				t.Errorf("%s is told: %v", c.name, err)
			}
		}
		if err := h.Report(as, s.Session, api.Failed); err != nil {
			t.Fatal(err)
		}
	}
}
