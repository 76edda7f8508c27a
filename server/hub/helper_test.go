package hub

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// openTest opens a hub in dir with a store in memory, which outlives the hub when it is given.
func openTest(t testing.TB, dir string, mem *cas.Mem, opts Options) *Hub {
	t.Helper()
	if mem == nil {
		mem = &cas.Mem{}
	}
	opts.Store = func(string) (cas.Store, error) { return mem, nil }
	return open(t, dir, opts)
}

func open(t testing.TB, dir string, opts Options) *Hub {
	t.Helper()
	h, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func newTestVolume(t testing.TB, h *Hub) cas.VolumeID {
	t.Helper()
	v, err := h.CreateVolume(t.Context(), "docs", randomID())
	if err != nil {
		t.Fatal(err)
	}
	return v.ID
}

// client is a replica as the hub sees one.
type client struct {
	hub     api.Hub
	volume  cas.VolumeID
	replica api.ReplicaID
	base    map[string]*manifest.Manifest // the tree of seen
	seen    api.Head
}

func newClient(h api.Hub, v cas.VolumeID) *client {
	return &client{hub: h, volume: v, replica: randomID(), base: make(map[string]*manifest.Manifest)}
}

func (c *client) start(ctx context.Context, run cas.VolumeID) (api.StartAnswer, error) {
	return c.hub.Start(ctx, api.StartRequest{
		Protocol: api.ProtocolVersion, Replica: c.replica, Volume: c.volume, Run: run,
		Client: "host", Command: "sync", Seen: c.seen.Snapshot, SeenSeq: c.seen.Seq,
	})
}

// pull brings base and seen to the head.
func (c *client) pull(ctx context.Context) error {
	s, err := c.hub.Snapshot(ctx, c.volume, cas.ID{})
	if err != nil {
		return err
	}
	for ch, err := range c.hub.Changes(ctx, api.ChangesRequest{Volume: c.volume, From: c.seen.Snapshot, To: s.ID}) {
		if err != nil {
			return err
		}
		if !manifest.Equal(c.base[ch.Path], ch.Old) {
			return fmt.Errorf("change of %q from %+v, but the base has %+v", ch.Path, ch.Old, c.base[ch.Path])
		}
		if ch.New == nil {
			delete(c.base, ch.Path)
		} else {
			c.base[ch.Path] = ch.New
		}
	}
	c.seen = api.Head{Snapshot: s.ID, Seq: s.Record.Seq, Root: s.Record.Root}
	root, err := buildRoot(c.base)
	if err == nil && root != c.seen.Root {
		err = fmt.Errorf("the tree after the changes has root %v, not %v", root, c.seen.Root)
	}
	return err
}

// edits are what a test wants paths to be; nil is absent.
type edits map[string]*manifest.Manifest

// build returns the edits in order, with their bases.
func (c *client) build(want edits) []api.Edit {
	var list []api.Edit
	for p, m := range want {
		list = append(list, api.Edit{Path: p, Base: c.base[p].Hash(), New: m})
	}
	slices.SortFunc(list, func(a, b api.Edit) int { return merkle.Compare(a.Path, b.Path) })
	return list
}

// commit pushes the edits in one request.
func (c *client) commit(ctx context.Context, want edits, blobs ...cas.Blob) (api.CommitAnswer, error) {
	s, err := c.start(ctx, randomID())
	if err != nil {
		return api.CommitAnswer{}, err
	}
	tree := make(map[string]*manifest.Manifest)
	for p, m := range c.base {
		tree[p] = m
	}
	for p, m := range want {
		if tree[p] = m; m == nil {
			delete(tree, p)
		}
	}
	root, err := buildRoot(tree)
	if err != nil {
		return api.CommitAnswer{}, err
	}
	return c.hub.Commit(ctx, api.CommitRequest{
		Session: s.Session, Key: randomID(), Edits: c.build(want), Blobs: blobs,
		Seen: c.seen.Snapshot, Expect: root,
	})
}

// must commits and pulls.
func (c *client) must(t testing.TB, want edits, blobs ...cas.Blob) api.CommitAnswer {
	t.Helper()
	answer, err := c.commit(t.Context(), want, blobs...)
	if err == nil {
		err = c.pull(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (c *client) mustPull(t testing.TB) {
	t.Helper()
	if err := c.pull(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func buildRoot(tree map[string]*manifest.Manifest) (cas.ID, error) { return buildTree(tree, nil) }

func buildTree(tree map[string]*manifest.Manifest, put merkle.Sink) (cas.ID, error) {
	paths := make([]string, 0, len(tree))
	for p := range tree {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, merkle.Compare)
	b := merkle.NewBuilder(put)
	for _, p := range paths {
		value, err := tree[p].Encode()
		if err == nil {
			err = b.Add(merkle.Entry{Path: p, Value: value})
		}
		if err != nil {
			return cas.ID{}, err
		}
	}
	return b.Finish()
}

// empty is a file without content.
func empty(mtime int64) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Mtime: manifest.Time{Sec: mtime}, Profile: 1}
}

// link is a symlink: content that needs no blob.
func link(target string) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Mtime: manifest.Time{Sec: 1}, Target: target}
}

func dir(mode uint16, mtime int64) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Directory, Mode: mode, Mtime: manifest.Time{Sec: mtime}}
}

