package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/hub"
)

// double is a hub of which a test gives the parts that it needs.
type double struct {
	api.Hub
	upload func(ctx context.Context, blobs []cas.Blob) error
	commit func(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error)
	blobs  func(ctx context.Context, fn func(cas.Blob) error) error
	diff   func(ctx context.Context, req api.DiffRequest) (api.DiffAnswer, error)
	change func(yield func(api.Change, error) bool)
	status func() (api.Status, error)
}

func (d *double) Info(context.Context, string) (api.Info, error) {
	return api.Info{Protocol: api.ProtocolVersion, Limits: api.DefaultLimits()}, nil
}
func (d *double) Upload(ctx context.Context, _ api.SessionID, blobs []cas.Blob) error {
	return d.upload(ctx, blobs)
}
func (d *double) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	return d.commit(ctx, req)
}
func (d *double) Blobs(ctx context.Context, _ api.BlobsRequest, fn func(cas.Blob) error) error {
	return d.blobs(ctx, fn)
}
func (d *double) Changes(context.Context, api.ChangesRequest) iter.Seq2[api.Change, error] {
	return d.change
}
func (d *double) Diff(ctx context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
	return d.diff(ctx, req)
}
func (d *double) Start(context.Context, api.StartRequest) (api.StartAnswer, error) {
	return api.StartAnswer{}, nil
}
func (d *double) Status(context.Context, cas.VolumeID) (api.Status, error) { return d.status() }

// serve serves on the loopback for the time of the test and returns the address.
func serve(t testing.TB, h api.Hub, opts server.Options) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := new(secretsFound)
	if opts.Log == nil {
		opts.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, server.New(h, opts), opts.Log) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if log.Load() {
			t.Error("a secret is in the log")
		}
	})
	return ln.Addr().String()
}

// do makes a request and returns the answer with its body read. An answer with a secret fails the test.
func do(t testing.TB, method, url, contentType string, body io.Reader, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if secrets.Match(data) || secrets.MatchString(fmt.Sprint(resp.Header)) {
		t.Errorf("%s %s: a secret is in the answer", method, req.URL.Path)
	}
	return resp, data
}

// wantRefusal fails the test unless an answer is the refusal.
func wantRefusal(t testing.TB, what string, resp *http.Response, data []byte, status int, kind *api.Error) {
	t.Helper()
	var e api.Error
	if err := json.Unmarshal(data, &e); err != nil || resp.StatusCode != status || e.Code != kind.Code || e.Message == "" {
		t.Errorf("%s: %s %s (%v), want %d %s", what, resp.Status, data, err, status, kind.Code)
	}
}

func frames(blobs ...cas.Blob) []byte {
	var b bytes.Buffer
	w := api.NewFrameWriter(&b)
	for _, blob := range blobs {
		_ = w.Blob(blob)
	}
	_ = w.End(nil)
	return b.Bytes()
}

func chunk(n int, fill byte) cas.Blob { return cas.Seal(cas.Chunk, bytes.Repeat([]byte{fill}, n)) }

// recorder is a hub's Upload that keeps what it was given.
type recorder struct {
	mu  sync.Mutex
	ids []cas.ID
}

func (r *recorder) upload(ctx context.Context, blobs []cas.Blob) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range blobs {
		if cas.Sum(b.Plain()) != b.ID() {
			return cas.ErrCorrupt
		}
		r.ids = append(r.ids, b.ID())
	}
	return nil
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

const uploadPath = "/api/file/upload?session=00000000000000000000000000000001"

