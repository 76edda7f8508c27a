package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "hub")
	h := open(t, dir, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	m, blob := file("content")
	c.must(t, edits{"f": m}, blob)
	id := h.id
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := h.Status(t.Context(), v)
	wantError(t, err, api.ErrBusy)
	h = open(t, dir, Options{})
	info, err := h.Info(t.Context(), "")
	if err != nil || info.HubID != id || info.HubID.IsZero() || info.Limits != api.DefaultLimits() {
		t.Fatalf("%+v: %v", info, err)
	}
	all, err := h.Volumes(t.Context(), "")
	if err != nil || len(all) != 1 || all[0] != (api.Volume{ID: v, Name: "docs", Head: c.seen}) {
		t.Fatalf("%+v: %v", all, err)
	}
	mustCheck(t, h, v)
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openTest(t, dir, nil, Options{})
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (%s", os.Getpid(), os.Args[0])) {
		t.Fatalf("error %v", err)
	}
}

func TestUnknownFormatIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		recordFile: `{"format":2,"hub_id":"00000000000000000000000000000001"}`,
		"thesis":   "precious",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Fatalf("error %v", err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v: %v", entries, err)
		}
	}
}

func TestDamagedRecordIsNamed(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "{}", `{"format":1}`, `{"format":1,"hub_id":"zz"}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, recordFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, recordFile)) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestCreateVolume(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	id := randomID()
	first, err := h.CreateVolume(t.Context(), "näme", id)
	if err != nil || first.Head.Seq != 1 || first.Head.Root != merkle.EmptyRoot() {
		t.Fatalf("%+v: %v", first, err)
	}
	again, err := h.CreateVolume(t.Context(), "näme", id)
	if err != nil || again != first {
		t.Fatalf("%+v: %v", again, err)
	}
	_, err = h.CreateVolume(t.Context(), "näme", randomID())
	wantError(t, err, api.ErrExists)
	_, err = h.CreateVolume(t.Context(), "other", id)
	wantError(t, err, api.ErrExists)
	for _, bad := range []string{"", "a/b", "a\nb", "\x7f", "\u0085", "\xff", strings.Repeat("x", 129)} {
		_, err = h.CreateVolume(t.Context(), bad, randomID())
		wantError(t, err, api.ErrInvalid)
	}
	_, err = h.CreateVolume(t.Context(), "zero", cas.VolumeID{})
	wantError(t, err, api.ErrInvalid)
	longest := strings.Repeat("x", 128)
	if _, err := h.CreateVolume(t.Context(), longest, randomID()); err != nil {
		t.Fatal(err)
	}
	all, err := h.Volumes(t.Context(), "")
	if err != nil || len(all) != 2 || all[0].Name != "näme" && all[1].Name != "näme" || all[0].Name > all[1].Name {
		t.Fatalf("%+v: %v", all, err)
	}
	if some, err := h.Volumes(t.Context(), longest); err != nil || len(some) != 1 || some[0].Name != longest {
		t.Fatalf("%+v: %v", some, err)
	}
	s, err := h.Snapshot(t.Context(), id, cas.ID{})
	if err != nil || s.ID != first.Head.Snapshot || s.Record.Volume != id || s.Record.Seq != 1 {
		t.Fatalf("%+v: %v", s, err)
	}
}

// pages is content of two levels of pages and their chunks, which come first; about makes it unique.
func pages(t testing.TB, about string) (*manifest.Manifest, []cas.Blob) {
	t.Helper()
	m, blobs, err := makePages(about)
	if err != nil {
		t.Fatal(err)
	}
	return m, blobs
}

// makePages tries until no chunk's ID cuts a page early.
func makePages(about string) (m *manifest.Manifest, blobs []cas.Blob, err error) {
	for try := range 20 {
		if m, blobs, err = tryPages(fmt.Sprint(about, try)); err == nil {
			break
		}
	}
	return m, blobs, err
}

func tryPages(about string) (*manifest.Manifest, []cas.Blob, error) {
	var chunks, leaves []cas.Blob
	var children []manifest.Child
	m := empty(1)
	for leaf := range 2 {
		var p manifest.Page
		for i := range 3 {
			b := cas.Seal(cas.Chunk, fmt.Appendf(nil, "%d-%d of %s", leaf, i, about))
			chunks = append(chunks, b)
			p.Runs = append(p.Runs, manifest.Run{ID: b.ID(), Size: uint32(b.Size()), Count: 1 << 10})
		}
		for len(p.Runs) <= manifest.MaxInline/2 {
			p.Runs = append(p.Runs, p.Runs[:3]...)
		}
		raw, err := p.Encode()
		if err != nil {
			return nil, nil, err
		}
		bytes, runs := p.Sum()
		m.Size += bytes
		leaves = append(leaves, cas.Seal(cas.Page, raw))
		children = append(children, manifest.Child{ID: leaves[leaf].ID(), Bytes: bytes, Runs: runs})
	}
	raw, err := (&manifest.Page{Level: 1, Children: children}).Encode()
	if err != nil {
		return nil, nil, err
	}
	root := cas.Seal(cas.Page, raw)
	m.Pages = root.ID()
	return m, slices.Concat(chunks, leaves, []cas.Blob{root}), nil
}

func TestPagesComeWhole(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	m, blobs := pages(t, "the content")
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	upload := func(which ...int) error {
		var some []cas.Blob
		for _, i := range which {
			some = append(some, blobs[i])
		}
		return h.Upload(t.Context(), s.Session, some)
	}
	// 0-5 are the chunks, 6 and 7 their pages, 8 the root.
	err = upload(0, 1, 6)
	wantError(t, err, api.ErrIncomplete)
	if e := api.AsError(err); !slices.Equal(slices.Compact(e.Missing), []cas.Ref{blobs[2].Ref()}) {
		t.Fatalf("missing %v", e.Missing)
	}
	wantError(t, upload(8), api.ErrIncomplete)
	if err := upload(2, 6); err != nil { // 0 and 1 are there
		t.Fatal(err)
	}
	wantError(t, upload(3, 4, 5, 8), api.ErrIncomplete)
	_, err = c.commit(t.Context(), edits{"f": m})
	wantError(t, err, api.ErrIncomplete)
	c.must(t, edits{"f": m}, blobs[7], blobs[8])
	mustCheck(t, h, v)
	bad := cas.Seal(cas.Page, []byte("no page"))
	if s, err = c.start(t.Context(), randomID()); err != nil {
		t.Fatal(err)
	}
	wantError(t, h.Upload(t.Context(), s.Session, []cas.Blob{bad}), api.ErrInvalid)
}

// TestPagesOfAnotherVolume: a page that another volume has comes with all below it.
func TestPagesOfAnotherVolume(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	c := newClient(h, newTestVolume(t, h))
	m, blobs := pages(t, "the content")
	c.must(t, edits{"f": m}, blobs...)
	other, err := h.CreateVolume(t.Context(), "other", randomID())
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(cas.Blob) error { return errors.New("visible") }
	for _, b := range blobs {
		if err := h.Blobs(t.Context(), api.BlobsRequest{Volume: other.ID, Refs: []cas.Ref{b.Ref()}}, refuse); !errors.Is(err, cas.ErrNotFound) {
			t.Fatalf("%v: %v", b.Ref(), err)
		}
	}
	newClient(h, other.ID).must(t, edits{"g": m})
	mustCheck(t, h, other.ID)
}

func TestReads(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	one, oneBlob := file("one")
	two, twoBlob := file("two")
	c.must(t, edits{"1": one, "2": two}, oneBlob, twoBlob)
	var got []cas.ID
	keep := func(b cas.Blob) error { got = append(got, b.ID()); return nil }
	refs := []cas.Ref{twoBlob.Ref(), oneBlob.Ref(), twoBlob.Ref()}
	if err := h.Blobs(t.Context(), api.BlobsRequest{Volume: v, Refs: refs}, keep); err != nil || !slices.Equal(got, []cas.ID{twoBlob.ID(), oneBlob.ID(), twoBlob.ID()}) {
		t.Fatalf("%v: %v", got, err)
	}
	if err := h.Nodes(t.Context(), v, []cas.ID{c.seen.Root}, keep); err != nil {
		t.Fatal(err)
	}
	wantError(t, h.Nodes(t.Context(), v, []cas.ID{oneBlob.ID()}, keep), api.ErrNoBlob)
	wantError(t, h.Blobs(t.Context(), api.BlobsRequest{Volume: v, Refs: []cas.Ref{{Kind: cas.Node, ID: c.seen.Root}}}, keep), api.ErrInvalid)
	wantError(t, h.Blobs(t.Context(), api.BlobsRequest{Volume: randomID(), Refs: refs}, keep), api.ErrNotFound)
	wantError(t, h.Blobs(t.Context(), api.BlobsRequest{Volume: v, Refs: make([]cas.Ref, 0x10000)}, keep), api.ErrInvalid)
	wantError(t, h.Nodes(t.Context(), v, make([]cas.ID, 0x10000), keep), api.ErrTooLarge)
	_, err := h.Snapshot(t.Context(), v, cas.ID{1})
	wantError(t, err, api.ErrNotFound)
	_, err = h.Status(t.Context(), randomID())
	wantError(t, err, api.ErrNotFound)
	own := errors.New("own")
	if err := h.Blobs(t.Context(), api.BlobsRequest{Volume: v, Refs: refs}, func(cas.Blob) error { return own }); err != own {
		t.Fatalf("error %v", err)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	c.must(t, edits{"a": link("1"), "b": link("1"), "c": link("1")})
	old := c.seen
	c.must(t, edits{"a": nil, "b": link("2"), "d": link("1")})
	changes := func(from, to cas.ID) (list []string) {
		t.Helper()
		for ch, err := range h.Changes(t.Context(), api.ChangesRequest{Volume: v, From: from, To: to}) {
			if err != nil {
				t.Fatal(err)
			}
			word := func(m *manifest.Manifest) string {
				if m == nil {
					return "-"
				}
				return m.Target
			}
			list = append(list, ch.Path+word(ch.Old)+word(ch.New))
		}
		return list
	}
	if got := changes(old.Snapshot, cas.ID{}); !slices.Equal(got, []string{"a1-", "b12", "d-1"}) {
		t.Errorf("forth: %v", got)
	}
	if got := changes(c.seen.Snapshot, old.Snapshot); !slices.Equal(got, []string{"a-1", "b21", "d1-"}) {
		t.Errorf("back: %v", got)
	}
	if got := changes(cas.ID{}, old.Snapshot); !slices.Equal(got, []string{"a-1", "b-1", "c-1"}) {
		t.Errorf("from nothing: %v", got)
	}
	other, err := h.CreateVolume(t.Context(), "other", randomID())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range h.Changes(t.Context(), api.ChangesRequest{Volume: other.ID, From: old.Snapshot}) {
		wantError(t, err, api.ErrNotFound)
		n++
	}
	if n != 1 {
		t.Errorf("%d answers", n)
	}
}

// failingStore fails its barriers once told to.
type failingStore struct {
	*cas.Mem
	fail bool
}

func (s *failingStore) Barrier(context.Context) error {
	if s.fail {
		return errors.New("input/output error")
	}
	return nil
}

func TestNothingIsWrittenAfterAnIOError(t *testing.T) {
	t.Parallel()
	store := &failingStore{Mem: &cas.Mem{}}
	h := open(t, t.TempDir(), Options{Store: func(string) (cas.Store, error) { return store, nil }})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	c.must(t, edits{"f": link("x")})
	store.fail = true
	_, err := c.commit(t.Context(), edits{"g": link("x")})
	wantError(t, err, api.ErrPoisoned)
	if !errors.Is(err, cas.ErrPoisoned) || !strings.Contains(err.Error(), "input/output error") {
		t.Fatalf("error %v", err)
	}
	store.fail = false
	_, err = c.commit(t.Context(), edits{"g": link("x")})
	wantError(t, err, api.ErrPoisoned)
	_, err = h.CreateVolume(t.Context(), "other", randomID())
	wantError(t, err, api.ErrPoisoned)
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Diff(t.Context(), api.DiffRequest{Session: s.Session})
	wantError(t, err, api.ErrPoisoned)
	wantError(t, h.Upload(t.Context(), s.Session, nil), api.ErrPoisoned)
	if err := c.pull(t.Context()); err != nil || c.seen.Seq != 2 {
		t.Fatalf("reads go on: %+v: %v", c.seen, err)
	}
}

// TestMetadataErrorPoisons: what Badger only logs as an error stops the writes too.
func TestMetadataErrorPoisons(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	(&errorLogger{h.poison}).Errorf("while flushing: %v", "input/output error")
	_, err := h.CreateVolume(t.Context(), "docs", randomID())
	wantError(t, err, api.ErrPoisoned)
}
