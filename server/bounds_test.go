package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
)

// TestRequestBounds makes requests just within each bound of one, which pass, and just above it.
func TestRequestBounds(t *testing.T) {
	limits := api.DefaultLimits()
	limits.JSON, limits.Blobs, limits.Edits = 2000, 5, 3
	d := &double{
		upload: func(context.Context, []cas.Blob) error { return nil },
		commit: func(context.Context, api.CommitRequest) (api.CommitAnswer, error) { return api.CommitAnswer{}, nil },
		blobs:  func(context.Context, func(cas.Blob) error) error { return nil },
		diff: func(_ context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
			return api.DiffAnswer{Missing: make([]bool, len(req.Names()))}, nil
		},
	}
	addr := serve(t, d, server.Options{Limits: limits})
	var edits []api.Edit
	for i := range 4 {
		edits = append(edits, api.Edit{Path: fmt.Sprint(i)})
	}
	for _, c := range []struct {
		name, path, contentType string
		bound                   int
		body                    func(n int) []byte
	}{
		{"JSON", "/api/sync/start", api.JSON, 2000, func(n int) []byte {
			return fmt.Appendf(nil, "%-*s", n, `{"protocol":1}`)
		}},
		{"nesting", "/api/sync/diff", api.JSON, 8, func(n int) []byte {
			return []byte(strings.Repeat("[", n) + strings.Repeat("]", n))
		}},
		{"blobs of an upload", uploadPath, api.Binary, 5, func(n int) []byte { return frames(slices.Repeat([]cas.Blob{chunk(9, 1)}, n)...) }},
		{"blobs asked for", "/api/chunks/get", api.Binary, 5, func(n int) []byte {
			return api.AppendStream(nil, (&api.BlobsRequest{Volume: cas.VolumeID{1}, Refs: slices.Repeat([]cas.Ref{{Kind: cas.Chunk}}, n)}).Append(nil))
		}},
		{"blobs of a commit", "/api/sync/commit", api.Binary, 5, func(n int) []byte { return commitBody(nil, "", slices.Repeat([]cas.Blob{chunk(9, 1)}, n)...) }},
		{"edits of a commit", "/api/sync/commit", api.Binary, 3, func(n int) []byte { return commitBody(edits[:n], "") }},
		{"edits of a part", "/api/sync/diff", api.Binary, 3, func(n int) []byte {
			msg, _ := (&api.DiffRequest{Edits: edits[:n]}).Append(nil)
			return api.AppendStream(nil, msg)
		}},
		{"message", "/api/sync/commit", api.Binary, limits.Message, func(n int) []byte { return commitBody(nil, strings.Repeat("m", n)) }},
		{"frame", uploadPath, api.Binary, cas.MaxSize, func(n int) []byte {
			h := api.Header{Ref: cas.Ref{Kind: cas.Chunk, ID: cas.Sum(make([]byte, n))}, Plain: n, Size: n}
			return api.AppendEnd(append(h.Append(nil), make([]byte, n)...), 1)
		}},
		{"decoded frame", uploadPath, api.Binary, cas.MaxSize, func(n int) []byte {
			h := api.BlobHeader(cas.NewCodec(cas.CompressBulk).Compress(chunk(cas.MaxSize, 0), nil))
			h.Plain = n
			return api.AppendEnd(append(h.Append(nil), cas.NewCodec(cas.CompressBulk).Compress(chunk(cas.MaxSize, 0), nil).Data()...), 1)
		}},
	} {
		for n := c.bound; n <= c.bound+1; n++ {
			resp, data := do(t, "POST", "http://"+addr+c.path, c.contentType, bytes.NewReader(c.body(n)))
			named := strings.Contains(string(data), fmt.Sprint(c.bound))
			switch within := n == c.bound; {
			case within && resp.StatusCode != 200 && named:
				t.Errorf("%s: %d: %s %s", c.name, n, resp.Status, data)
			case !within && (resp.StatusCode != 413 && resp.StatusCode != 400 || !named):
				t.Errorf("%s: %d: %s %s", c.name, n, resp.Status, data)
			}
		}
	}
}