func TestJSONLikeCurl(t *testing.T) {
	h, err := hub.Open(t.TempDir(), hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	base := "http://" + serve(t, h, server.Options{})
	call := func(method, path, body string, out any) {
		t.Helper()
		var r io.Reader
		contentType := ""
		if method == "POST" {
			r, contentType = strings.NewReader(body), "application/json; charset=utf-8"
		}
		resp, data := do(t, method, base+path, contentType, r)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s %s: %s %s", method, path, resp.Status, data)
		}
		if err := json.Unmarshal(data, out); err != nil {
			t.Fatalf("%s %s: %s: %v", method, path, data, err)
		}
	}
	v := cas.VolumeID{1}
	var volume api.Volume
	call("POST", "/api/volumes", fmt.Sprintf(`{"name":"docs","id":%q}`, v), &volume)
	var start api.StartAnswer
	call("POST", "/api/sync/start", fmt.Sprintf(`{"protocol":1,"replica":%q,"volume":%q,"run":%q,"client":"c","command":"push","seen":"","seen_seq":0}`,
		cas.VolumeID{2}, v, cas.VolumeID{3}), &start)
	m, err := (&manifest.Manifest{Kind: manifest.Directory, Mode: 0o755}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(path string) string {
		return fmt.Sprintf(`[{"path":%s,"base":"","new":{"canonical":%q}}]`, path, base64.StdEncoding.EncodeToString(m))
	}
	var diff struct {
		Missing   []struct{ Kind, ID string }
		Conflicts []any
	}
	call("POST", "/api/sync/diff", fmt.Sprintf(`{"session":%q,"part":0,"edits":%s,"ask":[{"kind":"chunk","id":%q}]}`,
		start.Session, edit(`"dir\n"`), cas.ID{9}), &diff)
	if len(diff.Missing) != 1 || diff.Missing[0].ID != (cas.ID{9}).String() || diff.Missing[0].Kind != "chunk" {
		t.Errorf("diff: %+v", diff)
	}
	var commit struct{ Head api.Head }
	call("POST", "/api/sync/commit", fmt.Sprintf(`{"session":%q,"key":%q,"parts":1,"edits":%s,"seen":"","expect":"","message":"m"}`,
		start.Session, cas.VolumeID{4}, edit(`{"bytes":"/w=="}`)), &commit)
	var changes struct {
		Changes []struct {
			Path any
			New  struct{ Kind, Mode string }
		}
		Count int
	}
	call("GET", "/api/sync/changes?volume="+v.String(), "", &changes)
	if changes.Count != 2 || len(changes.Changes) != 2 || changes.Changes[0].Path != "dir\n" || changes.Changes[0].New.Kind != "directory" {
		t.Errorf("changes: %+v", changes)
	}
	call("GET", "/api/sync/changes?skip=2&volume="+v.String(), "", &changes)
	if changes.Count != 0 || len(changes.Changes) != 0 {
		t.Errorf("changes after the last: %+v", changes)
	}
	var s api.Snapshot
	call("GET", "/api/snapshot?volume="+v.String()+"&id="+commit.Head.Snapshot.String(), "", &s)
	if s.Record.Message != "m" || s.Record.Seq != 2 {
		t.Errorf("snapshot: %+v", s)
	}
	var status api.Status
	call("GET", "/api/sync/status?volume="+v.String(), "", &status)
	if status.Volume.Head != commit.Head {
		t.Errorf("status: %+v", status)
	}
	var none struct{}
	call("GET", "/healthz", "", &none)
	resp, data := do(t, "GET", base+"/api/snapshot?volume="+v.String()+"&id="+(cas.ID{5}).String(), "", nil)
	wantRefusal(t, "unknown snapshot", resp, data, 404, api.ErrNotFound)
}

func TestRequestsAreStrict(t *testing.T) {
	base := "http://" + serve(t, &double{upload: (&recorder{}).upload}, server.Options{})
	v := "?volume=00000000000000000000000000000001"
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
		kind                                  *api.Error
	}{
		{"unknown path", "GET", "/api/nothing", "", "", 404, api.ErrNotFound},
		{"trailing slash", "GET", "/api/hub/", "", "", 404, api.ErrNotFound},
		{"two slashes", "GET", "/api//hub", "", "", 404, api.ErrNotFound},
		{"capitals", "GET", "/API/hub", "", "", 404, api.ErrNotFound},
		{"escaped slash", "GET", "/api%2Fhub", "", "", 404, api.ErrNotFound},
		{"dots", "GET", "/api/x/../hub", "", "", 404, api.ErrNotFound},
		{"method", "PUT", "/api/hub", "", "", 405, api.ErrInvalid},
		{"unknown parameter", "GET", "/api/hub?x=1", "", "", 400, api.ErrInvalid},
		{"parameter twice", "GET", "/api/sync/status" + v + "&volume=1", "", "", 400, api.ErrInvalid},
		{"parameter missing", "GET", "/api/sync/status", "", "", 400, api.ErrInvalid},
		{"bad escape", "GET", "/api/sync/status?volume=%zz", "", "", 400, api.ErrInvalid},
		{"bad ID", "GET", "/api/snapshot" + v + "&id=AB", "", "", 400, api.ErrInvalid},
		{"bad limit", "GET", "/api/snapshots" + v + "&limit=1001", "", "", 400, api.ErrInvalid},
		{"limit of nothing", "GET", "/api/snapshots" + v + "&limit=0", "", "", 400, api.ErrInvalid},
		{"bad before", "GET", "/api/snapshots" + v + "&before=-1", "", "", 400, api.ErrInvalid},
		{"bad session", "DELETE", "/api/sessions?session=docs", "", "", 400, api.ErrInvalid},
		{"bad wait", "GET", "/api/sync/changes" + v + "&wait=30", "", "", 400, api.ErrInvalid},
		{"bad heard", "GET", "/api/sync/changes" + v + "&heard=-1", "", "", 400, api.ErrInvalid},
		{"negative wait", "GET", "/api/sync/changes" + v + "&wait=-1s", "", "", 400, api.ErrInvalid},
		{"bad replica", "GET", "/api/conflict" + v + "&replica=1", "", "", 400, api.ErrInvalid},
		{"bad all", "GET", "/api/conflict" + v + "&all=1", "", "", 400, api.ErrInvalid},
		{"bad skip", "GET", "/api/sync/changes" + v + "&skip=-1", "", "", 400, api.ErrInvalid},
		{"content type", "POST", "/api/volumes", "text/plain", "{}", 400, api.ErrInvalid},
		{"a form", "POST", "/api/volumes", "application/x-www-form-urlencoded", "name=a", 400, api.ErrInvalid},
		{"no content type", "POST", "/api/volumes", "", "{}", 400, api.ErrInvalid},
		{"unknown field", "POST", "/api/volumes", api.JSON, `{"nam":"a"}`, 400, api.ErrInvalid},
		{"no frames", "POST", "/api/chunks/get", api.Binary, "", 400, api.ErrInvalid},
		{"blobs for a message", "POST", "/api/chunks/get", api.Binary, string(frames(chunk(1, 1))), 400, api.ErrInvalid},
		{"message for blobs", "POST", uploadPath, api.Binary, string(api.AppendStream(nil, nil)), 400, api.ErrInvalid},
		{"body of a GET", "GET", "/api/hub", api.JSON, "{}", 413, api.ErrTooLarge},
	} {
		var body io.Reader
		if c.body != "" {
			body = strings.NewReader(c.body)
		}
		resp, data := do(t, c.method, base+c.path, c.contentType, body)
		wantRefusal(t, c.name, resp, data, c.status, c.kind)
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", c.name, resp.Header)
		}
	}
}

