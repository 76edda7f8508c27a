package merkle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
)

var ctx = context.Background()

func TestCompare(t *testing.T) {
	ordered := []string{"", "/", "a", "a/", "a/\x00", "a/b", "a/b/c", "a/b\x00", "a/bc", "a\x00", "a b", "a.", "aa", "b", "\xff"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := Compare(a, b), min(1, max(-1, i-j)); got != want {
				t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.StringOfN(rapid.RuneFrom([]rune("/a\x01")), 0, 30, -1)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if got, want := Compare(a, b), slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")); got != want {
			t.Fatalf("Compare(%q, %q) = %d, by components %d", a, b, got, want)
		}
		within := a == "" || b == a || strings.HasPrefix(b, a+"/")
		if got := side(span(a), b); (got == 0) != within || !within && got != Compare(b, a) {
			t.Fatalf("side(%q, %q) = %d", a, b, got)
		}
	})
}

func TestEverySize(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 301 {
		m := randomModel(rng, n)
		mem := newMemory()
		root := build(t, smallBits, m, mem)
		if got := readBack(t, mem, root); !maps.Equal(got, m) {
			t.Fatalf("%d entries: walk yields %d others", n, len(got))
		}
		if got, err := Len(ctx, mem, root); err != nil || got != uint64(len(m)) {
			t.Fatalf("Len = %d, %v; want %d", got, err, len(m))
		}
		if got := mem.reachable(root); len(got) != len(mem.puts) {
			t.Fatalf("%d entries: %d nodes put, %d reachable", n, len(mem.puts), len(got))
		}
		// Emptied, filled and shrunk one by one, the tree is the same.
		if got := editSmall(t, mem.clone(), root, m.changes(model{})); got != EmptyRoot() {
			t.Fatalf("%d entries: emptied root is %v", n, got)
		}
		empty := newMemory()
		if got := editSmall(t, empty, EmptyRoot(), model{}.changes(m)); got != root {
			t.Fatalf("%d entries: filled root differs", n)
		}
		if paths := m.paths(); n > 0 {
			p := paths[rng.IntN(len(paths))]
			less := maps.Clone(m)
			delete(less, p)
			if editSmall(t, mem.clone(), root, m.changes(less)) != build(t, smallBits, less, newMemory()) {
				t.Fatalf("%d entries: root without %q differs", n, p)
			}
		}
	}
}

func TestEditEqualsRebuild(t *testing.T) {
	check(t, 3000, func(t *rapid.T, rng *rand.Rand, n int) {
		m := randomModel(rng, n)
		mem := newMemory()
		root := build(t, smallBits, m, mem)
		for range 4 {
			next := mutate(rng, m)
			fresh := newMemory()
			want := build(t, smallBits, next, fresh)
			work := mem.clone() // refuses nodes that the old tree has
			if got := editSmall(t, work, root, m.changes(next)); got != want {
				t.Fatalf("edit of %d into %d entries: root %v, rebuilt %v", len(m), len(next), got, want)
			}
			for _, id := range work.puts {
				if fresh.nodes[id] == nil {
					t.Fatalf("edit puts %v, which is not in the new tree", id)
				}
			}
			for id := range fresh.nodes {
				if work.nodes[id] == nil {
					t.Fatalf("edit does not put %v", id)
				}
			}
			if root == want && len(work.puts) > 0 {
				t.Fatalf("the root stays and %d nodes are put", len(work.puts))
			}
			m, root, mem = next, want, fresh
		}
	})
}

// What is left of a tree's end is a root of its own, however its nodes lay.
func TestEditKeepsEnd(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 8))
	for range 150 {
		m := randomModel(rng, 20+rng.IntN(200))
		mem := newMemory()
		root := build(t, smallBits, m, mem)
		paths := m.paths()
		for k := 1; k < 20; k++ {
			end := model{}
			for _, p := range paths[len(paths)-k:] {
				end[p] = m[p]
			}
			if editSmall(t, mem.clone(), root, m.changes(end)) != build(t, smallBits, end, newMemory()) {
				t.Fatalf("the last %d of %d entries have another root when built", k, len(m))
			}
		}
	}
}

