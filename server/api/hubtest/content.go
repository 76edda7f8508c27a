package hubtest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// wantUntrue wants that an edit is refused as one that is not true of its blobs, by a diff and by a commit, with
// words that name all of these, and that the head stays.
func (f *fixture) wantUntrue(t *testing.T, what string, session api.SessionID, m *manifest.Manifest, blobs []cas.Blob, words ...string) {
	t.Helper()
	edits := []api.Edit{{Path: "dir", New: directory()}, {Path: "dir/untrue", New: m}}
	_, diff := f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: edits})
	if blobs != nil {
		diff = api.ErrInvalid // it does not have the blobs yet
	}
	_, commit := f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Edits: edits, Blobs: blobs})
	_, parts := f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Parts: 1})
	if blobs == nil {
		parts = api.ErrInvalid // nothing is staged
	}
	for by, err := range map[string]error{"diff": diff, "commit": commit, "commit of parts": parts} {
		if !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %s: %v", what, by, err)
			continue
		}
		for _, word := range words {
			if err != api.ErrInvalid && !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %s: %q does not say %q", what, by, err, word)
			}
		}
	}
	equal(t, "head after "+what, f.head(t), f.volume.Head)
}

// testUntrueSizes: the bytes that a manifest says of a chunk are those that the chunk has, whether it was there
// before, came in the session, comes with the commit, or is another volume's.
func testUntrueSizes(t *testing.T, f *fixture) {
	text := strings.Repeat("0123456789", 1000)
	for _, size := range []uint32{1, 9999, 10001, maxChunk} {
		m, blob := file(text)
		m.Runs[0].Size, m.Size = size, uint64(size)
		packed := cas.NewCodec(cas.CompressBulk).Compress(blob, nil)
		there, coming := f.replica().start(t, random()).Session, f.replica().start(t, random()).Session
		if size == 1 { // else it is there
			f.wantUntrue(t, "what comes", coming, m, []cas.Blob{packed}, `"dir/untrue"`, blob.Ref().String(), "10000")
		}
		must(t, f.Upload(f.ctx, there, []cas.Blob{packed}))
		f.wantUntrue(t, "what is there", there, m, nil, `"dir/untrue"`, blob.Ref().String(), "10000")
	}
	m, blob := file(text)
	m.Runs[0].Count, m.Size = 3, 30000
	r := f.replica()
	r.pushed(t, tree{"three times": m}, blob)

	other, err := f.CreateVolume(f.ctx, "other", random())
	must(t, err)
	g := &fixture{Hub: f.Hub, ctx: f.ctx, volume: other}
	m, _ = file(text)
	m.Runs[0].Size, m.Size = 9999, 9999
	g.wantUntrue(t, "what another volume has", g.replica().start(t, random()).Session, m, nil, blob.Ref().String())
}

// sealed returns a page as a blob.
func sealed(t *testing.T, p *manifest.Page) cas.Blob {
	t.Helper()
	raw, err := p.Encode()
	must(t, err)
	return cas.Seal(cas.Page, raw)
}

// testUntruePages: pages are true of their chunks and of the pages below, and a manifest is of its root.
func testUntruePages(t *testing.T, f *fixture) {
	m, chunks, pages := paged(t, 2000)
	r := f.replica()
	session := r.start(t, random()).Session
	must(t, f.Upload(f.ctx, session, append(slices.Clone(chunks), pages...)))
	for _, size := range []uint64{manifest.MaxInline + 1, m.Size - 1, m.Size + 1} {
		untrue := *m
		untrue.Size = size
		f.wantUntrue(t, "a size that the root does not have", session, &untrue, nil, `"dir/untrue"`, cas.Ref{Kind: cas.Page, ID: m.Pages}.String())
	}
	root, err := manifest.DecodePage(pages[len(pages)-1].Plain())
	must(t, err)
	leaf, err := manifest.DecodePage(pages[0].Plain())
	must(t, err)
	few := &manifest.Page{Runs: []manifest.Run{{ID: chunks[0].ID(), Size: uint32(chunks[0].Size()), Count: 1000}}}
	one := &manifest.Page{Level: 1, Children: root.Children[:1]}
	for leafRuns := one.Children[0].Runs; leafRuns <= manifest.MaxInline; leafRuns = one.Children[0].Runs {
		one.Children = root.Children[1+slices.Index(root.Children, one.Children[0]):][:1]
	}
	with := func(change func(c []manifest.Child)) *manifest.Page {
		p := &manifest.Page{Level: 1, Children: slices.Clone(root.Children)}
		change(p.Children)
		return p
	}
	runs := slices.Clone(leaf.Runs)
	runs[1].Size++
	ends := sealed(t, &manifest.Page{Runs: leaf.Runs[len(leaf.Runs)-1:]})
	must(t, f.Upload(f.ctx, session, []cas.Blob{sealed(t, few), sealed(t, one), ends}))
	for name, p := range map[string]*manifest.Page{
		"size of a chunk": {Runs: runs},
		"fewer bytes":     with(func(c []manifest.Child) { c[0].Bytes-- }),
		"more bytes":      with(func(c []manifest.Child) { c[1].Bytes++ }),
		"bytes moved":     with(func(c []manifest.Child) { c[0].Bytes--; c[1].Bytes++ }),
		"fewer runs":      with(func(c []manifest.Child) { c[0].Runs-- }),
		"more runs":       with(func(c []manifest.Child) { c[0].Runs++ }),
		"another level":   {Level: 2, Children: slices.Clone(root.Children)},
		"a chunk again":   with(func(c []manifest.Child) { c[1] = manifest.Child{ID: ends.ID(), Bytes: leaf.Runs[0].Bytes(), Runs: 1} }),
	} {
		page := sealed(t, p)
		want(t, f.Upload(f.ctx, session, []cas.Blob{page}), api.ErrInvalid)
		untrue := *m
		untrue.Pages = page.ID()
		untrue.Size, _ = p.Sum()
		_, err := f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Edits: []api.Edit{{Path: "untrue", New: &untrue}}})
		if !errors.Is(err, api.ErrIncomplete) {
			t.Errorf("%s: the page was taken: %v", name, err)
		}
	}
	for name, p := range map[string]*manifest.Page{"a root of few runs": few, "a root with one entry": one} {
		untrue := *m
		untrue.Pages = sealed(t, p).ID()
		untrue.Size, _ = p.Sum()
		f.wantUntrue(t, name, session, &untrue, nil, `"dir/untrue"`, cas.Ref{Kind: cas.Page, ID: untrue.Pages}.String())
	}
	req := r.commit(t, session, tree{"true": m})
	_, err = f.Commit(f.ctx, req)
	must(t, err)
}