// TestProtocolVersion has every route refuse a client of another version.
func TestProtocolVersion(t *testing.T) {
	base := "http://" + serve(t, &double{}, server.Options{})
	for op := range api.Op(api.Ops()) {
		route := op.Route()
		if route.Method == http.MethodHead {
			continue // its refusal has no body
		}
		for version, side := range map[string]string{"2": "side of the hub", "999": "side of the hub", "next": "no version"} {
			resp, data := do(t, route.Method, base+route.Path, "", nil, api.HeaderProtocol, version)
			wantRefusal(t, op.String()+" of "+version, resp, data, 426, api.ErrVersion)
			if !strings.Contains(string(data), version) || !strings.Contains(string(data), side) || resp.Header.Get(api.HeaderProtocol) != "1" {
				t.Errorf("%v of %s: %s %v", op, version, data, resp.Header)
			}
		}
	}
	if resp, data := do(t, "GET", base+"/api/hub", "", nil, api.HeaderProtocol, "1"); resp.StatusCode != 200 {
		t.Errorf("this version: %s %s", resp.Status, data)
	}
	for path, method := range map[string]string{"/api/later": "GET", "/api/hub": "PATCH"} {
		resp, data := do(t, method, base+path, "", nil, api.HeaderProtocol, "2")
		wantRefusal(t, method+" "+path+", which this version has not", resp, data, 426, api.ErrVersion)
	}
	// Who speaks another protocol cannot be expected to have a token of this one.
	resp, data := do(t, "GET", newContract(t).base+"/api/hub", "", nil, api.HeaderProtocol, "2")
	wantRefusal(t, "without a token", resp, data, 426, api.ErrVersion)
}

