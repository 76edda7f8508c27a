package hubtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

func testPush(t *testing.T, f *fixture) {
	r := f.replica()
	a, blobA := file(strings.Repeat("content of a ", 100))
	b, blobB := file("content of b")
	to := tree{"a": a, "d": directory(), "d/b": b, "d/l": link("../a"), "d/same": a}
	start := r.start(t, random())
	if start.Head != f.volume.Head || !start.SeenOK || start.Staged != 0 || start.State != api.Idle || start.Profile != 1 {
		t.Fatalf("start: %+v", start)
	}
	diff := api.DiffRequest{Session: start.Session, Edits: to.edits(nil), Ask: []cas.Ref{{Kind: cas.Chunk, ID: cas.ID{1}}, blobB.Ref()}}
	answer, err := f.Diff(f.ctx, diff)
	must(t, err)
	equal(t, "missing", answer, api.DiffAnswer{Missing: []bool{true, true, true, true, true}})
	must(t, f.Upload(f.ctx, start.Session, []cas.Blob{cas.NewCodec(cas.CompressBulk).Compress(blobA, nil), blobB}))
	must(t, f.Upload(f.ctx, start.Session, []cas.Blob{blobA}))
	answer, err = f.Diff(f.ctx, diff)
	must(t, err)
	equal(t, "missing after the upload", answer.Missing, []bool{false, false, false, true, false})
	req := api.CommitRequest{Session: start.Session, Key: random(), Parts: 1, Seen: r.seen.Snapshot, Expect: to.root(t), Message: "first"}
	done, err := f.Commit(f.ctx, req)
	must(t, err)
	if done.Merged || done.Conflicts != nil || done.Kept != nil || done.Head.Seq != 2 || done.Head.Root != to.root(t) {
		t.Fatalf("commit: %+v", done)
	}
	equal(t, "head", f.head(t), done.Head)
	equal(t, "tree", f.tree(t), to)
	s, err := f.Snapshot(f.ctx, f.volume.ID, done.Head.Snapshot)
	must(t, err)
	raw, err := s.Record.Encode()
	must(t, err)
	if cas.Sum(raw) != s.ID || s.Record.Message != "first" || s.Record.Client != "host" || s.Record.Replica != r.id ||
		!slices.Equal(s.Record.Parents, []cas.ID{f.volume.Head.Snapshot}) {
		t.Errorf("snapshot: %+v", s)
	}
	var got []byte
	must(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: []cas.Ref{blobA.Ref(), blobB.Ref()}}, func(b cas.Blob) error {
		got = append(got, b.Plain()...)
		return nil
	}))
	if !bytes.Equal(got, append(slices.Clone(blobA.Plain()), blobB.Plain()...)) {
		t.Errorf("content is %q", got)
	}
}

func testPushInOne(t *testing.T, f *fixture) {
	r := f.replica()
	a, blobA := file("a")
	b, blobB := file("b")
	r.pushed(t, tree{"a": a, "b": b}, blobA, blobB)
	r.pushed(t, tree{"a": b})
	r.pushed(t, tree{})
	equal(t, "sequence", r.seen.Seq, uint64(4))
	equal(t, "tree", f.tree(t), tree{})
}

// paged returns a file of n chunks, its chunks and its pages, children first.
func paged(t *testing.T, n int) (m *manifest.Manifest, chunks, pages []cas.Blob) {
	t.Helper()
	b := manifest.NewBuilder(func(page cas.Blob) error {
		pages = append(pages, page)
		return nil
	})
	for i := range n {
		chunk := cas.Seal(cas.Chunk, fmt.Appendf(nil, "chunk %06d", i))
		chunks = append(chunks, chunk)
		must(t, b.Add(manifest.Run{ID: chunk.ID(), Size: uint32(chunk.Size()), Count: 1}))
	}
	m = &manifest.Manifest{Kind: manifest.File, Mode: 0o600}
	must(t, b.Finish(m))
	return m, chunks, pages
}

