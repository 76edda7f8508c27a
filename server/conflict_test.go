package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"testing"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/hub"
)

// clash is a hub over HTTP, with a volume in which a path has the head's version theirs, and two
// replicas wanted it to be ours.
type clash struct {
	hub          *hub.Hub
	url          string
	volume       cas.VolumeID
	ours, theirs *manifest.Manifest
	conflicts    []api.Conflict
}

func newClash(t *testing.T) *clash {
	t.Helper()
	h, err := hub.Open(t.TempDir(), hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	link := func(target string) *manifest.Manifest {
		return &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: target}
	}
	c := &clash{hub: h, url: "http://" + serve(t, h, server.Options{}), volume: cas.VolumeID{1}, ours: link("ours"), theirs: link("theirs")}
	if _, err := h.CreateVolume(t.Context(), "docs", c.volume); err != nil {
		t.Fatal(err)
	}
	for n, m := range []*manifest.Manifest{c.theirs, c.ours, c.ours} {
		c.conflicts = append(c.conflicts, c.commit(t, byte(n), api.Edit{Path: "a", New: m}, api.Edit{Path: "b", New: m})...)
	}
	if len(c.conflicts) != 4 {
		t.Fatalf("%+v", c.conflicts)
	}
	return c
}

// commit has replica number n, which knows nothing, send edits, and returns the conflicts.
func (c *clash) commit(t *testing.T, n byte, edits ...api.Edit) []api.Conflict {
	t.Helper()
	id := cas.VolumeID{2, n}
	s, err := c.hub.Start(t.Context(), api.StartRequest{Protocol: api.ProtocolVersion, Replica: id, Volume: c.volume, Run: id, Client: "host"})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.hub.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: id, Edits: edits})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Conflicts
}

// conflict is a conflict in JSON.
type conflict struct {
	ID, Path, Replica, Client, Take string
	Open                            bool
	Number                          uint64
	Base, Ours, Theirs              *struct{ Target string }
}

// list is what a GET answers.
func (c *clash) list(t *testing.T, query string) []conflict {
	t.Helper()
	resp, data := do(t, "GET", c.url+"/api/conflict?volume="+c.volume.String()+query, "", nil)
	var list struct {
		Conflicts []conflict
		Count     int
	}
	if err := json.Unmarshal(data, &list); err != nil || resp.StatusCode != 200 || list.Count != len(list.Conflicts) {
		t.Fatalf("%s: %s: %v", resp.Status, data, err)
	}
	return list.Conflicts
}

// settle posts a settlement of a conflict, with further fields.
func (c *clash) settle(t *testing.T, id cas.ID, take, more string) (*http.Response, []byte) {
	t.Helper()
	body := fmt.Sprintf(`{"volume":%q,"id":%q,"take":%q%s}`, c.volume, id, take, more)
	return do(t, "POST", c.url+"/api/conflict", api.JSON, bytes.NewReader([]byte(body)))
}

func TestConflictsAsJSON(t *testing.T) {
	c := newClash(t)
	got := c.list(t, "")
	if len(got) != 4 || got[0].Path != "a" || got[1].Path != "a" || got[2].Path != "b" || !got[0].Open || got[0].Client != "host" ||
		got[0].Base != nil || got[0].Ours.Target != "ours" || got[0].Theirs.Target != "theirs" {
		t.Errorf("%+v", got)
	}
	if got := c.list(t, "&from=a%00"); len(got) != 2 || got[0].Path != "b" {
		t.Errorf("from a path on: %+v", got)
	}
	if got := c.list(t, "&replica="+c.conflicts[0].Replica.String()); len(got) != 2 || got[1].ID != c.conflicts[1].ID.String() {
		t.Errorf("of a replica: %+v", got)
	}
	if got := c.list(t, "&replica="+cas.VolumeID{9}.String()); len(got) != 0 {
		t.Errorf("of none: %+v", got)
	}
}