func TestHostAndOrigin(t *testing.T) {
	addr := serve(t, &double{}, server.Options{Hosts: []string{"hub.lan"}})
	_, port, _ := net.SplitHostPort(addr)
	for _, c := range []struct {
		header []string
		ok     bool
	}{
		{nil, true},
		{[]string{"Host", "localhost:" + port}, true},
		{[]string{"Host", "LOCALHOST"}, true},
		{[]string{"Host", "127.8.9.1"}, true},
		{[]string{"Host", "[::1]:" + port}, true},
		{[]string{"Host", "[::1]"}, true},
		{[]string{"Host", "hub.lan:1"}, true},
		{[]string{"Host", "evil.example:" + port}, false},
		{[]string{"Host", "127.0.0.1.evil.example"}, false},
		{[]string{"Host", "10.0.0.1"}, false},
		{[]string{"Host", "localhost.evil.example"}, false},
		{[]string{"Origin", "http://" + addr}, true},
		{[]string{"Origin", "http://evil.example"}, false},
		{[]string{"Origin", "http://localhost:1"}, false},
		{[]string{"Origin", "null"}, false},
		{[]string{"Sec-Fetch-Site", "same-origin"}, true},
		{[]string{"Sec-Fetch-Site", "cross-site"}, false},
	} {
		// A POST that gets past the guard is refused for its content.
		resp, data := do(t, "POST", "http://"+addr+"/api/volumes", api.JSON, strings.NewReader("x"), c.header...)
		if c.ok {
			wantRefusal(t, fmt.Sprint(c.header), resp, data, 400, api.ErrInvalid)
		} else {
			wantRefusal(t, fmt.Sprint(c.header), resp, data, 403, api.ErrForbidden)
		}
		if resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("a foreign origin is invited")
		}
	}
	resp, data := do(t, "GET", "http://"+addr+"/api/hub", "", nil, "Origin", "http://evil.example")
	wantRefusal(t, "GET of a foreign origin", resp, data, 403, api.ErrForbidden)
	// What a page loads, as an image is, has no origin.
	for site, status := range map[string]int{"same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403, "?": 403} {
		if resp, data := do(t, "GET", "http://"+addr+"/api/hub", "", nil, "Sec-Fetch-Site", site); resp.StatusCode != status {
			t.Errorf("GET for a page that is %s: %s %s", site, resp.Status, data)
		}
	}
}

func TestCheckListen(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:0": true, "127.1.2.3:80": true, "[::1]:0": true, "localhost:7777": true, "[::ffff:127.0.0.1]:1": true,
		":7777": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false, "127.0.0.1": false, "": false,
	} {
		for _, open := range [][2]bool{{false, false}, {true, false}, {false, true}} {
			if err := server.CheckListen(addr, open[0], open[1]); (err == nil) != ok {
				t.Errorf("%q, accounts %v, TLS %v: %v", addr, open[0], open[1], err)
			}
		}
	}
	if err := server.CheckListen("0.0.0.0:8420", true, true); err != nil {
		t.Error(err)
	}
	if err := server.CheckListen("here", true, true); err == nil {
		t.Error("an address without a port is taken")
	}
}

// raw opens a connection and writes text.
func raw(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func post(path string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, api.Binary, length)
}

// readAnswer reads an answer whole.
func readAnswer(t *testing.T, c net.Conn) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, data
}

func TestTooLargeIsRefusedUnread(t *testing.T) {
	r := &recorder{}
	addr := serve(t, &double{upload: r.upload}, server.Options{})
	// The body is never sent: the answer must not wait for it.
	resp, data := readAnswer(t, raw(t, addr, post(uploadPath, 1<<40)))
	wantRefusal(t, "declared length", resp, data, 413, api.ErrTooLarge)

	limits := api.DefaultLimits()
	limits.Body = 1 << 20
	addr = serve(t, &double{upload: r.upload}, server.Options{Limits: limits})
	body := frames(chunk(600<<10, 1), chunk(600<<10, 2))
	resp, data = do(t, "POST", "http://"+addr+uploadPath, api.Binary, struct{ io.Reader }{bytes.NewReader(body)})
	wantRefusal(t, "no declared length", resp, data, 413, api.ErrTooLarge)
}

