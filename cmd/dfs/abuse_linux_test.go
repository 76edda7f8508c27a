package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// abuseMemory is how many bytes of anonymous memory a hub may have while it is abused.
const abuseMemory = 300 << 20

// An abuse is what a stranger does with a connection, from whatever it has written on, until the
// hub ends it or the test does.
type abuse struct {
	name   string
	conns  int           // at a time
	open   string        // what is written at first
	body   func() []byte // what is written again and again after that; nil: nothing
	every  time.Duration // between two of these
	stays  bool          // the connection is kept for as long as the hub keeps it
	answer bool          // an answer is read, which must not be of the hub's failure
}

func abuses(many int) []abuse {
	post := func(path, contentType string, length any) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %v\r\n\r\n", path, contentType, length)
	}
	const upload = "/api/file/upload?session=00000000000000000000000000000001"
	one := func() []byte { return []byte("x") }
	some := min(many, 1200) // of those that keep the hub at work
	bomb := bombs()
	nested := bytes.Repeat([]byte("["), 4<<20)
	wide := append([]byte(`{"edits":[0`), bytes.Repeat([]byte(",0"), 2<<20-100)...)
	return []abuse{
		{name: "idle connections", conns: many, stays: true},
		{name: "idle connections after a request", conns: many, open: "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", stays: true},
		{name: "headers byte by byte", conns: many, open: "GET /healthz HTTP/1.1\r\nX: ", body: one, every: 100 * time.Millisecond, stays: true},
		{name: "bodies byte by byte", conns: some, open: post(upload, api.Binary, 1<<20), body: one, every: 100 * time.Millisecond, stays: true},
		{name: "bodies that do not come", conns: some, open: post("/api/sync/diff", api.JSON, 4<<20), stays: true},
		{name: "deep JSON", conns: 16, open: post("/api/sync/diff", api.JSON, len(nested)), body: func() []byte { return nested }, answer: true},
		{name: "wide JSON", conns: 16, open: post("/api/sync/diff", api.JSON, len(wide)), body: func() []byte { return wide }, answer: true},
		{name: "bombs", conns: 16, open: post(upload, api.Binary, len(bomb)), body: func() []byte { return bomb }, answer: true},
		{name: "lengths of 2⁶³", conns: 64, open: post(upload, api.Binary, uint64(1)<<63-1), body: one, answer: true},
		{name: "chunked without end", conns: 16, open: "POST " + upload + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + api.Binary +
			"\r\nTransfer-Encoding: chunked\r\n\r\n", body: func() []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(bomb)-44, bomb[:len(bomb)-44]) }},
		{name: "messages of 2⁶³ elements", conns: 64, open: post("/api/chunks/get", api.Binary, len(manyRefs())), body: manyRefs, answer: true},
	}
}

// bombs are frames of a few bytes that decode to 1 MiB each.
func bombs() []byte {
	blob := cas.NewCodec(cas.CompressBulk).Compress(cas.Seal(cas.Chunk, make([]byte, cas.MaxSize)), nil)
	var body bytes.Buffer
	w := api.NewFrameWriter(&body)
	for range 10_000 {
		// A buffer takes all.
		_ = w.Blob(blob)
	}
	_ = w.End(nil)
	return body.Bytes()
}

// manyRefs asks for 2⁶³-1 blobs in a body that has none.
func manyRefs() []byte {
	return api.AppendStream(nil, binary.AppendUvarint(make([]byte, 16), 1<<63-1))
}

