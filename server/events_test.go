package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
)

// stage is a server that tells events, to callers as a test says.
type stage struct {
	url    string
	bus    *events.Bus
	feed   *feed.Feed
	caller *api.Caller
	stop   context.CancelFunc
	ended  chan string // the User-Agent of each request that has ended
}

func newStage(t *testing.T, size int, opts server.Options) *stage {
	t.Helper()
	s := &stage{bus: new(events.Bus), feed: feed.New(size), ended: make(chan string, 10_000)}
	opts.Bus, opts.Feed = s.bus, s.feed
	go s.feed.Run(context.Background(), events.Subscribe[events.Event](s.bus, 1<<16))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + ln.Addr().String()
	h := server.New(&double{}, opts)
	as := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.ended <- r.UserAgent() }()
		h.ServeHTTP(w, r.WithContext(api.WithCaller(r.Context(), s.caller)))
	})
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, as, nil) }()
	t.Cleanup(func() {
		s.stop()
		s.bus.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// endedFeed is a feed of a bus that is closed, so that answers with its events end.
func endedFeed() *feed.Feed {
	f, bus := feed.New(1), new(events.Bus)
	bus.Close()
	f.Run(context.Background(), events.Subscribe[events.Event](bus, 1))
	return f
}

// published publishes and waits until the feed has all.
func (s *stage) published(all ...events.Event) {
	end := s.feed.End() + feed.Position(len(all))
	for _, e := range all {
		s.bus.Publish(e)
	}
	for s.feed.End() < end {
		_, _, _, more := s.feed.Read(s.feed.End(), make([]feed.Entry, 0, 1))
		if more != nil && s.feed.End() < end {
			<-more
		}
	}
}

// told is an event as a client gets it.
type told struct {
	id, kind, data string
}

// stream is an answer with events.
type stream struct {
	t     testing.TB
	body  io.ReadCloser
	lines *bufio.Scanner
	id    string // the last
}

func (s *stage) open(t testing.TB, path, after string) *stream {
	t.Helper()
	return s.openAs(t, path, after, "")
}

func (s *stage) openAs(t testing.TB, path, after string, token api.Secret) *stream {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s, %v", resp.Status, resp.Header)
	}
	r := &stream{t: t, body: resp.Body, lines: bufio.NewScanner(resp.Body), id: after}
	if first := r.block(); first.kind != "" || first.id == "" {
		t.Fatalf("the stream begins with %+v", first)
	}
	return r
}

// block reads lines up to an empty one.
func (s *stream) block() (e told) {
	s.t.Helper()
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "":
			if s.lines.Text() == "" {
				return e
			}
		case "id":
			e.id, s.id = value, value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		}
	}
	s.t.Fatalf("the stream ends: %v", s.lines.Err())
	return e
}

// next returns the next event.
func (s *stream) next() told {
	s.t.Helper()
	for {
		if e := s.block(); e.kind != "" {
			return e
		}
	}
}

func (s *stream) wantNames(names ...string) {
	s.t.Helper()
	for _, name := range names {
		e := s.next()
		var form struct{ Name string }
		if err := json.Unmarshal([]byte(e.data), &form); err != nil || form.Name != name {
			s.t.Fatalf("%+v, not of %q: %v", e, name, err)
		}
	}
}

func created(volume byte, name string) events.Event {
	return events.VolumeCreated{Volume: cas.VolumeID{volume}, Name: name}
}