func TestHTTP2IsRefused(t *testing.T) {
	addr := serve(t, &double{}, server.Options{})
	resp, _ := readAnswer(t, raw(t, addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	if resp.StatusCode != 505 {
		t.Errorf("prior knowledge: %s", resp.Status)
	}
	c := raw(t, addr, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n")
	resp, _ = readAnswer(t, c)
	if resp.StatusCode != 200 || resp.Proto != "HTTP/1.1" {
		t.Errorf("upgrade: %s %s", resp.Proto, resp.Status)
	}
}

func TestHeaderLimit(t *testing.T) {
	addr := serve(t, &double{}, server.Options{})
	resp, _ := readAnswer(t, raw(t, addr, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 32<<10)+"\r\n\r\n"))
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", resp.Status)
	}
}

func TestPanicAndUnknownErrorsKeepTheirSecrets(t *testing.T) {
	var log bytes.Buffer
	d := &double{status: func() (api.Status, error) { panic("secret") }}
	addr := serve(t, d, server.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	url := "http://" + addr + "/api/sync/status?volume=00000000000000000000000000000001"
	for _, status := range []func() (api.Status, error){
		func() (api.Status, error) { panic("secret") },
		func() (api.Status, error) { return api.Status{}, errors.New("secret") },
	} {
		d.status = status
		resp, data := do(t, "GET", url, "", nil)
		wantRefusal(t, "status", resp, data, 500, api.ErrInternal)
		if strings.Contains(string(data), "secret") {
			t.Errorf("answer tells %s", data)
		}
	}
	if n := strings.Count(log.String(), "secret"); n < 2 {
		t.Errorf("the log says:\n%s", log.String())
	}
}

func TestSignsOfLife(t *testing.T) {
	alive := make(chan struct{})
	d := &double{commit: func(context.Context, api.CommitRequest) (api.CommitAnswer, error) {
		<-alive
		return api.CommitAnswer{Head: api.Head{Seq: 7}}, nil
	}}
	addr := serve(t, d, server.Options{Beat: time.Millisecond})
	signs := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		if signs++; code == http.StatusProcessing && signs == 10 {
			close(alive)
		}
		return nil
	}})
	msg, err := (&api.CommitRequest{}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/api/sync/commit", bytes.NewReader(api.AppendStream(nil, msg)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", api.Binary)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(string(data), `"seq":7`) {
		t.Errorf("%s %s, %v", resp.Status, data, err)
	}
}

func TestErrorAmidChangesAsJSON(t *testing.T) {
	d := &double{change: func(yield func(api.Change, error) bool) {
		_ = yield(api.Change{Path: "a"}, nil) && yield(api.Change{}, fmt.Errorf("node: %w", cas.ErrCorrupt))
	}}
	addr := serve(t, d, server.Options{})
	url := "http://" + addr + "/api/sync/changes?volume=00000000000000000000000000000001&to=" + (cas.ID{1}).String()
	resp, data := do(t, "GET", url, "", nil)
	var got struct {
		Changes []struct{ Path string }
		Error   *api.Error
	}
	if err := json.Unmarshal(data, &got); err != nil || resp.StatusCode != 200 || len(got.Changes) != 1 || !errors.Is(got.Error, cas.ErrCorrupt) {
		t.Errorf("%s %s, %v", resp.Status, data, err)
	}
	d.change = func(yield func(api.Change, error) bool) { yield(api.Change{}, api.ErrNotFound) }
	resp, data = do(t, "GET", url, "", nil)
	wantRefusal(t, "error before the first change", resp, data, 404, api.ErrNotFound)
}

func TestDrain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, goOn := make(chan struct{}), make(chan struct{})
	d := &double{status: func() (api.Status, error) {
		close(entered)
		<-goOn
		return api.Status{Conflicts: 5}, nil
	}}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, server.New(d, server.Options{}), nil) }()
	c := raw(t, ln.Addr().String(), "GET /api/sync/status?volume=00000000000000000000000000000001 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-entered
	stop()
	for { // until it has stopped to accept
		other, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		_ = other.Close()
	}
	close(goOn)
	resp, data := readAnswer(t, c)
	if resp.StatusCode != 200 || !strings.Contains(string(data), `"conflicts":5`) {
		t.Errorf("%s %s", resp.Status, data)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