// Equal maps have equal roots, whatever the batches that they were made in.
func TestHistoryIndependence(t *testing.T) {
	check(t, 800, func(t *rapid.T, rng *rand.Rand, n int) {
		m := randomModel(rng, n)
		want := build(t, smallBits, m, newMemory())
		cur, mem, root := model{}, newMemory(), EmptyRoot()
		mem.nodes[root] = emptyNode()
		left := m.paths()
		rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		for len(left) > 0 {
			next := maps.Clone(cur)
			k := 1 + rng.IntN(len(left))
			for _, p := range left[:k] {
				next[p] = m[p]
			}
			if rng.IntN(2) == 0 { // a detour, undone below
				next = mutate(rng, next)
			}
			work := mem.clone()
			root = editSmall(t, work, root, cur.changes(next))
			// Only this tree's nodes stay: the next edit may well make older ones again.
			mem = newMemory()
			for id := range work.reachable(root) {
				mem.nodes[id] = work.nodes[id]
			}
			cur, left = next, left[k:]
		}
		if got := editSmall(t, mem, root, cur.changes(m)); got != want {
			t.Fatalf("root %v, built at once %v", got, want)
		}
	})
}

func TestEditNoChange(t *testing.T) {
	t.Parallel()
	m := randomModel(rand.New(rand.NewPCG(2, 2)), 1000)
	mem := newMemory()
	root := build(t, smallBits, m, mem)
	var cs []Change
	for i, p := range m.paths() {
		if i%7 == 0 {
			cs = append(cs, Change{Path: p, New: []byte(m[p])})
		}
		if absent := p + "/\x01"; m[absent] == "" && i%5 == 0 {
			cs = append(cs, Change{Path: absent}, Change{Path: absent + "x", New: []byte{}})
		}
	}
	slices.SortFunc(cs, func(a, b Change) int { return Compare(a.Path, b.Path) })
	for _, cs := range [][]Change{cs, cs[:1], cs[len(cs)-1:], {{Path: "\xff"}}} {
		mem.reset()
		if got := editSmall(t, mem, root, cs); got != root || len(mem.puts) > 0 {
			t.Errorf("%d edits without effect: root changes %v, %d nodes put", len(cs), got != root, len(mem.puts))
		}
	}
	mem.reset()
	if got, err := Edit(ctx, mem, root, seq[Change](nil), nil); got != root || err != nil || mem.calls > 0 {
		t.Errorf("no edits: %v, %v after %d reads", got, err, mem.calls)
	}
	if got := editSmall(t, newMemory(), EmptyRoot(), []Change{{Path: "a"}}); got != EmptyRoot() {
		t.Errorf("a delete makes of the empty tree %v", got)
	}
}

// fileModel has n entries as a file system would: 60-byte values, 20 files a directory.
func fileModel(n int) model {
	m := model{}
	for i := range n {
		m[filePath(i)] = fileValue(i)
	}
	return m
}

func filePath(i int) string {
	return fmt.Sprintf("projects/group-%03d/module-%04d/source_file_%05d.go", i/2000, i/20, i)
}

func fileValue(i int) string {
	id := cas.Sum(fmt.Append(nil, i))
	return string(id[:]) + strings.Repeat("m", 28)
}