func TestEventsResume(t *testing.T) {
	s := newStage(t, 100, server.Options{})
	s.published(created(1, "before"))
	r := s.open(t, "/api/events", "")
	s.published(created(1, "a"), created(2, "b"), created(1, "c"))
	r.wantNames("a", "b")
	after := r.id
	r.wantNames("c")
	r.body.Close()
	s.published(created(1, "d"))
	again := s.open(t, "/api/events", after)
	again.wantNames("c", "d")
	again.body.Close()
	// Another process knows nothing of the ID: the reader is told that something is missing, and then what there is.
	other := newStage(t, 2, server.Options{})
	other.published(created(1, "x"), created(1, "y"), created(1, "z"))
	again = other.open(t, "/api/events", after)
	for again.next() != (told{kind: "lost", data: `{"type":"lost","count":0}`}) {
		t.Fatal("the loss is not told")
	}
	if e := again.next(); e.data != `{"type":"lost","count":1}` {
		t.Errorf("%+v", e)
	}
	again.wantNames("y", "z")
}

// TestEventsResumeAnywhere: whoever is cut off after any event, and comes back after any number of further ones, gets all of
// its events once and in order, or is told that some are missing when they are.
func TestEventsResumeAnywhere(t *testing.T) {
	const kept = 8
	s := newStage(t, kept, server.Options{})
	s.caller = &api.Caller{Grants: api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightRead}}}
	rapid.Check(t, func(rt *rapid.T) {
		r := s.open(t, "/api/events", "")
		n := 0
		for range rapid.IntRange(1, 5).Draw(rt, "rounds") {
			r.body.Close()
			var batch []events.Event
			for range rapid.IntRange(0, kept+4).Draw(rt, "events") {
				n++
				batch = append(batch, created(rapid.Byte().Draw(rt, "volume")%2, fmt.Sprint(n)))
			}
			batch = append(batch, created(1, "the last"))
			s.published(batch...)
			r = s.open(t, "/api/events", r.id)
			if len(batch) > kept {
				if e := r.next(); e.kind != "lost" || e.data != `{"type":"lost","count":0}` {
					rt.Fatalf("%+v", e)
				}
				batch = batch[len(batch)-kept:]
			}
			for _, e := range batch {
				if v := e.(events.VolumeCreated); v.Volume == (cas.VolumeID{1}) {
					r.wantNames(v.Name)
				}
			}
		}
		r.body.Close()
	})
}

func TestEventsAreFiltered(t *testing.T) {
	s := newStage(t, 100, server.Options{})
	s.caller = &api.Caller{Grants: api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightRead, {2}: api.RightAdmin}}}
	r := s.open(t, "/api/events", "")
	hubwide := events.ClientRegistered{Name: "no volume's"}
	s.published(created(3, "foreign"), created(1, "a"), hubwide, events.Lost{Count: 7}, created(2, "b"))
	r.wantNames("a")
	if e := r.next(); e.data != `{"type":"lost","count":0}` {
		t.Errorf("%+v", e)
	}
	r.wantNames("b")
	s.caller = &api.Caller{Grants: api.Grants{All: api.RightAdmin}}
	all := s.open(t, "/api/events", "")
	s.published(hubwide, events.Lost{Count: 7}, created(3, "c"))
	all.wantNames("no volume's")
	if e := all.next(); e.data != `{"type":"lost","count":7}` {
		t.Errorf("%+v", e)
	}
	all.wantNames("c")
	r.wantNames() // the other stream is still as it was
}

// TestEventsDetailOfDamage: what a store says of damage is for who administers the hub, not for who reads the volume.
func TestEventsDetailOfDamage(t *testing.T) {
	s := newStage(t, 100, server.Options{})
	damage := events.BlobDamaged{Volume: cas.VolumeID{1}, Path: "a", Blob: cas.ID{2}, Code: "internal", Detail: "read /srv/secret: input/output error"}
	for _, c := range []struct {
		grants api.Grants
		detail string
	}{
		{api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightAdmin}}, ""}, {api.Grants{All: api.RightWrite}, ""},
		{api.Grants{All: api.RightAdmin}, damage.Detail},
	} {
		s.caller = &api.Caller{Grants: c.grants}
		r := s.open(t, "/api/events", "")
		s.published(damage)
		want := damage
		want.Detail = c.detail
		var got events.BlobDamaged
		if e := r.next(); json.Unmarshal([]byte(e.data), &got) != nil || got != want {
			t.Errorf("%+v is told %+v", c.grants, e)
		}
	}
}

