package hubtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

func testChanges(t *testing.T, f *fixture) {
	r := f.replica()
	a, blobA := file("a")
	b, blobB := file("b")
	r.pushed(t, tree{"a": a, "b": a, "c": a, "same": a}, blobA)
	first := r.seen.Snapshot
	r.pushed(t, tree{"a": b, "b": a, "d": link("x"), "same": a}, blobB)
	got, err := f.list(first, r.seen.Snapshot)
	must(t, err)
	equal(t, "changes", got, []api.Change{{Path: "a", Old: a, New: b}, {Path: "c", Old: a}, {Path: "d", New: link("x")}})
	back, err := f.list(r.seen.Snapshot, first)
	must(t, err)
	equal(t, "changes back", back, []api.Change{{Path: "a", Old: b, New: a}, {Path: "c", New: a}, {Path: "d", Old: link("x")}})
	none, err := f.list(first, first)
	must(t, err)
	equal(t, "changes of nothing", len(none), 0)
}

func testOddPaths(t *testing.T, f *fixture) {
	r := f.replica()
	to := tree{"a": directory(), "a/x": link("\xff\n"), "a!": link("é"), "a\xff": link("1"), "new\nline": link("2"), "\"q\"\\": link("3"),
		"\x01": link("4"), " ": link("5"), "\u2028": link("6"), "%2e%2e": link("7")}
	r.pushed(t, to)
	equal(t, "tree", f.tree(t), to)
	got, err := f.list(cas.ID{}, cas.ID{})
	must(t, err)
	if got[4].Path != "a" || got[5].Path != "a/x" || got[6].Path != "a!" {
		t.Errorf("not in path order: %q, %q, %q", got[4].Path, got[5].Path, got[6].Path)
	}
}

// wide is a tree of many entries.
func wide(n int) tree {
	tr := tree{}
	for i := range n {
		dir := fmt.Sprintf("dir%02d", i%50)
		tr[dir] = directory()
		tr[fmt.Sprintf("%s/link%05d", dir, i)] = link(fmt.Sprintf("target %d", i))
	}
	return tr
}

func testChangesLeft(t *testing.T, f *fixture) {
	f.replica().pushed(t, wide(3000))
	for _, leave := range []int{1, 700} {
		n := 0
		for _, err := range f.Changes(f.ctx, api.ChangesRequest{Volume: f.volume.ID}) {
			must(t, err)
			if n++; n == leave {
				break
			}
		}
		equal(t, "changes before leaving", n, leave)
	}
}

// nodeSource reads the volume's nodes.
type nodeSource struct{ f *fixture }

func (s nodeSource) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	return s.f.Nodes(ctx, s.f.volume.ID, ids, fn)
}

func testWalk(t *testing.T, f *fixture) {
	r := f.replica()
	to := wide(3000)
	r.pushed(t, to)
	walked := tree{}
	for e, err := range merkle.Walk(f.ctx, nodeSource{f}, r.seen.Root, "") {
		must(t, err)
		m, err := manifest.Decode(e.Value)
		must(t, err)
		walked[e.Path] = m
	}
	equal(t, "walk and changes", walked, f.tree(t))
	equal(t, "walk and what was pushed", walked, to)
	err := f.Nodes(f.ctx, f.volume.ID, []cas.ID{r.seen.Root, {1}}, func(cas.Blob) error { return nil })
	want(t, err, api.ErrNoBlob, cas.ErrNotFound)
}

func testBlobs(t *testing.T, f *fixture) {
	session := f.replica().start(t, random()).Session
	var blobs []cas.Blob
	var refs []cas.Ref
	for i := range 300 {
		b := cas.Seal(cas.Chunk, fmt.Appendf(nil, "blob %d", i))
		blobs, refs = append(blobs, b), append(refs, b.Ref())
	}
	small := cas.Seal(cas.Chunk, []byte("x"))
	big := cas.Seal(cas.Chunk, make([]byte, maxChunk))
	must(t, f.Upload(f.ctx, session, append(blobs, cas.NewCodec(cas.CompressMax).Compress(big, nil), small)))
	refs = append(refs, big.Ref(), small.Ref(), refs[7], refs[7])
	i := 0
	must(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: refs}, func(b cas.Blob) error {
		if b.Ref() != refs[i] || cas.Sum(b.Plain()) != b.ID() {
			t.Fatalf("blob %d: %v instead of %v", i, b.Ref(), refs[i])
		}
		i++
		return nil
	}))
	equal(t, "blobs", i, len(refs))
	must(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID}, nil))
	mine, n := errors.New("mine"), 0
	err := f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: refs}, func(cas.Blob) error { n++; return mine })
	if err != mine || n != 1 {
		t.Errorf("the error of fn becomes %v after %d calls", err, n)
	}
	keep := func(cas.Blob) error { return nil }
	absent := cas.Ref{Kind: cas.Chunk, ID: cas.ID{1}}
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: []cas.Ref{absent}}, keep), api.ErrNoBlob, cas.ErrNotFound)
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: append(refs, absent)}, keep), api.ErrNoBlob, cas.ErrNotFound)
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: []cas.Ref{{Kind: cas.Page, ID: refs[0].ID}}}, keep), api.ErrNoBlob)
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: []cas.Ref{{Kind: cas.Node, ID: refs[0].ID}}}, keep), api.ErrInvalid)
}

func testOtherVolumes(t *testing.T, f *fixture) {
	m, blob := file("of docs")
	f.replica().pushed(t, tree{"a": m}, blob)
	v, err := f.CreateVolume(f.ctx, "other", random())
	must(t, err)
	other := &fixture{Hub: f.Hub, ctx: f.ctx, volume: v}
	keep := func(cas.Blob) error { return nil }
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: v.ID, Refs: []cas.Ref{blob.Ref()}}, keep), api.ErrNoBlob)
	// The caller reads both volumes, so the blob need not be sent again.
	r := other.replica()
	r.pushed(t, tree{"b": m})
	must(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: v.ID, Refs: []cas.Ref{blob.Ref()}}, keep))
	equal(t, "tree", other.tree(t), tree{"b": m})
	_, err = f.Snapshot(f.ctx, v.ID, f.head(t).Snapshot)
	want(t, err, api.ErrNotFound)
}