func commitBody(edits []api.Edit, message string, blobs ...cas.Blob) []byte {
	msg, _ := (&api.CommitRequest{Edits: edits, Message: message}).Append(nil)
	var body bytes.Buffer
	w := api.NewFrameWriter(&body)
	_ = w.Message(msg)
	for _, b := range blobs {
		_ = w.Blob(b)
	}
	_ = w.End(nil)
	return body.Bytes()
}

func TestHeaderBound(t *testing.T) {
	addr := serve(t, &double{}, server.Options{})
	limit := api.DefaultLimits().Header
	const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n"
	for n := limit; n <= limit+1; n++ {
		resp, data := readAnswer(t, raw(t, addr, fmt.Sprintf(request, strings.Repeat("x", n-len(request)+2))))
		if n == limit && resp.StatusCode != 200 {
			t.Errorf("%d: %s %s", n, resp.Status, data)
		}
		if n > limit {
			wantRefusal(t, fmt.Sprint(n), resp, data, 413, api.ErrTooLarge)
		}
	}
}

// TestHugeDeclaredLength declares bodies of 2⁶³ bytes about, and sends none.
func TestHugeDeclaredLength(t *testing.T) {
	addr := serve(t, &double{}, server.Options{})
	for _, n := range []string{"9223372036854775807", "9223372036854775808", "18446744073709551616"} {
		for _, path := range []string{uploadPath, "/api/sync/diff", "/api/sync/commit", "/api/chunks/get"} {
			c := raw(t, addr, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+api.Binary+"\r\nContent-Length: "+n+"\r\n\r\n")
			if resp, data := readAnswer(t, c); resp.StatusCode != 413 && resp.StatusCode != 400 {
				t.Errorf("%s of %s bytes: %s %s", path, n, resp.Status, data)
			}
		}
	}
}

// TestDrippingBodyIsDropped sends a byte from time to time, so that nothing ever stalls.
func TestDrippingBodyIsDropped(t *testing.T) {
	const stall = 400 * time.Millisecond // in which 25 bytes are the least
	addr := serve(t, &double{upload: new(recorder).upload}, server.Options{Stall: stall})
	c := raw(t, addr, post(uploadPath, 1<<20))
	tick := time.NewTicker(stall / 8)
	defer tick.Stop()
	go func() {
		for range tick.C {
			if _, err := c.Write([]byte{'c'}); err != nil {
				return
			}
		}
	}()
	resp, data := readAnswer(t, c)
	wantRefusal(t, "drip", resp, data, 400, api.ErrInvalid)
	if !strings.Contains(string(data), "fewer than 25") {
		t.Errorf("%s", data)
	}
}

