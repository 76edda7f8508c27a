package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/cas/chunker"
)

// blobs is a store in memory that counts the calls of its source.
type blobs struct {
	m     map[cas.Ref]cas.Blob
	calls int
	most  int // refs of a call
}

func newBlobs() *blobs { return &blobs{m: make(map[cas.Ref]cas.Blob)} }

func (s *blobs) put(b cas.Blob) error {
	s.m[b.Ref()] = b
	return nil
}

// source gives each blob in memory that is overwritten afterwards.
func (s *blobs) source(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
	s.calls++
	s.most = max(s.most, len(refs))
	for _, ref := range refs {
		b, ok := s.m[ref]
		if !ok {
			return fmt.Errorf("%v: %w", ref, cas.ErrNotFound)
		}
		plain := bytes.Clone(b.Plain())
		err := fn(cas.Seal(ref.Kind, plain))
		clear(plain)
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func build(t testing.TB, b *Builder, runs []Run) *Manifest {
	t.Helper()
	m := &Manifest{Kind: File}
	for _, r := range runs {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Finish(m); err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m
}

func collect(t testing.TB, m *Manifest, src Source) (runs []Run) {
	t.Helper()
	for r, err := range Runs(context.Background(), m, src) {
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	return runs
}

func numberedRuns(n int) []Run {
	runs := make([]Run, n)
	for i := range runs {
		runs[i] = numbered(i)
	}
	return runs
}

func TestBuilderAndRuns(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	b := NewBuilder(s.put)
	for _, n := range []int{0, 1, MaxInline, MaxInline + 1, 200, 5000, 70_000} {
		runs := numberedRuns(n)
		m := build(t, b, runs)
		if m.Pages.IsZero() != (n <= MaxInline) {
			t.Errorf("%d runs: pages %v", n, m.Pages)
		}
		if got := collect(t, m, s.source); !slices.Equal(got, runs) {
			t.Errorf("%d runs: %d read back, or others", n, len(got))
		}
	}
	if s.most > maxFetch {
		t.Errorf("%d pages fetched at a time", s.most)
	}
	for ref, blob := range s.m {
		p, err := DecodePage(blob.Plain())
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.Encode()
		if err != nil || !bytes.Equal(again, blob.Plain()) {
			t.Errorf("%v encodes again differently: %v", ref, err)
		}
		for _, name := range p.Names() {
			if _, ok := s.m[name]; (name.Kind == cas.Page) != (p.Level > 0) || p.Level > 0 && !ok {
				t.Errorf("%v of level %d names %v", ref, p.Level, name)
			}
		}
	}
}

func TestBuilderPutsChildrenFirst(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	var last cas.Blob
	m := build(t, NewBuilder(func(b cas.Blob) error {
		last = b
		p, err := DecodePage(b.Plain())
		if err != nil {
			return err
		}
		for _, c := range p.Children {
			if _, ok := s.m[cas.Ref{Kind: cas.Page, ID: c.ID}]; !ok {
				return fmt.Errorf("%v before its child", b.Ref())
			}
		}
		return s.put(b)
	}), numberedRuns(20_000))
	if m.Pages != last.ID() {
		t.Errorf("root is %v, the last page %v", m.Pages, last.ID())
	}
}

func TestBuilderMerges(t *testing.T) {
	t.Parallel()
	b := NewBuilder(newBlobs().put)
	var runs []Run
	for i := range 300 {
		runs = append(runs, zeros(uint64(i+1)))
	}
	m := build(t, b, append(runs, hello))
	if want := []Run{zeros(300 * 301 / 2), hello}; !slices.Equal(m.Runs, want) {
		t.Errorf("runs are %v, want %v", m.Runs, want)
	}
	if m := build(t, b, nil); m.Runs != nil || m.Size != 0 {
		t.Errorf("the next file has %v", m)
	}
}

func TestBuilderErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	b := NewBuilder(func(cas.Blob) error { return full })
	var err error
	for i := 0; err == nil && i < 1e5; i++ {
		err = b.Add(numbered(i))
	}
	if err != full || b.Finish(new(Manifest)) != full {
		t.Errorf("put's error gives %v", err)
	}
	for name, runs := range map[string][]Run{
		"no chunk": {{hello.ID, 0, 1}},
		"overflow": {zeros(maxContent / chunker.Min), hello, {cas.Sum(nil), chunker.Max, 1}},
		"size":     {hello, {hello.ID, 12, 1}},
	} {
		var err error
		for _, r := range runs {
			err = b.Add(r)
		}
		if err == nil || b.Finish(new(Manifest)) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	build(t, b, []Run{hello})
}

// TestOneChangeRewritesFewPages: in a list of a million runs (64 GiB), any single
// replaced, inserted, removed or repeated run makes at most 8 pages anew.
func TestOneChangeRewritesFewPages(t *testing.T) {
	t.Parallel()
	runs := numberedRuns(1_000_000)
	old := newBlobs()
	build(t, NewBuilder(old.put), runs)
	if n := len(old.m); n < 1_000_000/350 || n > 1_000_000/200 {
		t.Errorf("%d pages for a million runs", n)
	}
	fresh := numbered(-1)
	for name, change := range map[string]struct {
		at, to int
		with   []Run
	}{
		"replace": {500_000, 500_001, []Run{fresh}},
		"insert":  {777_777, 777_777, []Run{fresh}},
		"remove":  {123_456, 123_457, nil},
		"repeat":  {400_000, 400_000, []Run{runs[400_000]}},
		"first":   {0, 1, []Run{fresh}},
		"append":  {1_000_000, 1_000_000, []Run{fresh}},
	} {
		anew := make(map[cas.ID]bool)
		b := NewBuilder(func(blob cas.Blob) error {
			if _, ok := old.m[blob.Ref()]; !ok {
				anew[blob.ID()] = true
			}
			return nil
		})
		for _, part := range [][]Run{runs[:change.at], change.with, runs[change.to:]} {
			for _, r := range part {
				if err := b.Add(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := b.Finish(new(Manifest)); err != nil {
			t.Fatal(err)
		}
		if n := len(anew); n < 3 || n > 8 {
			t.Errorf("%s: %d pages anew", name, n)
		}
	}
}

func TestBuilderMemory(t *testing.T) {
	b := NewBuilder(func(cas.Blob) error { return nil })
	n := 0
	perRun := testing.AllocsPerRun(100_000, func() {
		n++
		if err := b.Add(Run{cas.ID{1, byte(n), byte(n >> 8), byte(n >> 16)}, 1, 1}); err != nil {
			t.Fatal(err)
		}
	})
	if perRun != 0 {
		t.Errorf("%v allocations a run", perRun)
	}
}

func TestInvalidPages(t *testing.T) {
	t.Parallel()
	ends := cas.ID{0, 1}
	runs := func(n int) (list []Run) {
		for i := range n {
			list = append(list, Run{cas.ID{1, byte(i), byte(i >> 8)}, 1, 1})
		}
		return list
	}
	for name, p := range map[string]*Page{
		"empty":          {},
		"empty above":    {Level: 1},
		"level":          {Level: MaxLevel + 1, Children: []Child{{hello.ID, 1, 1}}},
		"runs above":     {Level: 1, Runs: runs(1)},
		"children below": {Children: []Child{{hello.ID, 1, 1}}},
		"both":           {Level: 1, Runs: runs(1), Children: []Child{{hello.ID, 1, 1}}},
		"too many":       {Runs: runs(MaxEntries + 1)},
		"past its end":   {Runs: []Run{hello, {ends, 1, 1}, {cas.ID{2}, 1, 1}}},
		"not merged":     {Runs: []Run{hello, hello}},
		"no bytes":       {Level: 1, Children: []Child{{hello.ID, 0, 1}}},
		"no runs":        {Level: 1, Children: []Child{{hello.ID, 1, 0}}},
		"more runs":      {Level: 1, Children: []Child{{hello.ID, 1, 2}}},
		"zero ID":        {Level: 1, Children: []Child{{cas.ID{}, 1, 1}}},
		"overflow":       {Level: 1, Children: []Child{{hello.ID, maxContent, 1}, {hello.ID, 1, 1}}},
	} {
		if b, err := p.Encode(); err == nil {
			t.Errorf("%s: encodes as %x", name, b)
		}
	}
	for name, p := range map[string]*Page{
		"first entry ends no page": {Runs: []Run{{ends, 1, 1}, hello}},
		"full":                     {Runs: runs(MaxEntries)},
	} {
		if _, err := p.Encode(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, _ := (&Page{Runs: []Run{zeros(3), hello}}).Encode()
	for name, b := range map[string][]byte{
		"nothing": {}, "no level": good[:1], "no entries": good[:2], "version": append([]byte{2}, good[1:]...),
		"level": append([]byte{1, 1}, good[2:]...), "cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0),
	} {
		if p, err := DecodePage(b); err == nil {
			t.Errorf("%s: %x decodes to %+v", name, b, p)
		}
	}
}

// TestPageVectors freezes where pages end: the IDs of the roots of lists of so many made-up runs.
func TestPageVectors(t *testing.T) {
	t.Parallel()
	got := make(map[string][]byte)
	for _, n := range []int{65, 1000, 100_000} {
		m := build(t, NewBuilder(newBlobs().put), numberedRuns(n))
		got[fmt.Sprint("root-of-", n)] = m.Pages[:]
	}
	page, err := (&Page{Runs: []Run{zeros(3), hello}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	above, err := (&Page{Level: 1, Children: []Child{{cas.Sum(page), 147467, 2}, {hello.ID, 1 << 40, 300}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	got["page"], got["page-above"] = page, above
	checkVectors(t, "pages.txt", got)
}

// TestRunsRefusesWrongPages reads contents whose pages are not what their parents say.
func TestRunsRefusesWrongPages(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	seal := func(p *Page) (cas.ID, Child) {
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		blob := cas.Seal(cas.Page, b)
		s.put(blob)
		bytes, runs := p.Sum()
		return blob.ID(), Child{blob.ID(), bytes, runs}
	}
	var many []Run
	for i := range 100 {
		many = append(many, Run{cas.ID{1, byte(i)}, 10, 1})
	}
	_, leaf := seal(&Page{Runs: many})
	_, other := seal(&Page{Runs: many[:50]})
	_, small := seal(&Page{Runs: many[:10]})
	_, inner := seal(&Page{Level: 1, Children: []Child{leaf, other}})
	_, repeat := seal(&Page{Runs: []Run{many[99], {cas.ID{9}, 10, 1}}})
	_, lone := seal(&Page{Level: 1, Children: []Child{leaf}})
	_, again := seal(&Page{Level: 1, Children: []Child{leaf, repeat}})
	_, mixed := seal(&Page{Level: 1, Children: []Child{leaf, inner}})
	_, bytesWrong := seal(&Page{Level: 1, Children: []Child{{leaf.ID, leaf.Bytes + 1, leaf.Runs}, other}})
	_, runsWrong := seal(&Page{Level: 1, Children: []Child{{leaf.ID, leaf.Bytes, leaf.Runs + 1}, other}})
	_, absent := seal(&Page{Level: 1, Children: []Child{leaf, {cas.ID{7}, 100, 10}}})
	garbage := cas.Seal(cas.Page, []byte("garbage"))
	s.put(garbage)
	for want, root := range map[string]Child{
		"":                           inner,
		"belong into the manifest":   small,
		"root with one entry":        lone,
		"repeats the chunk":          again,
		"has level 1":                mixed,
		"its parent says 0, 1001":    bytesWrong,
		"parent says 0, 1000 and 10": runsWrong,
		"blob not found":             absent,
		"version 103":                {garbage.ID(), 1000, 100},
		"lists 1000 bytes of 1001":   {leaf.ID, 1001, 100},
	} {
		m := &Manifest{Kind: File, Profile: 1, Size: root.Bytes, Pages: root.ID}
		var err error
		for _, e := range Runs(context.Background(), m, s.source) {
			if err != nil {
				t.Errorf("%s: goes on after an error", want)
			}
			err = e
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// TestSourceIsHeldToItsContract reads from sources that give other blobs than asked for, or fewer.
func TestSourceIsHeldToItsContract(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	m := build(t, NewBuilder(s.put), numberedRuns(5000))
	other := cas.Seal(cas.Page, []byte("other"))
	for name, src := range map[string]Source{
		"none": func(context.Context, []cas.Ref, func(cas.Blob) error) error { return nil },
		"other": func(_ context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
			return fn(other)
		},
		"too many": func(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
			return s.source(ctx, append(refs, refs...), fn)
		},
	} {
		for _, err := range Runs(context.Background(), m, src) {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			break
		}
	}
}

func TestRunsStops(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	m := build(t, NewBuilder(s.put), numberedRuns(5000))
	n := 0
	for range Runs(context.Background(), m, s.source) {
		if n++; n == 10 {
			break
		}
	}
	if n != 10 || s.calls > 3 {
		t.Errorf("%d runs in %d calls", n, s.calls)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range Runs(ctx, m, s.source) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// content builds a file of several pages with holes and repetitions, and its manifest.
func content(t testing.TB, s *blobs, chunks int) (*Manifest, []byte) {
	rng := rand.New(rand.NewPCG(uint64(chunks), 5))
	b := NewBuilder(s.put)
	var all []byte
	for range chunks {
		data := make([]byte, 1+rng.IntN(300))
		count := 1 + rng.IntN(2)*rng.IntN(5)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		chunk := cas.Seal(cas.Chunk, data)
		s.put(chunk)
		if err := b.Add(Run{chunk.ID(), uint32(len(data)), uint64(count)}); err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Repeat(data, count)...)
	}
	m := &Manifest{Kind: File}
	if err := b.Finish(m); err != nil {
		t.Fatal(err)
	}
	return m, all
}

func TestReader(t *testing.T) {
	t.Parallel()
	for _, chunks := range []int{0, 1, 50, 5000} {
		s := newBlobs()
		m, want := content(t, s, chunks)
		r, err := Open(context.Background(), m, s.source)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, want); err != nil {
			t.Errorf("%d chunks: %v", chunks, err)
		}
		if r.Size() != int64(len(want)) {
			t.Errorf("%d chunks: size %d", chunks, r.Size())
		}
	}
}

func TestReaderProperties(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	m, want := content(t, s, 20_000)
	r, err := Open(context.Background(), m, s.source)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 3 {
			off := rapid.IntRange(0, len(want)+10).Draw(t, "off")
			p := make([]byte, rapid.SampledFrom([]int{0, 1, 1000, 100_000, window + 1}).Draw(t, "len"))
			n, err := r.ReadAt(p, int64(off))
			rest := want[min(off, len(want)):]
			if n != min(len(p), len(rest)) || !bytes.Equal(p[:n], rest[:n]) || (err == io.EOF) != (n < len(p)) {
				t.Fatalf("read %d of %d at %d of %d: %v", n, len(p), off, len(want), err)
			}
		}
	})
}

// TestReaderReadsAhead: reading on in small steps fetches ever more at a time;
// reading here and there fetches little.
func TestReaderReadsAhead(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	m, want := content(t, s, 20_000)
	r, _ := Open(context.Background(), m, s.source)
	s.calls = 0
	if n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, 4096)); err != nil || n != int64(len(want)) {
		t.Fatal(n, err)
	}
	if windows := len(want)/window + 1; s.calls > windows+40 {
		t.Errorf("%d calls for %d windows", s.calls, windows)
	}
	if cap(r.data) > 2*(window+2*chunker.Max) {
		t.Errorf("a window of %d bytes", cap(r.data))
	}
	s.most = 0
	if _, err := r.ReadAt(make([]byte, 10), int64(len(want)/3)); err != nil || s.most > 2 {
		t.Errorf("%d blobs for 10 bytes, %v", s.most, err)
	}
}

func TestReaderErrors(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	m, want := content(t, s, 100)
	if _, err := Open(context.Background(), &Manifest{Kind: Directory}, s.source); err == nil {
		t.Error("a directory opens")
	}
	r, _ := Open(context.Background(), m, s.source)
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("reads at -1")
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("seeks to -1")
	}
	if _, err := r.Seek(0, 3); err == nil {
		t.Error("whence 3")
	}
	wrong := file(Run{hello.ID, 12, 1})
	s.put(cas.Seal(cas.Chunk, []byte("hello world")))
	r, _ = Open(context.Background(), wrong, s.source)
	if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "11 bytes, not 12") {
		t.Errorf("a chunk of another size: %v", err)
	}
	for ref := range s.m {
		if ref.Kind == cas.Chunk {
			delete(s.m, ref)
		}
	}
	r, _ = Open(context.Background(), m, s.source)
	if n, err := r.ReadAt(make([]byte, len(want)), 0); n != 0 || !errors.Is(err, cas.ErrNotFound) {
		t.Errorf("without chunks: %d, %v", n, err)
	}
}

// TestReaderOfAHole reads from a file of 8 EiB without a buffer of that size.
func TestReaderOfAHole(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	s.put(cas.Seal(cas.Chunk, make([]byte, chunker.Min)))
	m := file(zeros(maxContent / chunker.Min))
	r, _ := Open(context.Background(), m, s.source)
	p := bytes.Repeat([]byte{1}, 5000)
	if n, err := r.ReadAt(p, int64(m.Size)-4000); n != 4000 || err != io.EOF || !bytes.Equal(p[:n], make([]byte, n)) {
		t.Errorf("%d, %v", n, err)
	}
	r, _ = Open(context.Background(), file(zeros(1000)), s.source)
	if n, err := r.ReadAt(p, 500*chunker.Min-1000); n != len(p) || err != nil || cap(r.data) > window {
		t.Errorf("%d, %v, with a window of %d bytes", n, err, cap(r.data))
	}
}

// TestReaderAfterAnError: what a reader holds stays right when a later read fails.
func TestReaderAfterAnError(t *testing.T) {
	t.Parallel()
	s := newBlobs()
	m, want := content(t, s, 5000)
	fail := 0
	r, _ := Open(context.Background(), m, func(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
		if fail--; fail == 0 {
			return cas.ErrNotFound
		}
		return s.source(ctx, refs, fn)
	})
	rapid.Check(t, func(t *rapid.T) {
		fail = rapid.IntRange(1, 5).Draw(t, "fail")
		for range 4 {
			off := rapid.IntRange(0, len(want)-1).Draw(t, "off")
			p := make([]byte, min(rapid.IntRange(1, 100_000).Draw(t, "len"), len(want)-off))
			n, err := r.ReadAt(p, int64(off))
			if err != nil && bytes.Equal(p[:n], want[off:off+n]) {
				n, err = r.ReadAt(p, int64(off))
			}
			if !bytes.Equal(p[:n], want[off:off+n]) || err != nil || n < len(p) {
				t.Fatalf("read %d of %d bytes at %d, or wrong ones, %v", n, len(p), off, err)
			}
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	for _, p := range []*Page{{Runs: []Run{zeros(3), hello}}, {Level: 1, Children: []Child{{hello.ID, 100, 3}, {zeros(1).ID, 1, 1}}}} {
		b, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePage(b)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x encodes again as %x, %v", b, again, err)
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	runs := numberedRuns(100_000)
	builder := NewBuilder(func(cas.Blob) error { return nil })
	b.ReportAllocs()
	for b.Loop() {
		build(b, builder, runs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(runs)), "ns/run")
}

func BenchmarkRuns(b *testing.B) {
	s := newBlobs()
	runs := numberedRuns(100_000)
	m := build(b, NewBuilder(s.put), runs)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Runs(context.Background(), m, s.source) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(runs)), "ns/run")
}

func BenchmarkDecodePage(b *testing.B) {
	p, err := (&Page{Runs: numberedRuns(100)}).Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := DecodePage(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	s := newBlobs()
	builder := NewBuilder(s.put)
	for i := range 1000 {
		chunk := cas.Seal(cas.Chunk, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 32<<10))
		s.put(chunk)
		builder.Add(Run{chunk.ID(), uint32(chunk.Size()), 1})
	}
	m := &Manifest{Kind: File}
	if err := builder.Finish(m); err != nil {
		b.Fatal(err)
	}
	src := func(_ context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
		for _, ref := range refs {
			if err := fn(s.m[ref]); err != nil {
				return err
			}
		}
		return nil
	}
	b.SetBytes(int64(m.Size))
	for b.Loop() {
		r, _ := Open(context.Background(), m, src)
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