// file is a file of one chunk.
func file(content string) (*manifest.Manifest, cas.Blob) {
	b := cas.Seal(cas.Chunk, []byte(content))
	m := empty(1)
	m.Size = uint64(len(content))
	m.Runs = []manifest.Run{{ID: b.ID(), Size: uint32(len(content)), Count: 1}}
	return m, b
}

// Check walks the head's tree: each entry's parent is a directory entry, and each blob that
// an entry names is there and holds what it should. What the tree holds is what the volume says.
func (h *Hub) Check(ctx context.Context, v cas.VolumeID) error {
	s, err := h.Snapshot(ctx, v, cas.ID{})
	if err != nil {
		return err
	}
	dirs := map[string]bool{".": true}
	for e, err := range merkle.Walk(ctx, h.nodes(v), s.Record.Root, "") {
		if err != nil {
			return err
		}
		m, err := decodeEntry(e.Path, e.Value)
		if err != nil {
			return err
		}
		if !dirs[path.Dir(e.Path)] {
			return fmt.Errorf("%q has no parent directory", e.Path)
		}
		if m.Kind == manifest.Directory {
			dirs[e.Path] = true
		}
		if err := h.checkBlobs(ctx, v, api.EditNames([]api.Edit{{Path: e.Path, New: m}})); err != nil {
			return fmt.Errorf("%q: %w", e.Path, err)
		}
	}
	counted, err := h.count(ctx, v, s.Record.Root)
	if err != nil {
		return err
	}
	if used, err := h.Usage(ctx, v); err != nil || used != counted {
		return fmt.Errorf("the volume says that its head holds %+v, and it holds %+v: %v", used, counted, err)
	}
	status, err := h.Status(ctx, v)
	if err != nil {
		return err
	}
	if open, err := h.openConflicts(v, api.ReplicaID{}); err != nil || len(open) != status.Conflicts {
		return fmt.Errorf("the volume says that %d conflicts are open, and %d are: %v", status.Conflicts, len(open), err)
	}
	return nil
}

func (h *Hub) checkBlobs(ctx context.Context, v cas.VolumeID, refs []cas.Ref) error {
	return h.store.Get(ctx, own(v), refs, func(b cas.Blob) error {
		if b.Ref().Kind != cas.Page {
			return nil
		}
		page, err := manifest.DecodePage(b.Plain())
		if err != nil {
			return err
		}
		return h.checkBlobs(ctx, v, page.Names())
	})
}

func mustCheck(t testing.TB, h *Hub, v cas.VolumeID) {
	t.Helper()
	if err := h.Check(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err error, kind *api.Error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, not %s", err, kind.Code)
	}
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *api.Error", err)
	}
}

// clock is a clock that stands still.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1e9, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