func testPages(t *testing.T, f *fixture) {
	m, chunks, pages := paged(t, 5000)
	if len(pages) < 3 {
		t.Fatalf("%d pages", len(pages))
	}
	r := f.replica()
	session := r.start(t, random()).Session
	err := f.Upload(f.ctx, session, pages[:1])
	want(t, err, api.ErrIncomplete)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || len(e.Missing) == 0 || len(e.Missing) > api.MaxMissing || e.Missing[0] != chunks[0].Ref() {
		t.Fatalf("%+v", e)
	}
	must(t, f.Upload(f.ctx, session, append(slices.Clone(chunks[:4000]), pages[0])))
	want(t, f.Upload(f.ctx, session, pages[len(pages)-1:]), api.ErrIncomplete)
	answer, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: []api.Edit{{Path: "large", New: m}}, Ask: []cas.Ref{pages[0].Ref()}})
	must(t, err)
	equal(t, "missing", answer.Missing, []bool{true, false})
	must(t, f.Upload(f.ctx, session, append(slices.Clone(chunks[4000:]), pages...)))
	req := r.commit(t, session, tree{"large": m})
	req.Parts, req.Edits = 1, nil
	_, err = f.Commit(f.ctx, req)
	must(t, err)
	i, source := 0, func(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
		return f.Blobs(ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: refs}, fn)
	}
	for run, err := range manifest.Runs(f.ctx, f.tree(t)["large"], source) {
		must(t, err)
		equal(t, "run", run.ID, chunks[i].ID())
		i++
	}
	equal(t, "runs", i, len(chunks))
}

func testCommitTwice(t *testing.T, f *fixture) {
	r := f.replica()
	m, blob := file("x")
	req := r.commit(t, r.start(t, random()).Session, tree{"a": m})
	req.Blobs = []cas.Blob{blob}
	first, err := f.Commit(f.ctx, req)
	must(t, err)
	again, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "the answer again", again, first)
	r.seen, r.base = first.Head, tree{"a": m}
	r.pushed(t, tree{})
	again, err = f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "the answer after another push", again, first)
	equal(t, "head", f.head(t), r.seen)
	req.Key = random()
	if _, err := f.Commit(f.ctx, req); err == nil {
		t.Error("a commit of a session that is complete, with another key")
	}
}

func testCommitNothing(t *testing.T, f *fixture) {
	r, other := f.replica(), f.replica()
	m, blob := file("x")
	r.pushed(t, tree{"a": m}, blob)
	answer := r.push(t, tree{"a": m})
	equal(t, "head after a commit of nothing", answer.Head, r.seen)
	answer = other.push(t, tree{"a": m})
	equal(t, "head after the same edit of another", answer.Head, r.seen)
	if answer.Conflicts != nil || answer.Kept != nil {
		t.Errorf("%+v", answer)
	}
}

func testIncomplete(t *testing.T, f *fixture) {
	r := f.replica()
	a, blobA := file("a")
	b, blobB := file("b")
	to := tree{"a": a, "b": b}
	req := r.commit(t, r.start(t, random()).Session, to)
	req.Blobs = []cas.Blob{blobA}
	_, err := f.Commit(f.ctx, req)
	want(t, err, api.ErrIncomplete)
	e, _ := errors.AsType[*api.Error](err)
	equal(t, "missing", e.Missing, []cas.Ref{blobB.Ref()})
	equal(t, "head", f.head(t), f.volume.Head)
	must(t, f.Upload(f.ctx, req.Session, []cas.Blob{blobB}))
	_, err = f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "tree", f.tree(t), to)
}

func testRoot(t *testing.T, f *fixture) {
	r := f.replica()
	m, blob := file("x")
	req := r.commit(t, r.start(t, random()).Session, tree{"a": m})
	req.Blobs, req.Expect = []cas.Blob{blob}, cas.ID{1}
	_, err := f.Commit(f.ctx, req)
	want(t, err, api.ErrRoot)
	equal(t, "head", f.head(t), f.volume.Head)
}

func testInvalidEdits(t *testing.T, f *fixture) {
	m, blob := file("x")
	r := f.replica()
	session := r.start(t, random()).Session
	for name, edits := range map[string][]api.Edit{
		"not in order": {{Path: "b", New: m}, {Path: "a", New: m}},
		"a path twice": {{Path: "a", New: m}, {Path: "a", New: m}},
		"upwards":      {{Path: "../a", New: m}},
		"absolute":     {{Path: "/a", New: m}},
		"reserved":     {{Path: "a/.DFS", New: m}},
		"NUL":          {{Path: "a\x00", New: m}},
		"long name":    {{Path: strings.Repeat("n", manifest.MaxName+1), New: m}},
		"not valid":    {{Path: "a", New: &manifest.Manifest{Kind: manifest.File, Mode: 0o10000, Profile: 1}}},
	} {
		_, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: edits})
		if !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: diff: %v", name, err)
		}
		_, err = f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Edits: edits, Blobs: []cas.Blob{blob}})
		if !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: commit: %v", name, err)
		}
	}
	want(t, f.Upload(f.ctx, session, []cas.Blob{cas.Seal(cas.Node, []byte("n"))}), api.ErrInvalid)
	want(t, f.Upload(f.ctx, session, []cas.Blob{cas.Seal(cas.Page, []byte("no page"))}), api.ErrInvalid)
	equal(t, "head", f.head(t), f.volume.Head)
}
