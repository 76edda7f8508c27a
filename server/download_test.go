package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/hub"
)

// shelf is a hub over HTTP with a volume, "docs", of files to download.
type shelf struct {
	hub    *hub.Hub
	base   string
	volume cas.VolumeID
	runs   byte // sessions so far
}

func newShelf(t *testing.T) *shelf { return newShelfOn(t, hub.Options{}) }

func newShelfOn(t *testing.T, opts hub.Options) *shelf {
	t.Helper()
	h, err := hub.Open(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	s := &shelf{hub: h, base: "http://" + serve(t, h, server.Options{}), volume: cas.VolumeID{1}}
	if _, err := h.CreateVolume(t.Context(), "docs", s.volume); err != nil {
		t.Fatal(err)
	}
	return s
}

// put commits entries over what is there and returns the snapshot.
func (s *shelf) put(t *testing.T, entries map[string]*manifest.Manifest, blobs ...cas.Blob) cas.ID {
	t.Helper()
	s.runs++
	id := cas.VolumeID{2, s.runs}
	start, err := s.hub.Start(t.Context(), api.StartRequest{Protocol: api.ProtocolVersion, Replica: id, Volume: s.volume, Run: id})
	if err != nil {
		t.Fatal(err)
	}
	req := api.CommitRequest{Session: start.Session, Key: id, Blobs: blobs}
	for e, err := range merkle.Walk(t.Context(), s, start.Head.Root, "") {
		if err != nil {
			t.Fatal(err)
		}
		if m := entries[e.Path]; m != nil {
			req.Edits = append(req.Edits, api.Edit{Path: e.Path, Base: cas.Sum(e.Value), New: m})
			delete(entries, e.Path)
		}
	}
	for path, m := range entries {
		req.Edits = append(req.Edits, api.Edit{Path: path, New: m})
	}
	sortEdits(req.Edits)
	answer, err := s.hub.Commit(t.Context(), req)
	if err != nil || answer.Conflicts != nil {
		t.Fatalf("%+v, %v", answer, err)
	}
	return answer.Head.Snapshot
}

func (s *shelf) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	return s.hub.Nodes(ctx, s.volume, ids, fn)
}

func sortEdits(edits []api.Edit) {
	for i := range edits {
		for j := i; j > 0 && merkle.Compare(edits[j-1].Path, edits[j].Path) > 0; j-- {
			edits[j-1], edits[j] = edits[j], edits[j-1]
		}
	}
}

// get asks for a file; query is what comes after volume and path.
func (s *shelf) get(t *testing.T, method, path, query string, header ...string) (*http.Response, []byte) {
	t.Helper()
	return do(t, method, s.base+"/api/file/download?volume="+s.volume.String()+"&path="+url.QueryEscape(path)+query, "", nil, header...)
}

