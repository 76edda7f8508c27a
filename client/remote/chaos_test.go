package remote_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
	"dfs/server"
	"dfs/server/api"
)

// TestChaos cuts, loses, delays and doubles each kind of request and its answer at places that are
// spread over its length, and where frames begin and lines of the header end: each time the call succeeds and has one effect. So does a whole
// push with a pull and a sync. Without more each place has one harm. DFS_CHAOS=64 sets how many places, and with it
// all frames, and each harm at each place.
func TestChaos(t *testing.T) {
	places, all := 2, false
	if s := os.Getenv("DFS_CHAOS"); s != "" {
		var err error
		if places, err = strconv.Atoi(s); err != nil {
			t.Fatalf("DFS_CHAOS=%s: %v", s, err)
		}
		all = true
	}
	hub := openHub(t)
	url := serve(t, server.New(hub, server.Options{}))
	for _, r := range append(requests(), request{"push, pull and sync", cycle}) {
		for _, dir := range []direction{up, down} {
			t.Run(fmt.Sprintf("%s/%s", r.name, []string{"request", "answer"}[dir]), func(t *testing.T) {
				t.Parallel()
				c := chaos{t: t, hub: hub, url: url, request: r, dir: dir}
				raw := c.run(cutting, math.MaxInt)
				at := spread(len(raw), places)
				frames := boundaries(raw)
				if !all {
					frames = every(frames, places)
				}
				at = append(append(at, frames...), lines(raw)...)
				slices.Sort(at)
				at = slices.Compact(at)
				for i, n := range at {
					kinds := []harm{cutting, losing, delaying, doubling}
					if !all {
						kinds = kinds[i%len(kinds):][:1]
					}
					for _, kind := range kinds {
						c.run(kind, n)
					}
				}
				t.Logf("%d bytes, harmed at %d places, of which %d are beginnings of frames", len(raw), len(at), len(frames))
			})
		}
	}
}

// chaos is a kind of request with one of its directions.
type chaos struct {
	t       *testing.T
	hub     api.Hub
	url     string
	request request
	dir     direction
}

// run makes the request with a harm after n bytes, and returns what passed.
func (c *chaos) run(kind harm, n int) []byte {
	c.t.Helper()
	s := newScene(c.t, c.hub)
	p := newProxy(c.t, c.url, 0)
	h := dial(c.t, p.url, remote.Options{Stall: 250 * time.Millisecond})
	p.do(kind, c.dir, n)
	if err := c.request.run(c.t.Context(), h, s); err != nil {
		c.t.Fatalf("%v after %d bytes: %v", kind, n, err)
	}
	if p.done() == 0 && n != math.MaxInt {
		c.t.Errorf("nothing was %v after %d bytes", kind, n)
	}
	return p.passed()
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

// boundaries returns where frames begin in what passed of requests or answers, the first of them.
func boundaries(raw []byte) (at []int) {
	header, _, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok || !bytes.Contains(header, []byte(api.Binary)) {
		return nil
	}
	body, where := raw[len(header)+4:], []int(nil)
	for i := range body {
		where = append(where, len(header)+4+i)
	}
	if bytes.Contains(header, []byte("chunked")) {
		body, where = dechunk(body, where)
	}
	for o := 0; o+api.HeaderSize <= len(body); {
		at = append(at, where[o])
		o += api.HeaderSize + int(binary.BigEndian.Uint32(body[o+6:]))
	}
	return at
}

// dechunk takes apart the chunks of a body, of whose bytes it knows where each was.
func dechunk(raw []byte, where []int) (body []byte, at []int) {
	for len(raw) > 0 {
		line, rest, ok := bytes.Cut(raw, []byte("\r\n"))
		size, err := strconv.ParseUint(string(line), 16, 31)
		if !ok || err != nil || size == 0 || int(size) > len(rest) {
			return body, at
		}
		where = where[len(line)+2:]
		body, at = append(body, rest[:size]...), append(at, where[:size]...)
		raw, where = rest[min(int(size)+2, len(rest)):], where[min(int(size)+2, len(where)):]
	}
	return body, at
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
	name := s.session.String()
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