// TestEventsHeartbeat: while nothing happens the peer hears that the hub is there, and a server that stops ends the stream.
func TestEventsHeartbeat(t *testing.T) {
	s := newStage(t, 100, server.Options{Beat: time.Millisecond})
	r := s.open(t, "/api/events", "")
	for r.lines.Scan() && r.lines.Text() != ": " {
	}
	if r.lines.Text() != ": " {
		t.Fatalf("%q: %v", r.lines.Text(), r.lines.Err())
	}
	s.stop()
	for r.lines.Scan() {
	}
	if err := r.lines.Err(); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

// TestEventsSlowReader: who takes nothing is dropped, and holds nobody up.
func TestEventsSlowReader(t *testing.T) {
	const many = 800
	s := newStage(t, 2*many, server.Options{Stall: time.Second})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /api/events HTTP/1.1\r\nHost: localhost\r\nUser-Agent: asleep\r\n\r\n")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	reader := s.open(t, "/api/events", "")
	long := strings.Repeat("x", 20_000)
	go func() {
		for range many {
			s.published(created(1, long))
		}
	}()
	for range many {
		reader.next()
	}
	reader.body.Close()
	for <-s.ended != "asleep" {
	}
	n, _ := io.Copy(io.Discard, conn)
	if n >= many*int64(len(long)) {
		t.Errorf("it got all %d bytes", n)
	}
}

// TestEventsBound: there are so many streams at a time, and no more.
func TestEventsBound(t *testing.T) {
	s := newStage(t, 10, server.Options{})
	var open []*stream
	for range 256 {
		open = append(open, s.open(t, "/api/events", ""))
	}
	resp, data := do(t, http.MethodGet, s.url+"/api/events", "", nil)
	wantRefusal(t, "one more", resp, data, 503, api.ErrBusy)
	for _, r := range open {
		r.body.Close()
	}
}

func TestNoEvents(t *testing.T) {
	base := "http://" + serve(t, &double{}, server.Options{})
	for _, path := range []string{"/api/events", "/metrics"} {
		resp, data := do(t, http.MethodGet, base+path, "", nil)
		wantRefusal(t, path, resp, data, 404, api.ErrNotFound)
	}
}

// TestRefusalsAreTold: of a route, of a path that is none, and of a foreign name.
func TestRefusalsAreTold(t *testing.T) {
	s := newStage(t, 100, server.Options{})
	sub := events.Subscribe[events.RequestRefused](s.bus, 0)
	do(t, http.MethodGet, s.url+"/api/snapshots", "", nil)
	do(t, http.MethodGet, s.url+"/nothing", "", nil)
	do(t, http.MethodGet, s.url+"/api/hub", "", nil, "Host", "evil.example")
	for _, want := range []events.RequestRefused{
		{Route: "/api/snapshots", Code: "invalid", Status: 400, Anonymous: true}, {Code: "not_found", Status: 404, Anonymous: true},
		{Code: "forbidden", Status: 403, Anonymous: true},
	} {
		e, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := e.(events.RequestRefused)
		got.At = time.Time{}
		if got != want {
			t.Errorf("%+v, not %+v", got, want)
		}
	}
}

// TestCurlReadsEvents has a stranger's client read the stream.
func TestCurlReadsEvents(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	s := newStage(t, 100, server.Options{})
	at := s.feed.ID(s.feed.End())
	s.published(created(1, "one"), created(1, "two"))
	s.bus.Close() // which ends the stream
	out, err := exec.CommandContext(t.Context(), "curl", "-sSN", "-H", "Last-Event-ID: "+at, s.url+"/api/events").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out); strings.Count(got, "\nevent: volume_created\ndata: {") != 2 || strings.Count(got, "\nid: ") < 3 {
		t.Errorf("%s", got)
	}
}
