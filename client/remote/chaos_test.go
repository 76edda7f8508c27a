package remote_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client"
	"dfs/client/remote"
	"dfs/server/api"
)

// TestChaos cuts, loses, delays and doubles each kind of request and its answer at places that are
// spread over its length, and where frames begin and lines of the header end, and has what came of an answer come
// once more: each time the call succeeds and has one effect. So does a whole push with a pull and a sync. Without more
// each place has one harm. DFS_CHAOS=64 sets how many places, and with it all frames, and each harm at each place.
func TestChaos(t *testing.T) {
	places, all := 2, false
	if s := os.Getenv("DFS_CHAOS"); s != "" {
		var err error
		if places, err = strconv.Atoi(s); err != nil {
			t.Fatalf("DFS_CHAOS=%s: %v", s, err)
		}
		all = true
	}
	former := log.Writer()
	log.SetOutput(io.Discard) // in which the HTTP library complains of what comes twice
	t.Cleanup(func() { log.SetOutput(former) })
	for _, r := range append(requests(), request{"push, pull and sync", cycle}) {
		chaos{request: r, scene: newScene}.all(t, places, all)
	}
	for _, r := range privateRequests() {
		chaos{request: r, scene: func(*testing.T, api.Hub) *scene { return new(scene) }, accounts: true}.all(t, places, all)
	}
}

// TestChaosKnowsAllRequests: there is one of each kind that dfs makes, all of which may be made again.
func TestChaosKnowsAllRequests(t *testing.T) {
	names := []string{"health", "openapi", "download", "stat", "settle", "metrics"} // for others' programs
	for _, r := range append(requests(), privateRequests()...) {
		names = append(names, r.name)
	}
	for op := range api.Op(api.Ops()) {
		if !slices.Contains(names, op.String()) {
			t.Errorf("no request of the kind %v", op)
		}
	}
}

// chaos is a kind of request with one of its directions.
type chaos struct {
	request  request
	scene    func(t *testing.T, hub api.Hub) *scene
	accounts bool // the hub has them

	*venue
	dir direction
}

// all harms requests and answers at all places, in tests that run beside others.
func (c chaos) all(t *testing.T, places int, all bool) {
	for _, dir := range []direction{up, down} {
		t.Run(fmt.Sprintf("%s/%s", c.request.name, []string{"request", "answer"}[dir]), func(t *testing.T) {
			t.Parallel()
			one := c
			one.dir, one.venue = dir, newVenue(t, c.accounts)
			one.each(t, places, all)
		})
	}
}

func (c chaos) each(t *testing.T, places int, all bool) {
	harms := []harm{cutting, losing, delaying, doubling}
	if c.dir == down {
		harms = append(harms, repeating)
	}
	raw := c.run(t, cutting, math.MaxInt)
	at := spread(len(raw), places)
	frames := boundaries(raw)
	if c.framed() && len(frames) == 0 {
		t.Error("no frames were found")
	}
	if !all {
		frames = every(frames, places)
	}
	at = append(append(at, frames...), lines(raw)...)
	slices.Sort(at)
	at = slices.Compact(at)
	for i, n := range at {
		kinds := harms
		if !all {
			kinds = harms[i%len(harms):][:1]
		}
		for _, kind := range kinds {
			c.run(t, kind, n)
		}
	}
	if c.dir == down {
		c.run(t, repeating, len(raw))
	}
	t.Logf("%d bytes, harmed at %d places, of which %d are beginnings of frames", len(raw), len(at), len(frames))
}

// framed reports whether requests of the kind, or their answers, are in frames.
func (c chaos) framed() bool {
	for op := range api.Op(api.Ops()) {
		if op.String() == c.request.name {
			return slices.Contains([][]string{op.Route().Takes, op.Route().Gives}[c.dir], api.Binary)
		}
	}
	return false
}

// run makes the request with a harm after n bytes, and returns what passed. What is asked next gets its own answer.
func (c chaos) run(t *testing.T, kind harm, n int) []byte {
	t.Helper()
	s := c.scene(t, c.hub)
	s.venue = c.venue
	defer s.end(t)
	p := newProxy(t, c.url, 0)
	opts := remote.Options{Token: c.token}
	if n < math.MaxInt { // else what is slow would pass twice
		opts.Stall = 250 * time.Millisecond
	}
	h := dial(t, p.url, opts)
	p.do(kind, c.dir, n)
	if err := c.request.run(t.Context(), h, s); err != nil {
		t.Fatalf("%v after %d bytes: %v", kind, n, err)
	}
	if p.done() == 0 && n < math.MaxInt && kind != repeating && c.request.name != "events" { // whose length varies
		t.Errorf("nothing was %v after %d bytes", kind, n)
	}
	raw := p.passed()
	if list, err := h.Volumes(t.Context(), "none"); err != nil || len(list) != 0 {
		t.Errorf("%v after %d bytes: then: %+v, %v", kind, n, list, err)
	}
	if v, err := h.Snapshot(t.Context(), c.volume, cas.ID{}); err != nil || v.Record.Seq != 1 {
		t.Errorf("%v after %d bytes: then: %+v, %v", kind, n, v, err)
	}
	return raw
}