// fileOf cuts content into chunks of n bytes.
func fileOf(t *testing.T, content []byte, n int) (*manifest.Manifest, []cas.Blob) {
	t.Helper()
	var blobs []cas.Blob
	b := manifest.NewBuilder(func(page cas.Blob) error {
		blobs = append(blobs, page)
		return nil
	})
	for rest := content; len(rest) > 0; {
		piece := rest[:min(n, len(rest))]
		rest = rest[len(piece):]
		chunk := cas.Seal(cas.Chunk, piece)
		blobs = append(blobs, chunk)
		if err := b.Add(manifest.Run{ID: chunk.ID(), Size: uint32(len(piece)), Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	m := &manifest.Manifest{Kind: manifest.File, Mode: 0o644}
	if err := b.Finish(m); err != nil {
		t.Fatal(err)
	}
	return m, blobs
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

func TestDownload(t *testing.T) {
	s := newShelf(t)
	old, oldBlobs := fileOf(t, []byte("the former content"), 100)
	first := s.put(t, map[string]*manifest.Manifest{"a file": old}, oldBlobs...)
	content := noise(100*1000 + 1)
	m, blobs := fileOf(t, content, 1000) // paged
	if m.Pages.IsZero() {
		t.Fatal("the file has no pages")
	}
	empty, _ := fileOf(t, nil, 1)
	second := s.put(t, map[string]*manifest.Manifest{"a file": m, "empty": empty}, blobs...)

	resp, data := s.get(t, "GET", "a file", "")
	if resp.StatusCode != 200 || !bytes.Equal(data, content) || resp.ContentLength != int64(len(content)) {
		t.Fatalf("%s %d bytes", resp.Status, len(data))
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
		"Content-Disposition": `attachment; filename="a file"; filename*=UTF-8''a%20file`,
		"Cache-Control":       "private, no-cache", "Last-Modified": "", "Dfs-Snapshot": second.String(),
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	tag := resp.Header.Get("ETag")
	if len(tag) != 66 {
		t.Errorf("ETag %q", tag)
	}
	head, none := s.get(t, "HEAD", "a file", "")
	if head.StatusCode != 200 || len(none) != 0 || head.ContentLength != int64(len(content)) || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %s %v", head.Status, head.Header)
	}
	resp, data = s.get(t, "GET", "a file", "&snapshot="+first.String())
	if string(data) != "the former content" || resp.Header.Get("ETag") == tag || resp.Header.Get("Dfs-Snapshot") != first.String() {
		t.Errorf("of the first snapshot: %q %v", data, resp.Header)
	}
	resp, data = do(t, "GET", s.base+"/api/file/download?volume=docs&path=empty", "", nil)
	if resp.StatusCode != 200 || len(data) != 0 || resp.ContentLength != 0 {
		t.Errorf("empty, by the volume's name: %s %q", resp.Status, data)
	}
	touched := *m
	touched.Mode, touched.Mtime = 0o600, manifest.Time{Sec: 77}
	s.put(t, map[string]*manifest.Manifest{"a file": &touched})
	if resp, _ = s.get(t, "HEAD", "a file", ""); resp.Header.Get("ETag") != tag {
		t.Error("a touched file has another ETag")
	}
}

func TestDownloadConditions(t *testing.T) {
	s := newShelf(t)
	content := noise(5000)
	m, blobs := fileOf(t, content, 999)
	s.put(t, map[string]*manifest.Manifest{"f": m}, blobs...)
	head, _ := s.get(t, "HEAD", "f", "")
	tag := head.Header.Get("ETag")
	for _, c := range []struct {
		name   string
		header []string
		status int
		from   int
		to     int // of the content in the answer
	}{
		{"has it", []string{"If-None-Match", tag}, 304, 0, 0},
		{"has it among others", []string{"If-None-Match", `"x", ` + tag}, 304, 0, 0},
		{"has any", []string{"If-None-Match", "*"}, 304, 0, 0},
		{"has another", []string{"If-None-Match", `"x"`}, 200, 0, 5000},
		{"date is no validator", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, 200, 0, 5000},
		{"range", []string{"Range", "bytes=10-19"}, 206, 10, 20},
		{"range to the end", []string{"Range", "bytes=4990-"}, 206, 4990, 5000},
		{"range past the end", []string{"Range", "bytes=4990-9999"}, 206, 4990, 5000},
		{"last bytes", []string{"Range", "bytes=-7"}, 206, 4993, 5000},
		{"range of a huge number", []string{"Range", "bytes=0-18446744073709551617"}, 206, 0, 5000},
		{"last huge number", []string{"Range", "bytes=-18446744073709551617"}, 206, 0, 5000},
		{"range in capitals", []string{"Range", "Bytes=10-19"}, 206, 10, 20},
		{"range and none", []string{"Range", "bytes=-0, 10-19"}, 206, 10, 20},
		{"range of another unit", []string{"Range", "lines=1-2"}, 200, 0, 5000},
		{"range of no unit", []string{"Range", "1-2"}, 200, 0, 5000},
		{"range of the same", []string{"Range", "bytes=998-1000", "If-Range", tag}, 206, 998, 1001},
		{"range of another", []string{"Range", "bytes=998-1000", "If-Range", `"x"`}, 200, 0, 5000},
		{"range of a date", []string{"Range", "bytes=998-1000", "If-Range", "Fri, 01 Jan 2100 00:00:00 GMT"}, 200, 0, 5000},
		{"range of what it has", []string{"Range", "bytes=1-2", "If-None-Match", tag}, 304, 0, 0},
		{"wants the same", []string{"If-Match", tag}, 200, 0, 5000},
	} {
		resp, data := s.get(t, "GET", "f", "", c.header...)
		if resp.StatusCode != c.status || !bytes.Equal(data, content[c.from:c.to]) {
			t.Errorf("%s: %s, %d bytes", c.name, resp.Status, len(data))
		}
		if want := fmt.Sprintf("bytes %d-%d/5000", c.from, c.to-1); c.status == 206 && resp.Header.Get("Content-Range") != want {
			t.Errorf("%s: %q", c.name, resp.Header.Get("Content-Range"))
		}
		if resp.Header.Get("ETag") != tag {
			t.Errorf("%s: ETag %q", c.name, resp.Header.Get("ETag"))
		}
	}
	for _, behind := range []string{"bytes=5000-", "bytes=-0", "bytes=-00,-0", "bytes=18446744073709551617-"} {
		resp, data := s.get(t, "GET", "f", "", "Range", behind)
		wantRefusal(t, behind, resp, data, 416, api.ErrInvalid)
		if resp.Header.Get("Content-Range") != "bytes */5000" || resp.Header.Get("Content-Disposition") != "" {
			t.Errorf("%s: %v", behind, resp.Header)
		}
	}
	resp, _ := s.get(t, "HEAD", "f", "", "Range", "bytes=10-19")
	if resp.StatusCode != 200 || resp.ContentLength != 5000 {
		t.Errorf("a head of a range: %s, %d bytes", resp.Status, resp.ContentLength)
	}
	resp, data := s.get(t, "GET", "f", "", "Range", "bytes=x-")
	wantRefusal(t, "no range", resp, data, 416, api.ErrInvalid)
	resp, data = s.get(t, "GET", "f", "", "If-Match", `"x"`)
	wantRefusal(t, "wants another", resp, data, 412, api.ErrInvalid)
	resp, data = s.get(t, "GET", "f", "", "Range", "bytes=0-0"+strings.Repeat(",9-9", 40))
	wantRefusal(t, "many ranges", resp, data, 413, api.ErrTooLarge)
}

func TestNoDownload(t *testing.T) {
	s := newShelf(t)
	s.put(t, map[string]*manifest.Manifest{
		"dir":  {Kind: manifest.Directory, Mode: 0o755},
		"link": {Kind: manifest.Symlink, Mode: 0o777, Target: "a/target"},
	})
	for _, c := range []struct {
		path, query string
		status      int
		kind        *api.Error
		says        string
	}{
		{"dir", "", 409, api.ErrNotFile, "directory"},
		{"link", "", 409, api.ErrNotFile, "a/target"},
		{"nothing", "", 404, api.ErrNotFound, "nothing"},
		{"dir/nothing", "", 404, api.ErrNotFound, "dir/nothing"},
		{"dir", "&snapshot=" + cas.ID{9}.String(), 404, api.ErrNotFound, "snapshot"},
		{"dir", "&snapshot=latest", 400, api.ErrInvalid, "snapshot"},
		{"", "", 400, api.ErrInvalid, "path"},
		{"/dir", "", 400, api.ErrInvalid, "path"},
		{"../dir", "", 400, api.ErrInvalid, "path"},
		{".dfs/id", "", 400, api.ErrInvalid, "path"},
	} {
		resp, data := s.get(t, "GET", c.path, c.query)
		wantRefusal(t, c.path+c.query, resp, data, c.status, c.kind)
		if !strings.Contains(string(data), c.says) {
			t.Errorf("%q: %s", c.path, data)
		}
	}
	for volume, status := range map[string]int{"": 400, "nosuch": 404, cas.VolumeID{9}.String(): 404} {
		resp, data := do(t, "GET", s.base+"/api/file/download?path=dir&volume="+volume, "", nil)
		var e api.Error
		if err := json.Unmarshal(data, &e); err != nil || resp.StatusCode != status {
			t.Errorf("volume %q: %s %s", volume, resp.Status, data)
		}
	}
}

func TestDownloadNames(t *testing.T) {
	s := newShelf(t)
	names := map[string]string{
		"dir/é \"q\".txt":   `attachment; filename="_ _q_.txt"; filename*=UTF-8''%C3%A9%20%22q%22.txt`,
		"dir/a\nb":          `attachment; filename="a_b"; filename*=UTF-8''a%0Ab`,
		"dir/\xff":          `attachment; filename="_"; filename*=UTF-8''%EF%BF%BD`,
		"dir/100%; x='1'":   `attachment; filename="100_; x='1'"; filename*=UTF-8''100%25%3B%20x%3D%271%27`,
		"dir/page<b>.html":  `attachment; filename="page<b>.html"; filename*=UTF-8''page%3Cb%3E.html`,
		"dir/back\\slash\r": `attachment; filename="back_slash_"; filename*=UTF-8''back%5Cslash%0D`,
	}
	m, blobs := fileOf(t, []byte("<script>"), 100)
	entries := map[string]*manifest.Manifest{"dir": {Kind: manifest.Directory, Mode: 0o755}}
	for name := range names {
		entries[name] = m
	}
	s.put(t, entries, blobs...)
	for name, want := range names {
		resp, data := s.get(t, "GET", name, "")
		if got := resp.Header.Get("Content-Disposition"); got != want || string(data) != "<script>" || resp.Header.Get("Content-Type") != api.Bytes {
			t.Errorf("%q: %s %q %v, want %s", name, got, data, resp.Header, want)
		}
	}
}

// damaged is a hub that loses chunks from some on.
type damaged struct {
	api.Hub
	lost map[cas.ID]bool
}

func (d damaged) Blobs(ctx context.Context, req api.BlobsRequest, fn func(cas.Blob) error) error {
	for _, ref := range req.Refs {
		if d.lost[ref.ID] {
			return &cas.CorruptError{Ref: ref}
		}
	}
	return d.Hub.Blobs(ctx, req, fn)
}

// TestDamagedDownload has a chunk be damaged: before anything is sent that is a refusal, later a cut.
func TestDamagedDownload(t *testing.T) {
	s := newShelf(t)
	m, blobs := fileOf(t, noise(8<<20), 256<<10)
	s.put(t, map[string]*manifest.Manifest{"f": m}, blobs...)
	last := m.Runs[len(m.Runs)-1].ID
	s.base = "http://" + serve(t, damaged{s.hub, map[cas.ID]bool{last: true}}, server.Options{})
	resp, data := s.get(t, "GET", "f", "", "Range", fmt.Sprintf("bytes=%d-", 8<<20-1))
	wantRefusal(t, "damaged at once", resp, data, 422, api.ErrCorrupt)
	if resp.Header.Get("ETag") != "" || resp.Header.Get("Content-Range") != "" {
		t.Errorf("damaged at once: %v", resp.Header)
	}
	resp, err := http.Get(s.base + "/api/file/download?volume=docs&path=f")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || n == 0 || n >= 8<<20 {
		t.Errorf("damaged at the end: %s, %d bytes, %v", resp.Status, n, err)
	}
}

// TestDownloadOfOthers asks for files of a volume that the caller may not read: the answer is that
// for a volume that is not there.
func TestDownloadOfOthers(t *testing.T) {
	s := newShelf(t)
	m, blobs := fileOf(t, []byte("secret"), 100)
	snapshot := s.put(t, map[string]*manifest.Manifest{"f": m}, blobs...)
	handler := server.New(s.hub, server.Options{})
	ask := func(volumes map[cas.VolumeID]api.Right, query string) (int, string) {
		caller := &api.Caller{Client: cas.VolumeID{7}, Grants: api.Grants{Volumes: volumes}}
		r := httptest.NewRequest("GET", "http://localhost/api/file/download?"+query, nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r.WithContext(api.WithCaller(r.Context(), caller)))
		return w.Code, w.Body.String()
	}
	reads, stranger := map[cas.VolumeID]api.Right{s.volume: api.RightRead}, map[cas.VolumeID]api.Right{{9}: api.RightAdmin}
	if status, body := ask(reads, "volume=docs&path=f"); status != 200 || body != "secret" {
		t.Errorf("of the caller's own: %d %s", status, body)
	}
	absent := cas.VolumeID{8}
	for _, more := range []string{"&path=f", "&path=g", "&path=f&snapshot=" + snapshot.String()} {
		for mine, other := range map[string]string{s.volume.String(): absent.String(), "docs": "duck"} {
			status, body := ask(stranger, "volume="+mine+more)
			status2, body2 := ask(stranger, "volume="+other+more)
			if status != 404 || status2 != 404 || strings.ReplaceAll(body, mine, other) != body2 {
				t.Errorf("%s of %s: %d %s, of what is not there %d %s", more, mine, status, body, status2, body2)
			}
		}
	}
}

// older is the store of a hub that did not look at sizes: it says of all chunks what suits the manifest.
type older struct {
	cas.Mem
	size int
}

func (o *older) Sizes(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref) ([]int, error) {
	sizes, err := o.Mem.Sizes(ctx, v, scope, refs)
	for i, ref := range refs {
		if ref.Kind == cas.Chunk && err == nil && sizes[i] != cas.Absent {
			sizes[i] = o.size
		}
	}
	return sizes, err
}

// TestUntrueDownload has a file whose chunks are longer or shorter than its manifest or its pages say: a refusal
// that names a chunk, as of damage.
func TestUntrueDownload(t *testing.T) {
	for _, size := range []int{1, 999, 1001} {
		store := &older{size: size}
		s := newShelfOn(t, hub.Options{Store: func(string) (cas.Store, error) { return store, nil }})
		for name, chunks := range map[string]int{"inline": 8, "paged": 300} {
			var blobs, pages []cas.Blob
			b := manifest.NewBuilder(func(page cas.Blob) error {
				pages = append(pages, page)
				return nil
			})
			for i := range chunks {
				chunk := cas.Seal(cas.Chunk, bytes.Repeat(fmt.Appendf(nil, "%04d", i), 250))
				blobs = append(blobs, chunk)
				if err := b.Add(manifest.Run{ID: chunk.ID(), Size: uint32(size), Count: 1}); err != nil {
					t.Fatal(err)
				}
			}
			m := &manifest.Manifest{Kind: manifest.File, Mode: 0o644}
			if err := b.Finish(m); err != nil {
				t.Fatal(err)
			}
			s.put(t, map[string]*manifest.Manifest{name: m}, append(blobs, pages...)...)
			resp, data := s.get(t, "GET", name, "")
			wantRefusal(t, name, resp, data, 422, api.ErrCorrupt)
			if !strings.Contains(string(data), blobs[0].Ref().String()) {
				t.Errorf("%s of %d bytes: %s", name, size, data)
			}
		}
	}
}
