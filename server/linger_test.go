package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/hub"
)

// crowd is a hub with accounts, few connections, and clients that wait for its volume's next head.
type crowd struct {
	t      *testing.T
	hub    *hub.Hub
	addr   string
	volume api.Volume
	admin  api.Secret
	ended  chan int // the status of each poll's answer; 0: it was cut
}

func newCrowd(t *testing.T, connections, requests int) *crowd {
	t.Helper()
	h, err := hub.Open(t.TempDir(), hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	limits := api.DefaultLimits()
	limits.Connections, limits.ClientRequests = connections, requests
	c := &crowd{t: t, hub: h, addr: serve(t, h, server.Options{Accounts: h, Limits: limits}), ended: make(chan int, 100)}
	c.admin, _ = member(t, h, api.Grants{All: api.RightAdmin})
	if c.volume, err = h.CreateVolume(t.Context(), "docs", cas.VolumeID{1}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crowd) reader() api.Secret {
	token, _ := member(c.t, c.hub, api.Grants{Volumes: map[cas.VolumeID]api.Right{c.volume.ID: api.RightRead}})
	return token
}

// poll asks for the next head, on a connection of its own.
func (c *crowd) poll(token api.Secret) {
	c.t.Helper()
	conn := raw(c.t, c.addr, fmt.Sprintf("GET /api/sync/changes?volume=%v&from=%v&wait=60s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
		c.volume.ID, c.volume.Head.Snapshot, string(token)))
	go func() { c.ended <- statusOf(conn) }()
}

// statusOf reads an answer, after the signs of life before it, and returns its status: 0 where it was cut.
func statusOf(conn net.Conn) int {
	lines := bufio.NewReader(conn)
	resp, err := http.ReadResponse(lines, nil)
	for err == nil && resp.StatusCode < 200 {
		resp, err = http.ReadResponse(lines, nil)
	}
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
		return -1
	}
	return resp.StatusCode
}

// othersAreServed asks whether the hub is there, and as its administrator for the volumes.
func (c *crowd) othersAreServed() {
	c.t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/api/volumes"} {
		conn := raw(c.t, c.addr, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", path, string(c.admin)))
		if status := statusOf(conn); status != 200 {
			c.t.Errorf("%s: %d", path, status)
		}
		_ = conn.Close()
	}
}

// TestOneClientTakesItsShare: of the polls of one client, more than there are connections, half of what it may have
// wait; the others are told to come again, and nobody else notices.
func TestOneClientTakesItsShare(t *testing.T) {
	c := newCrowd(t, 40, 8)
	token := c.reader()
	const polls = 60
	for range polls {
		c.poll(token)
	}
	for range polls - 4 {
		if status := <-c.ended; status != 429 {
			t.Fatalf("a poll above the share: %d", status)
		}
	}
	c.othersAreServed()
	c.poll(c.reader())
	select {
	case status := <-c.ended:
		t.Errorf("a poll within a share: %d", status)
	case <-time.After(100 * time.Millisecond):
	}
}

// TestWaitsGiveWay: where those that wait for a head, each client within its share, have all connections, who comes
// gets the place of one that has waited, which is told to come again and not cut.
func TestWaitsGiveWay(t *testing.T) {
	c := newCrowd(t, 8, 4)
	for range 6 {
		token := c.reader()
		c.poll(token)
		c.poll(token)
	}
	for range 4 {
		if status := <-c.ended; status != 429 {
			t.Fatalf("a poll that gave way: %d", status)
		}
	}
	c.othersAreServed()
	for len(c.ended) > 0 {
		if status := <-c.ended; status != 429 {
			t.Fatalf("a poll that gave way: %d", status)
		}
	}
}

// TestShareByDefault: without configuration one client has an eighth of the connections for its requests, and a quarter of
// the places for events.
func TestShareByDefault(t *testing.T) {
	s := newStage(t, 8, server.Options{})
	s.caller = &api.Caller{Client: api.ClientID{1}, Grants: api.Grants{All: api.RightRead}}
	for range 64 {
		s.open(t, "/api/events", "")
	}
	resp, data := do(t, "GET", s.url+"/api/events", "", nil)
	wantRefusal(t, "events beyond the share", resp, data, 429, api.ErrTooMany)
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.caller = &api.Caller{Client: api.ClientID{2}, Grants: api.Grants{All: api.RightRead}}
	s.open(t, "/api/events", "")
	if most := api.DefaultLimits(); most.ClientRequests*8 > most.Connections {
		t.Errorf("a client has %d requests of %d connections", most.ClientRequests, most.Connections)
	}
}