// spread returns n numbers below max, the distances between which grow with them.
func spread(max, n int) []int {
	var at []int
	for i := range n {
		at = append(at, int(math.Pow(float64(max), float64(i)/float64(n)))-1)
	}
	return at
}

// every returns about n of a list.
func every(list []int, n int) (some []int) {
	for i := 0; i < len(list); i += len(list)/n + 1 {
		some = append(some, list[i])
	}
	return some
}

// lines returns where lines of the first header end.
func lines(raw []byte) (at []int) {
	header, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	for i := range header {
		if header[i] == '\r' {
			at = append(at, i)
		}
	}
	return every(at, 3)
}

// boundaries returns where frames begin in what passed of requests or answers, and events end.
func boundaries(raw []byte) (at []int) {
	for from := 0; from < len(raw); {
		head, _, ok := bytes.Cut(raw[from:], []byte("\r\n\r\n"))
		if !ok {
			break
		}
		start := from + len(head) + 4
		lines := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw[from:start])))
		if _, err := lines.ReadLine(); err != nil {
			break
		}
		header, err := lines.ReadMIMEHeader()
		if err != nil {
			break
		}
		body, where, end := bodyOf(http.Header(header), raw, start)
		switch header.Get("Content-Type") {
		case api.Binary:
			for o := 0; o+api.HeaderSize <= len(body); {
				at = append(at, where[o])
				o += api.HeaderSize + int(binary.BigEndian.Uint32(body[o+6:]))
			}
		case api.EventStream:
			for o := range body {
				if bytes.HasSuffix(body[:o], []byte("\n\n")) {
					at = append(at, where[o])
				}
			}
		}
		from = end
	}
	return at
}

// bodyOf returns the body of a message that starts so far into raw, where each of its bytes is there, and where it ends.
func bodyOf(header http.Header, raw []byte, start int) (body []byte, where []int, end int) {
	if header.Get("Transfer-Encoding") == "chunked" {
		for at := start; ; {
			line, _, ok := bytes.Cut(raw[at:], []byte("\r\n"))
			size, err := strconv.ParseUint(string(line), 16, 31)
			if !ok || err != nil {
				return body, where, len(raw)
			}
			if at += len(line) + 2; size == 0 {
				return body, where, at + 2
			}
			for range min(int(size), len(raw)-at) {
				body, where = append(body, raw[at]), append(where, at)
				at++
			}
			at = min(at+2, len(raw))
		}
	}
	size, _ := strconv.Atoi(header.Get("Content-Length"))
	end = min(start+size, len(raw))
	for at := start; at < end; at++ {
		where = append(where, at)
	}
	return raw[start:end], where, end
}

// counted is a hub of a client.
type counted struct{ *remote.Hub }

func (c counted) Traffic() client.Traffic { return client.Traffic(c.Hub.Traffic()) }

// Close leaves the hub to the test.
func (counted) Close() error { return nil }

// cycle pushes a directory to a volume, pulls it to another, and syncs a change back.
func cycle(ctx context.Context, h api.Hub, s *scene) (err error) {
	place, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	name := "of-" + s.session.String()
	config := func(dir string) client.Config {
		return client.Config{
			Dir: filepath.Join(place, dir), NewHub: "http://hub", Volume: name, Host: "host",
			Codec: cas.NewCodec(cas.CompressFast),
			Dial:  func(context.Context, string) (client.Conn, error) { return counted{h.(*remote.Hub)}, nil },
		}
	}
	file := func(dir, name string) string { return filepath.Join(place, dir, name) }
	if err := os.Mkdir(filepath.Join(place, name), 0o755); err != nil {
		return err
	}
	for i := range 5 {
		content := strings.Repeat(fmt.Sprintf("%s %d\n", name, i), 3000*i)
		if err := os.WriteFile(file(name, fmt.Sprint(i)), []byte(content), 0o644); err != nil {
			return err
		}
	}
	first := config(name)
	first.Volume = ""
	if _, err := client.Push(ctx, first); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	if _, err := client.Pull(ctx, config("copy")); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	if err := os.WriteFile(file("copy", "0"), []byte("changed"), 0o644); err != nil {
		return err
	}
	for _, dir := range []string{"copy", name} {
		res, err := client.Sync(ctx, config(dir))
		if err != nil || len(res.Conflicts) > 0 {
			return fmt.Errorf("sync of %s: %v, %w", dir, res, err)
		}
	}
	for i := range 5 {
		a, err := os.ReadFile(file(name, fmt.Sprint(i)))
		b, err2 := os.ReadFile(file("copy", fmt.Sprint(i)))
		if err := errors.Join(err, err2); err != nil || !bytes.Equal(a, b) {
			return fmt.Errorf("file %d differs: %w", i, err)
		}
	}
	return s.oneSnapshotEach(ctx, name)
}

// oneSnapshotEach returns an error unless the volume has the three snapshots of a cycle.
func (s *scene) oneSnapshotEach(ctx context.Context, name string) error {
	list, err := s.hub.Volumes(ctx, name)
	if err != nil || len(list) != 1 {
		return fmt.Errorf("%d volumes: %w", len(list), err)
	}
	return same(list[0].Head.Seq, uint64(3))
}