func TestEditReadsOnlyTouchedPaths(t *testing.T) {
	t.Parallel()
	m := fileModel(50000)
	mem := newMemory()
	root := build(t, targetBits, m, mem)
	total := len(mem.puts)
	paths := m.paths()
	rng := rand.New(rand.NewPCG(3, 3))
	reads, puts := 0, 0
	const rounds = 100
	for i := range rounds {
		p := paths[rng.IntN(len(paths))]
		edits := []Change{{Path: p, New: []byte(fileValue(-i))}} // of the same size: cuts stay
		if i%2 == 0 {
			edits = []Change{{Path: p + "+", New: []byte("new")}}
		}
		work := mem.clone()
		if _, err := Edit(ctx, work, root, seq(edits), work.put); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 && len(work.reads) != 3 {
			t.Errorf("setting a value read %d nodes of a tree of 3 levels", len(work.reads))
		}
		reads += len(work.reads)
		puts += len(work.puts)
	}
	if reads > 4*rounds || puts > 4*rounds {
		t.Errorf("%d single edits in %d nodes read %d nodes and put %d", rounds, total, reads, puts)
	}
	work := mem.clone()
	var first, all []Change
	for _, p := range paths {
		all = append(all, Change{Path: p, New: []byte("new")})
	}
	if _, err := Edit(ctx, work, root, seq(all), work.put); err != nil {
		t.Fatal(err)
	}
	if len(work.reads) != total {
		t.Errorf("editing everything read %d of %d nodes", len(work.reads), total)
	}
	work = mem.clone()
	for _, p := range paths[:1000] {
		first = append(first, Change{Path: p})
	}
	if _, err := Edit(ctx, work, root, seq(first), work.put); err != nil {
		t.Fatal(err)
	}
	if limit := total/50 + 10; len(work.reads) > limit {
		t.Errorf("deleting a fiftieth read %d of %d nodes", len(work.reads), total)
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	mem := newMemory()
	root := build(t, smallBits, model{"a": "1", "b": "2"}, mem)
	long := strings.Repeat("x", MaxPath+1)
	for name, cs := range map[string][]Change{
		"empty path":   {{Path: ""}},
		"long path":    {{Path: long, New: []byte("1")}},
		"long value":   {{Path: "c", New: make([]byte, MaxValue+1)}},
		"descending":   {{Path: "b"}, {Path: "a"}},
		"same twice":   {{Path: "b"}, {Path: "b"}},
		"order of '/'": {{Path: "a b"}, {Path: "a/b"}},
	} {
		if _, err := Edit(ctx, mem, root, seq(cs), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	failing := func(yield func(Change, error) bool) { yield(Change{}, errTest) }
	if _, err := Edit(ctx, mem, root, failing, nil); !errors.Is(err, errTest) {
		t.Errorf("failing edits: %v", err)
	}
	sink := func(cas.Blob) error { return errTest }
	if _, err := Edit(ctx, mem, root, seq([]Change{{Path: "a"}}), sink); !errors.Is(err, errTest) {
		t.Errorf("failing sink: %v", err)
	}
}

func TestDiff(t *testing.T) {
	check(t, 3000, func(t *rapid.T, rng *rand.Rand, n int) {
		m := randomModel(rng, n)
		next := mutate(rng, m)
		if rng.IntN(4) == 0 {
			next = randomModel(rng, rng.IntN(n+1))
		}
		mem := newMemory()
		old := build(t, smallBits, m, mem)
		fresh := newMemory()
		new := build(t, smallBits, next, fresh)
		maps.Copy(mem.nodes, fresh.nodes)
		mem.reset()
		got, err := collect(Diff(ctx, mem, old, new))
		if err != nil {
			t.Fatal(err)
		}
		equalChanges(t, got, m.changes(next))
		inOld, inNew := mem.reachable(old), mem.reachable(new)
		seen := map[cas.ID]bool{}
		for _, id := range mem.reads {
			// A root may stand lower in the other tree; long runs are TestDiffLongRun's.
			if id == old || id == new || len(got) >= ahead {
				continue
			}
			if inOld[id] && inNew[id] {
				t.Fatalf("diff of %d and %d entries reads %v, which both have", len(m), len(next), id)
			}
			if seen[id] {
				t.Fatalf("diff reads %v twice", id)
			}
			seen[id] = true
		}
		if old == new && mem.calls > 0 {
			t.Fatal("diff of equal roots reads")
		}
	})
}

func equalChanges(t fataler, got, want []Change) {
	t.Helper()
	equal := slices.EqualFunc(got, want, func(a, b Change) bool {
		return a.Path == b.Path && bytes.Equal(a.Old, b.Old) && bytes.Equal(a.New, b.New) &&
			(a.Old == nil) == (b.Old == nil) && (a.New == nil) == (b.New == nil)
	})
	if !equal {
		t.Fatalf("diff yields %d changes, want %d", len(got), len(want))
	}
}

// A long run of insertions makes Diff stop looking for the next common node,
// and stays right.
func TestDiffLongRun(t *testing.T) {
	t.Parallel()
	m := fileModel(2000)
	next := maps.Clone(m)
	for i := range 20000 {
		next[fmt.Sprintf("projects/group-000/module-0050/x%06d", i)] = "v"
	}
	mem := newMemory()
	old := build(t, smallBits, m, mem)
	fresh := newMemory()
	new := build(t, smallBits, next, fresh)
	maps.Copy(mem.nodes, fresh.nodes)
	for _, way := range []struct {
		from, to model
		a, b     cas.ID
	}{{m, next, old, new}, {next, m, new, old}} {
		mem.reset()
		var got []Change
		d := differ{reader: reader{ctx, mem}}
		if err := d.run(way.a, way.b, func(c Change) bool { got = append(got, c); return true }); err != nil {
			t.Fatal(err)
		}
		for level, s := range d.stages {
			if n := max(cap(s[0].refs), cap(s[1].refs)); n > 2*(ahead+batch) {
				t.Errorf("level %d listed up to %d nodes", level, n)
			}
		}
		equalChanges(t, got, way.from.changes(way.to))
		both := 0
		inOld, inNew := mem.reachable(old), mem.reachable(new)
		for _, id := range mem.reads {
			if inOld[id] && inNew[id] {
				both++
			}
		}
		if limit := len(mem.reads) / 50; both > limit {
			t.Errorf("%d of %d nodes read are common, more than %d", both, len(mem.reads), limit)
		}
		if limit := len(mem.reads) / 8; mem.calls > limit {
			t.Errorf("%d nodes read in %d calls, more than %d", len(mem.reads), mem.calls, limit)
		}
	}
}

func TestWalkPrefix(t *testing.T) {
	check(t, 2000, func(t *rapid.T, rng *rand.Rand, n int) {
		m := randomModel(rng, n)
		mem := newMemory()
		root := build(t, smallBits, m, mem)
		for range 5 {
			prefix := randomPath(rng)
			got, err := collect(Walk(ctx, mem, root, prefix))
			if err != nil {
				t.Fatal(err)
			}
			var want []Entry
			for e := range m.entries() {
				if e.Path == prefix || strings.HasPrefix(e.Path, prefix+"/") {
					want = append(want, e)
				}
			}
			if !slices.EqualFunc(got, want, func(a, b Entry) bool { return a.Path == b.Path && bytes.Equal(a.Value, b.Value) }) {
				t.Fatalf("walk of %q yields %d entries, want %d", prefix, len(got), len(want))
			}
		}
	})
}

func TestWalkReads(t *testing.T) {
	t.Parallel()
	mem := newMemory()
	root := build(t, targetBits, fileModel(50000), mem)
	total := len(mem.puts)
	mem.reset()
	if all, err := collect(Walk(ctx, mem, root, "")); err != nil || len(all) != 50000 {
		t.Fatalf("walk yields %d entries, %v", len(all), err)
	}
	if len(mem.reads) != total || mem.calls > total/16 {
		t.Errorf("walk reads %d of %d nodes in %d calls", len(mem.reads), total, mem.calls)
	}
	mem.reset()
	if dir, err := collect(Walk(ctx, mem, root, "projects/group-007/module-0700")); err != nil || len(dir) != 20 {
		t.Fatalf("walk of a directory yields %d entries, %v", len(dir), err)
	}
	if len(mem.reads) > 4 {
		t.Errorf("walk of a directory of 20 reads %d nodes", len(mem.reads))
	}
	mem.reset()
	for range Walk(ctx, mem, root, "") {
		break
	}
	if len(mem.reads) > 2*batch+1 {
		t.Errorf("a walk left at once reads %d nodes", len(mem.reads))
	}
}

func TestCursor(t *testing.T) {
	check(t, 1000, func(t *rapid.T, rng *rand.Rand, n int) {
		m := randomModel(rng, n)
		mem := newMemory()
		root := build(t, smallBits, m, mem)
		paths := m.paths()
		c := NewCursor(ctx, mem, root)
		for i := range 200 {
			p := randomPath(rng)
			if len(paths) > 0 && i%2 == 0 {
				p = paths[rng.IntN(len(paths))]
			}
			v, ok, err := c.Get(p)
			if err != nil || ok != (m[p] != "") || string(v) != m[p] {
				t.Fatalf("Get(%q) = %q, %v, %v; want %q", p, v, ok, err, m[p])
			}
			p = randomPath(rng)
			at, _ := slices.BinarySearchFunc(paths, p, Compare)
			e, ok, err := c.Next(p)
			if err != nil || ok != (at < len(paths)) || ok && (e.Path != paths[at] || string(e.Value) != m[paths[at]]) {
				t.Fatalf("Next(%q) = %q, %v, %v at %d of %d", p, e.Path, ok, err, at, len(paths))
			}
		}
		mem.reset()
		c = NewCursor(ctx, mem, root)
		var walked []string
		for e, ok, err := c.Next(""); ok || err != nil; e, ok, err = c.Next(e.Path + "/") {
			if err != nil {
				t.Fatal(err)
			}
			walked = append(walked, e.Path)
		}
		if !slices.Equal(walked, paths) {
			t.Fatalf("Next yields %d paths of %d", len(walked), len(paths))
		}
		if all := len(mem.reachable(root)); len(mem.reads) > all {
			t.Fatalf("ascending reads %d of %d nodes", len(mem.reads), all)
		}
	})
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	v := []byte("v")
	for name, es := range map[string][]Entry{
		"empty path":     {{"", v}},
		"long path":      {{strings.Repeat("x", MaxPath+1), v}},
		"nil value":      {{"a", nil}},
		"long value":     {{"a", make([]byte, MaxValue+1)}},
		"descending":     {{"b", v}, {"a", v}},
		"same":           {{"a", v}, {"a", v}},
		"prefix after":   {{"a/b", v}, {"a", v}},
		"bytewise order": {{"a b", v}, {"a/b", v}},
	} {
		if _, err := Build(seq(es), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Build(seq([]Entry{{"a", v}, {"a/b", v}, {"a b", v}}), nil); err != nil {
		t.Error(err)
	}
	sink := func(cas.Blob) error { return errTest }
	for _, es := range [][]Entry{nil, {{"a", v}}} {
		if _, err := Build(seq(es), sink); !errors.Is(err, errTest) {
			t.Errorf("failing sink: %v", err)
		}
	}
	b := NewBuilder(nil)
	first := b.Add(Entry{"a", nil})
	if err := b.Add(Entry{"b", v}); err == nil || err != first {
		t.Errorf("after %v an Add says %v", first, err)
	}
	if _, err := b.Finish(); err != first {
		t.Errorf("after %v Finish says %v", first, err)
	}
}

func TestBuildAllocatesNothingPerEntry(t *testing.T) {
	entries := make([]Entry, 50000)
	for i := range entries {
		entries[i] = Entry{filePath(i), []byte(fileValue(i))}
	}
	allocs := testing.AllocsPerRun(1, func() {
		if _, err := Build(seq(entries), nil); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 100 {
		t.Errorf("%v allocations for %d entries", allocs, len(entries))
	}
}

func TestStoreSource(t *testing.T) {
	t.Parallel()
	store := &cas.Mem{}
	vol, stranger := cas.VolumeID{1}, cas.VolumeID{2}
	put := func(b cas.Blob) error {
		return store.Put(ctx, vol, []cas.Blob{cas.Seal(cas.Node, bytes.Clone(b.Plain()))})
	}
	m := fileModel(2000)
	root, err := Build(m.entries(), put)
	if err != nil {
		t.Fatal(err)
	}
	src := StoreSource{store, cas.Scope{Volumes: []cas.VolumeID{vol}}}
	if all, err := collect(Walk(ctx, src, root, "")); err != nil || len(all) != len(m) {
		t.Errorf("walk yields %d entries, %v", len(all), err)
	}
	src.Scope.Volumes[0] = stranger
	if _, err := collect(Walk(ctx, src, root, "")); !errors.Is(err, cas.ErrNotFound) {
		t.Errorf("a stranger's walk: %v", err)
	}
}

func TestDiffReadsBothTreesInOneCall(t *testing.T) {
	t.Parallel()
	mem := newMemory()
	old := build(t, targetBits, fileModel(50000), mem)
	new, err := Edit(ctx, mem, old, seq([]Change{{Path: filePath(33333), New: []byte(fileValue(-1))}}), mem.put)
	if err != nil {
		t.Fatal(err)
	}
	mem.reset()
	if cs, err := collect(Diff(ctx, mem, old, new)); len(cs) != 1 || err != nil {
		t.Fatalf("%d changes, %v", len(cs), err)
	}
	if mem.calls != 3 || len(mem.reads) != 6 {
		t.Errorf("%d nodes read in %d calls, want two a level of 3 and a call a level", len(mem.reads), mem.calls)
	}
}
