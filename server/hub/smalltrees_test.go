package hub

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// smallTrees returns all trees of the names, in path order, each of which is absent or a file, another, a
// symlink or a directory.
func smallTrees(names []string) []tree {
	one, _ := file("1")
	two, _ := file("2")
	trees := []tree{{}}
	for _, name := range names {
		for _, small := range trees {
			if i := strings.LastIndexByte(name, '/'); i >= 0 && api.StandingOf(small[name[:i]]) != api.IsDirectory {
				continue
			}
			for _, m := range []*manifest.Manifest{one, two, link("x"), dir(0o700, 1)} {
				larger := maps.Clone(small)
				larger[name] = m
				trees = append(trees, larger)
			}
		}
	}
	return trees
}

// decided returns what a decider makes of edits.
func decided(src merkle.Source, head tree, headRoot, seenRoot cas.ID, list []api.Edit) (outcome, error) {
	d := newDecider(context.Background(), src, headRoot, []cas.ID{seenRoot})
	for _, e := range list {
		if err := d.add(e); err != nil {
			return outcome{}, err
		}
	}
	if err := d.finish(); err != nil {
		return outcome{}, err
	}
	out := outcome{head: maps.Clone(head), kept: d.kept}
	for i, e := range list {
		switch {
		case d.fates[i] != applied:
		case e.New == nil:
			delete(out.head, e.Path)
		default:
			out.head[e.Path] = e.New
		}
	}
	for i, c := range d.extra {
		if i > 0 && merkle.Compare(d.extra[i-1].Path, c.Path) >= 0 {
			return outcome{}, fmt.Errorf("%q comes after %q", c.Path, d.extra[i-1].Path)
		}
		m, err := manifest.Decode(c.New)
		if err != nil {
			return outcome{}, err
		}
		out.head[c.Path] = m
	}
	for _, c := range d.clashes {
		out.conflicts = append(out.conflicts, c.Path)
	}
	return out, nil
}

// TestSmallTrees goes through all small trees that base, head and a replica can have, and compares what becomes
// of the replica's edits with the reference.
func TestSmallTrees(t *testing.T) {
	t.Parallel()
	sets := [][]string{{"a", "a/b", "a/b/c"}, {"a", "a/b", "a/c"}}
	if !testing.Short() {
		sets = append(sets, []string{"a", "a!", "a/b"})
	}
	mem, v := new(cas.Mem), randomID()
	src := merkle.StoreSource{Store: mem, Scope: own(v)}
	for _, names := range sets {
		trees := smallTrees(names)
		roots := make([]cas.ID, len(trees))
		for i, small := range trees {
			var err error
			roots[i], err = buildTree(small, func(b cas.Blob) error {
				return mem.Put(context.Background(), v, []cas.Blob{cas.Seal(cas.Node, slices.Clone(b.Plain()))})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for b, base := range trees {
			for _, ours := range trees {
				list := diffEdits(base, ours)
				for h, head := range trees {
					got, err := decided(src, head, roots[h], roots[b], list)
					if err != nil {
						t.Fatal(err)
					}
					want := reference(head, base, list)
					if !maps.EqualFunc(got.head, want.head, manifest.Equal) || !slices.Equal(got.conflicts, want.conflicts) || !slices.Equal(got.kept, want.kept) {
						t.Fatalf("base %s\nhead %s\nours %s\nhead %s, conflicts %q, kept %q\nnot %s, %q, %q", describe(base), describe(head), describe(ours),
							describe(got.head), got.conflicts, got.kept, describe(want.head), want.conflicts, want.kept)
					}
				}
			}
		}
		t.Logf("%q: %d trees, all three of them", names, len(trees))
	}
}