func TestSettleAsJSON(t *testing.T) {
	c := newClash(t)
	settled := func(what string, resp *http.Response, data []byte) (answer struct {
		Conflict conflict
		Head     api.Head
	}) {
		t.Helper()
		if err := json.Unmarshal(data, &answer); err != nil || resp.StatusCode != 200 || answer.Conflict.Open {
			t.Fatalf("%s: %s: %s: %v", what, resp.Status, data, err)
		}
		return answer
	}
	resp, data := c.settle(t, c.conflicts[0].ID, "theirs", fmt.Sprintf(`,"ours":%q,"theirs":%q`, c.ours.Hash(), c.theirs.Hash()))
	first := settled("theirs", resp, data)
	resp, data = c.settle(t, c.conflicts[0].ID, "theirs", "")
	if again := settled("the same again", resp, data); again.Head != first.Head || first.Head.Seq != 2 {
		t.Errorf("%+v and %+v", again.Head, first.Head)
	}
	resp, data = c.settle(t, c.conflicts[0].ID, "ours", "")
	wantRefusal(t, "settled otherwise", resp, data, 409, api.ErrMoved)
	resp, data = c.settle(t, c.conflicts[1].ID, "ours", fmt.Sprintf(`,"ours":%q`, c.theirs.Hash()))
	wantRefusal(t, "other ours", resp, data, 409, api.ErrMoved)
	resp, data = c.settle(t, c.conflicts[1].ID, "ours", `,"theirs":""`)
	wantRefusal(t, "absent theirs", resp, data, 409, api.ErrMoved)
	resp, data = c.settle(t, c.conflicts[1].ID, "mine", "")
	wantRefusal(t, "unknown take", resp, data, 400, api.ErrInvalid)
	resp, data = c.settle(t, cas.ID{1}, "ours", "")
	wantRefusal(t, "unknown conflict", resp, data, 404, api.ErrNotFound)
	if got := c.list(t, ""); len(got) != 3 {
		t.Fatalf("open after the refusals: %+v", got)
	}
	resp, data = c.settle(t, c.conflicts[1].ID, "ours", "")
	if got := settled("ours", resp, data); got.Head.Seq != 3 || got.Conflict.Take != "ours" || got.Conflict.Theirs.Target != "theirs" {
		t.Errorf("%+v", got)
	}
	resp, data = c.settle(t, c.conflicts[3].ID, "base", fmt.Sprintf(`,"theirs":%q`, c.ours.Hash()))
	settled("base", resp, data)
	if got := c.list(t, "&all=true&after=1"); len(got) != 3 || got[0].Number != 0 || got[1].Number != 2 || got[2].Number != 3 {
		t.Errorf("after the first: %+v", got)
	}
	resp, data = do(t, "GET", c.url+"/api/conflict?volume="+c.volume.String()+"&after=-1", "", nil)
	wantRefusal(t, "after -1", resp, data, 400, api.ErrInvalid)
	if got := c.list(t, "&all=true"); len(got) != 4 || got[3].Take != "base" || got[3].Theirs.Target != "ours" || !got[1].Open {
		t.Errorf("all: %+v", got)
	}
	var paths []string
	for change, err := range c.hub.Changes(t.Context(), api.ChangesRequest{Volume: c.volume}) {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, change.Path)
	}
	if len(paths) != 1 || paths[0] != "a" {
		t.Errorf("%q are left", paths)
	}
	status, err := c.hub.Status(t.Context(), c.volume)
	if err != nil || status.Conflicts != 1 || len(status.Sessions) != 0 {
		t.Errorf("%+v: %v", status, err)
	}
}

// TestUnknownBaseIsNotTaken has a conflict whose base the hub does not know.
func TestUnknownBaseIsNotTaken(t *testing.T) {
	c := newClash(t)
	conflicts := c.commit(t, 7, api.Edit{Path: "a", Base: cas.ID{1}, New: c.ours})
	if len(conflicts) != 1 {
		t.Fatalf("%+v", conflicts)
	}
	resp, data := c.settle(t, conflicts[0].ID, "base", "")
	wantRefusal(t, "base", resp, data, 404, api.ErrNotFound)
}

// TestRefusedSettlementLeavesNoSession has the hub refuse what the settlement of a conflict makes of its path.
func TestRefusedSettlementLeavesNoSession(t *testing.T) {
	c := newClash(t)
	directory := &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755}
	c.commit(t, 7, api.Edit{Path: "d", New: directory}, api.Edit{Path: "d/x", New: c.theirs})
	conflicts := c.commit(t, 8, api.Edit{Path: "d", New: c.ours})
	if len(conflicts) != 1 {
		t.Fatalf("%+v", conflicts)
	}
	resp, data := c.settle(t, conflicts[0].ID, "ours", "")
	wantRefusal(t, "a file in place of a directory with something in it", resp, data, 409, api.ErrMoved)
	if status, err := c.hub.Status(t.Context(), c.volume); err != nil || len(status.Sessions) != 0 {
		t.Errorf("%+v: %v", status, err)
	}
}

// TestWaitEndsWithTheServer stops a server of which a request waits for a head.
func TestWaitEndsWithTheServer(t *testing.T) {
	h, err := hub.Open(t.TempDir(), hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	v, err := h.CreateVolume(t.Context(), "docs", cas.VolumeID{1})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, server.New(h, server.Options{Beat: time.Millisecond}), nil) }()
	c := raw(t, ln.Addr().String(), fmt.Sprintf("GET /api/sync/changes?volume=%v&from=%v&wait=1m HTTP/1.1\r\nHost: localhost\r\n\r\n",
		v.ID, v.Head.Snapshot))
	// A sign of life: the request is under way.
	if _, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 102"))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the server stops after %v", took)
	}
}

// overtaken is a hub on which what comes between is done after the first look at conflicts.
type overtaken struct {
	api.Hub
	between func()
}

func (o *overtaken) Conflicts(ctx context.Context, req api.ConflictsRequest) iter.Seq2[api.Conflict, error] {
	return func(yield func(api.Conflict, error) bool) {
		o.Hub.Conflicts(ctx, req)(yield)
		if o.between != nil {
			o.between()
			o.between = nil
		}
	}
}

// TestSettleTwiceAtOnce: a request that is overtaken by its like gets the same answer, and by another none.
func TestSettleTwiceAtOnce(t *testing.T) {
	for overtaking, refused := range map[string]bool{"ours": false, "theirs": true} {
		c := newClash(t)
		direct, hub := *c, &overtaken{Hub: c.hub}
		c.url = "http://" + serve(t, hub, server.Options{})
		var first []byte
		hub.between = func() { _, first = direct.settle(t, c.conflicts[0].ID, overtaking, "") }
		resp, data := c.settle(t, c.conflicts[0].ID, "ours", "")
		if refused {
			wantRefusal(t, "after "+overtaking, resp, data, 409, api.ErrMoved)
		} else if resp.StatusCode != 200 || !bytes.Equal(data, first) {
			t.Errorf("%s: %s, the first: %s", resp.Status, data, first)
		}
	}
}