// TestAbuse abuses a hub in one way after the other, while others push and pull: it stays up, serves
// them, and its memory is bounded. DFS_ABUSE=10000 sets how many connections there are at a time.
func TestAbuse(t *testing.T) {
	many := 1200
	if s := os.Getenv("DFS_ABUSE"); s != "" {
		var err error
		if many, err = strconv.Atoi(s); err != nil {
			t.Fatalf("DFS_ABUSE=%s: %v", s, err)
		}
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "bin", "dfs")
	linkProgram(t, program)
	env := append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_CACHE_HOME=", "DFS_HUB=")
	hub, err := startHub(filepath.Dir(program), env, "--data", filepath.Join(dir, "hub"))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range abuses(many) {
		t.Run(a.name, func(t *testing.T) {
			v := &victim{t: t, hub: hub, program: program, env: env, dir: filepath.Join(dir, fmt.Sprint("tree", i))}
			stop := a.begin(t, strings.TrimPrefix(hub.url, "http://"))
			defer stop()
			for n := range 3 {
				v.round(n)
			}
			t.Logf("at most %d MiB of anonymous memory", v.peak>>20)
			if v.peak > abuseMemory && !raced {
				t.Errorf("%d MiB of anonymous memory, more than %d", v.peak>>20, abuseMemory>>20)
			}
		})
	}
	if err := hub.stop(); err != nil {
		t.Error(err)
	}
}

// begin begins the abuse, which stop ends. It returns once all its connections were opened.
func (a *abuse) begin(t *testing.T, addr string) (stop func()) {
	ended := make(chan struct{})
	var opened, all sync.WaitGroup
	var conns sync.Map
	var failures atomic.Int64
	opened.Add(a.conns)
	pause := 10 * time.Millisecond
	if a.stays {
		pause = time.Second
	}
	for range a.conns {
		all.Go(func() {
			tell := sync.OnceFunc(opened.Done)
			defer tell()
			for {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				conns.Store(c, true)
				if _, err := io.WriteString(c, a.open); err == nil && a.one(c, tell, ended) {
					failures.Add(1)
				}
				conns.Delete(c)
				_ = c.Close()
				select {
				case <-ended:
					return
				case <-time.After(pause):
				}
			}
		})
	}
	opened.Wait()
	return func() {
		close(ended)
		conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		all.Wait()
		if n := failures.Load(); n > 0 {
			t.Errorf("%d answers tell of a failure of the hub", n)
		}
	}
}

// one abuses one connection, and reports whether the hub answered that it failed.
func (a *abuse) one(c net.Conn, opened func(), ended <-chan struct{}) (failed bool) {
	opened()
	for a.body != nil {
		if _, err := c.Write(a.body()); err != nil || a.answer {
			break
		}
		if a.every == 0 {
			continue
		}
		select {
		case <-time.After(a.every):
		case <-ended:
			return false
		}
	}
	if a.answer {
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.HasPrefix(line, "HTTP/1.1 500")
	}
	if a.stays {
		_, _ = io.Copy(io.Discard, c)
	}
	return false
}

// A victim is who uses the hub meanwhile.
type victim struct {
	t       *testing.T
	hub     *running
	program string
	env     []string
	dir     string
	peak    int64 // bytes of the hub's anonymous memory
}

// round pushes a change and pulls it to another place.
func (v *victim) round(n int) {
	v.t.Helper()
	content := bytes.Repeat(fmt.Appendf(nil, "%s %d\n", v.dir, n), 100_000)
	if err := os.MkdirAll(v.dir, 0o755); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.dir, fmt.Sprint("file", n)), content, 0o644); err != nil {
		v.t.Fatal(err)
	}
	v.run("push", v.dir)
	v.run("pull", v.dir+"-copy", "--volume", filepath.Base(v.dir))
	got, err := os.ReadFile(filepath.Join(v.dir+"-copy", fmt.Sprint("file", n)))
	if err != nil || !bytes.Equal(got, content) {
		v.t.Errorf("round %d: what was pulled is not what was pushed: %v", n, err)
	}
}

func (v *victim) run(args ...string) {
	v.t.Helper()
	cmd := exec.Command(v.program, append(args, "--hub", v.hub.url)...)
	cmd.Env = v.env
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		v.t.Fatalf("dfs %v: %v\n%s", args, err, out)
	}
	v.t.Logf("dfs %s took %v", args[0], time.Since(began).Round(time.Millisecond))
	n, err := anonymous(v.hub)
	if err != nil {
		v.t.Fatal(err)
	}
	v.peak = max(v.peak, n)
}
