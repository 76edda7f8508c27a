package merkle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
)

// smallBits makes trees of a few hundred entries four or five levels tall.
const smallBits = 7

// model is what a tree stands for.
type model map[string]string

func (m model) paths() []string {
	return slices.SortedFunc(maps.Keys(m), Compare)
}

func (m model) entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, p := range m.paths() {
			if !yield(Entry{p, []byte(m[p])}, nil) {
				return
			}
		}
	}
}

// changes returns what leads from m to n, ascending.
func (m model) changes(n model) []Change {
	all := maps.Clone(m)
	maps.Copy(all, n)
	var cs []Change
	for _, p := range all.paths() {
		if m[p] != n[p] {
			cs = append(cs, Change{p, bytesOf(m[p]), bytesOf(n[p])})
		}
	}
	return cs
}

func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func seq[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, it := range items {
			if !yield(it, nil) {
				return
			}
		}
	}
}

func collect[T any](s iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for it, err := range s {
		if err != nil {
			return all, err
		}
		all = append(all, it)
	}
	return all, nil
}

// memory is a Source that counts, and a Sink that checks what it is given.
type memory struct {
	nodes map[cas.ID][]byte
	calls int
	reads []cas.ID
	puts  []cas.ID
}

func newMemory() *memory { return &memory{nodes: map[cas.ID][]byte{}} }

func (m *memory) Nodes(_ context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	m.calls++
	for _, id := range ids {
		data, ok := m.nodes[id]
		if !ok {
			return fmt.Errorf("node %v: %w", id, cas.ErrNotFound)
		}
		m.reads = append(m.reads, id)
		scratch := bytes.Clone(data) // spoilt after the call: nobody may keep it
		err := fn(cas.Seal(cas.Node, scratch))
		clear(scratch)
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) put(b cas.Blob) error {
	if _, ok := m.nodes[b.ID()]; ok && b.ID() != EmptyRoot() {
		return fmt.Errorf("node %v is put twice", b.ID())
	}
	var dec decoder
	if _, _, err := dec.check(b.Plain()); err != nil {
		return err
	}
	for _, id := range childrenOf(b.Plain()) {
		if _, ok := m.nodes[id]; !ok {
			return fmt.Errorf("child %v is put after its parent", id)
		}
	}
	m.nodes[b.ID()] = bytes.Clone(b.Plain())
	m.puts = append(m.puts, b.ID())
	return nil
}

func (m *memory) reset() { m.calls, m.reads, m.puts = 0, nil, nil }

// clone returns a memory with the same nodes that counts anew.
func (m *memory) clone() *memory { return &memory{nodes: maps.Clone(m.nodes)} }

func childrenOf(data []byte) []cas.ID {
	var ids []cas.ID
	var dec decoder
	if dec.reset(data, ""); dec.level > 0 {
		for dec.next() {
			ids = append(ids, dec.id)
		}
	}
	return ids
}

// reachable returns the IDs of all nodes of a tree.
func (m *memory) reachable(root cas.ID) map[cas.ID]bool {
	set := map[cas.ID]bool{}
	var visit func(cas.ID)
	visit = func(id cas.ID) {
		set[id] = true
		for _, c := range childrenOf(m.nodes[id]) {
			visit(c)
		}
	}
	visit(root)
	return set
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func build(t fataler, bits uint, m model, mem *memory) cas.ID {
	t.Helper()
	b := newBuilder(bits, mem.put)
	for e := range m.entries() {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func editSmall(t fataler, mem *memory, root cas.ID, cs []Change) cas.ID {
	t.Helper()
	r := reader{context.Background(), mem}
	got, err := edit(r, newBuilder(smallBits, mem.put), root, seq(cs))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func readBack(t fataler, mem *memory, root cas.ID) model {
	t.Helper()
	m := model{}
	prev := ""
	for e, err := range Walk(context.Background(), mem, root, "") {
		if err != nil {
			t.Fatal(err)
		}
		if prev != "" && Compare(prev, e.Path) >= 0 {
			t.Fatalf("walk yields %q after %q", e.Path, prev)
		}
		prev = e.Path
		m[e.Path] = string(e.Value)
	}
	return m
}

// randomPath draws from a space small enough that two maps share many paths.
func randomPath(rng *rand.Rand) string {
	const names = "abc\x00.~"
	p := []byte{names[rng.IntN(len(names))]}
	for rng.IntN(6) > 0 {
		if rng.IntN(3) == 0 {
			p = append(p, '/')
		}
		p = append(p, names[rng.IntN(len(names))])
	}
	return string(p)
}

func randomModel(rng *rand.Rand, n int) model {
	m := model{}
	for range 4 * n {
		if len(m) == n {
			break
		}
		m[randomPath(rng)] = randomValue(rng)
	}
	return m
}

func randomValue(rng *rand.Rand) string {
	n := 1 + rng.IntN(12)
	if rng.IntN(50) == 0 {
		n += rng.IntN(300)
	}
	return string(bytes.Repeat([]byte{byte('0' + rng.IntN(10))}, n))
}

// mutate returns m with some entries set or deleted, sparsely, in a range, or all over.
func mutate(rng *rand.Rand, m model) model {
	n := maps.Clone(m)
	paths := m.paths()
	touch := func(p string) {
		if rng.IntN(2) == 0 {
			delete(n, p)
		} else {
			n[p] = randomValue(rng)
		}
	}
	switch rng.IntN(5) {
	case 0: // a few
		for range 1 + rng.IntN(5) {
			n[randomPath(rng)] = randomValue(rng)
			if len(paths) > 0 {
				touch(paths[rng.IntN(len(paths))])
			}
		}
	case 1: // a range
		if len(paths) > 0 {
			at := rng.IntN(len(paths))
			for _, p := range paths[at : at+rng.IntN(len(paths)-at)+1] {
				delete(n, p)
			}
		}
	case 2: // a directory inserted
		dir := randomPath(rng)
		for i := range rng.IntN(1 + 2*len(paths)) {
			n[fmt.Sprintf("%s/%06d", dir, i)] = randomValue(rng)
		}
	case 3: // everywhere
		for _, p := range paths {
			if rng.IntN(3) == 0 {
				touch(p)
			}
			if rng.IntN(10) == 0 {
				n[p+"x"] = randomValue(rng)
			}
		}
	case 4: // all but one
		for i, p := range paths {
			if i != len(paths)/2 {
				delete(n, p)
			}
		}
	}
	return n
}

// check runs a property with a random generator and a size that rapid draws and prints.
func check(t *testing.T, limit int, property func(t *rapid.T, rng *rand.Rand, n int)) {
	t.Helper()
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		n := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, limit)).Draw(t, "n")
		property(t, rand.New(rand.NewPCG(seed, 0)), n)
	})
}

var errTest = errors.New("test")