// TestSlowReaderIsServed reads an answer slowly, through small buffers.
func TestSlowReaderIsServed(t *testing.T) {
	const size, stall = 1 << 20, 500 * time.Millisecond
	d := &double{blobs: func(_ context.Context, fn func(cas.Blob) error) error { return fn(chunk(size, 1)) }}
	addr := serve(t, d, server.Options{Stall: stall})
	msg := (&api.BlobsRequest{Volume: cas.VolumeID{1}}).Append(nil)
	body := api.AppendStream(nil, msg)
	c := raw(t, addr, post("/api/chunks/get", len(body))+string(body))
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(stall / 20)
	defer tick.Stop()
	n, buf := 0, make([]byte, 16<<10)
	for n < size { // which takes three times the stall time
		<-tick.C
		m, err := c.Read(buf)
		if n += m; err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// TestConnectionsAreBounded opens many idle connections, and makes a request on another.
func TestConnectionsAreBounded(t *testing.T) {
	limits := api.DefaultLimits()
	limits.Connections = 4
	addr := serve(t, &double{}, server.Options{Limits: limits})
	const health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	var idle []net.Conn
	for i := range 20 {
		request := health
		if i%2 == 0 {
			request = "GET /heal" // a header that never ends
		}
		c := raw(t, addr, request)
		if i%2 != 0 {
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
		}
		idle = append(idle, c)
	}
	if resp, data := readAnswer(t, raw(t, addr, health)); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, data)
	}
	for i, c := range idle[:16] {
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}

// TestConnectionsAtWorkAreKept has one connection more than the bound while all are at work.
func TestConnectionsAtWorkAreKept(t *testing.T) {
	limits := api.DefaultLimits()
	limits.Connections = 2
	entered, goOn := make(chan struct{}, 3), make(chan struct{})
	d := &double{status: func() (api.Status, error) {
		entered <- struct{}{}
		<-goOn
		return api.Status{}, nil
	}}
	addr := serve(t, d, server.Options{Limits: limits})
	const status = "GET /api/sync/status?volume=00000000000000000000000000000001 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	var all []net.Conn
	for i := range 3 {
		all = append(all, raw(t, addr, status))
		if i < 2 {
			<-entered
		}
	}
	close(goOn)
	for i, c := range all {
		if resp, data := readAnswer(t, c); resp.StatusCode != 200 {
			t.Errorf("connection %d: %s %s", i, resp.Status, data)
		}
	}
}

func TestRequestsOfAClientAreBounded(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	d := &double{status: func() (api.Status, error) {
		entered <- struct{}{}
		<-goOn
		return api.Status{}, nil
	}}
	limits := api.DefaultLimits()
	limits.Connections = 4 // of which the users of an open hub have three together
	addr := serve(t, d, server.Options{Limits: limits})
	url := "http://" + addr + "/api/sync/status?volume=00000000000000000000000000000001"
	var first sync.WaitGroup
	for range 3 {
		first.Go(func() {
			if resp, data := do(t, "GET", url, "", nil); resp.StatusCode != 200 {
				t.Errorf("within the bound: %s %s", resp.Status, data)
			}
		})
		<-entered
	}
	resp, data := do(t, "GET", url, "", nil)
	wantRefusal(t, "above it", resp, data, 429, api.ErrTooMany)
	if resp.Header.Get("Retry-After") == "" || !strings.Contains(string(data), "3 requests under way") {
		t.Errorf("%v %s", resp.Header, data)
	}
	if resp, data := do(t, "GET", "http://"+addr+"/healthz", "", nil); resp.StatusCode != 200 {
		t.Errorf("health meanwhile: %s %s", resp.Status, data)
	}
	close(goOn)
	first.Wait()
	if resp, data := do(t, "GET", "http://"+addr+"/api/hub", "", nil); resp.StatusCode != 200 {
		t.Errorf("after the first: %s %s", resp.Status, data)
	}
}

// pipes is a listener of connections within the process.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.accept <- there
	return here, nil
}

// TestClientRate moves bytes each way at the rate of a client, in time that is not real.
func TestClientRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, seconds = 100_000, 8
		blob := chunk(rate*seconds, 1)
		d := &double{
			upload: func(context.Context, []cas.Blob) error { return nil },
			blobs:  func(_ context.Context, fn func(cas.Blob) error) error { return fn(blob) },
		}
		ln := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx, ln, server.New(d, server.Options{ClientRate: rate}), nil) }()
		transport := &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}
		msg := (&api.BlobsRequest{Volume: cas.VolumeID{1}}).Append(nil)
		for path, body := range map[string][]byte{uploadPath: frames(blob), "/api/chunks/get": api.AppendStream(nil, msg)} {
			began := time.Now()
			req, err := http.NewRequest("POST", "http://localhost"+path, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", api.Binary)
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp.Status, err)
			}
			if took := time.Since(began).Seconds(); took < seconds-1 || took > seconds+1 {
				t.Errorf("%s: %d bytes in %.1f s at %d a second", path, rate*seconds, took, rate)
			}
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestStopRefusesBodiesThatDoNotCome stops a server amid a body.
func TestStopRefusesBodiesThatDoNotCome(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	stored := make(chan struct{})
	var once sync.Once
	d := &double{upload: func(context.Context, []cas.Blob) error { once.Do(func() { close(stored) }); return nil }}
	opts := server.Options{Drain: 500 * time.Millisecond}
	go func() { served <- server.Serve(ctx, ln, server.New(d, opts), nil) }()
	body := frames(chunk(700<<10, 1), chunk(700<<10, 2))
	slow := raw(t, ln.Addr().String(), post(uploadPath, len(body))+string(body[:800<<10]))
	<-stored
	stop()
	resp, data := readAnswer(t, slow)
	wantRefusal(t, "body", resp, data, 503, api.ErrBusy)
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
