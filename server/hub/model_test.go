package hub

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// tree is a volume's tree as a plain map.
type tree map[string]*manifest.Manifest

// outcome is what a commit does, by the reference below.
type outcome struct {
	head            tree
	conflicts, kept []string
}

// reference applies edits to a head by the rules of the package, with whole maps
// and in several passes: first each path for itself, then what is created from
// the top down, then what is removed from the bottom up.
func reference(head, seen tree, list []api.Edit) outcome {
	out := outcome{head: maps.Clone(head)}
	removals := make(map[string]api.Edit) // of head's directories
	for _, e := range list {
		want, verdict := decideAlone(head[e.Path], seen[e.Path], e)
		switch {
		case verdict == api.TakeNone:
			out.conflicts = append(out.conflicts, e.Path)
		case verdict == api.TakeEdit && e.New == nil:
			out.kept = append(out.kept, e.Path)
		case api.StandingOf(head[e.Path]) == api.IsDirectory && api.StandingOf(want) != api.IsDirectory:
			removals[e.Path] = e
		case want == nil:
			delete(out.head, e.Path)
		case head[e.Path] == nil && !out.makeParents(seen, e.Path, want):
			out.conflicts = append(out.conflicts, e.Path)
		default:
			out.head[e.Path] = want
		}
	}
	for _, p := range slices.Backward(slices.SortedFunc(maps.Keys(removals), merkle.Compare)) {
		e := removals[p]
		switch inhabited := out.inhabited(p); {
		case inhabited && e.New == nil:
			out.kept = append(out.kept, p)
		case inhabited:
			out.conflicts = append(out.conflicts, p)
		case e.New == nil:
			delete(out.head, p)
		default:
			out.head[p] = e.New
		}
	}
	slices.SortFunc(out.conflicts, merkle.Compare)
	slices.Sort(out.kept)
	return out
}

func decideAlone(head, seen *manifest.Manifest, e api.Edit) (*manifest.Manifest, api.Verdict) {
	if seen.Hash() != e.Base {
		seen = nil
	}
	switch {
	case manifest.Equal(head, e.New):
		return head, api.TakeSame
	case head.Hash() == e.Base:
		return e.New, api.TakeOurs
	case e.New == nil && seen == nil:
		return head, api.TakeEdit
	}
	return api.Merge(seen, e.New, head)
}

func (o *outcome) inhabited(dir string) bool {
	for p := range o.head {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

func (o *outcome) makeParents(seen tree, p string, m *manifest.Manifest) bool {
	var parents []string
	for i, c := range p {
		if c == '/' {
			parents = append(parents, p[:i])
		}
	}
	for _, dir := range parents {
		if api.StandingOf(o.head[dir]) == api.NotDirectory {
			return false
		}
	}
	for _, d := range parents {
		switch {
		case o.head[d] != nil:
		case api.StandingOf(seen[d]) == api.IsDirectory:
			o.head[d] = seen[d]
		default:
			o.head[d] = dir(0o755, m.Mtime.Sec)
		}
	}
	return true
}

// drawManifest draws what an entry may be, mostly a file; its chunk is among chunks.
func drawManifest(t *rapid.T) *manifest.Manifest {
	mode := rapid.SampledFrom([]uint16{0o600, 0o644}).Draw(t, "mode")
	mtime := rapid.Int64Range(1, 3).Draw(t, "mtime")
	switch rapid.SampledFrom([]string{"file", "file", "directory", "directory", "link"}).Draw(t, "kind") {
	case "directory":
		return dir(mode, mtime)
	case "link":
		return link(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "target"))
	}
	m, _ := file(rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "content"))
	m.Mode, m.Mtime.Sec = mode, mtime
	return m
}

func drawPath(t *rapid.T) string {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a!"}), 1, 3).Draw(t, "path")
	return strings.Join(names, "/")
}

// drawLocal changes a working tree as a user would: what has no directory is not made,
// and what loses its directory goes.
func drawLocal(t *rapid.T, local tree) {
	p := drawPath(t)
	if i := strings.LastIndexByte(p, '/'); i >= 0 && api.StandingOf(local[p[:i]]) != api.IsDirectory {
		return
	}
	delete(local, p)
	if rapid.IntRange(0, 3).Draw(t, "delete") > 0 {
		local[p] = drawManifest(t)
	}
	for below := range local {
		if strings.HasPrefix(below, p+"/") && api.StandingOf(local[p]) != api.IsDirectory {
			delete(local, below)
		}
	}
}

// drawWild draws edits that no honest client would send.
func drawWild(t *rapid.T, head, seen tree) []api.Edit {
	wild := make(map[string]api.Edit)
	for range rapid.IntRange(1, 6).Draw(t, "wild") {
		e := api.Edit{Path: drawPath(t)}
		switch rapid.IntRange(0, 2).Draw(t, "base") {
		case 1:
			e.Base = head[e.Path].Hash()
		case 2:
			e.Base = seen[e.Path].Hash()
		}
		if rapid.Bool().Draw(t, "set") {
			e.New = drawManifest(t)
		}
		wild[e.Path] = e
	}
	return slices.SortedFunc(maps.Values(wild), func(a, b api.Edit) int { return merkle.Compare(a.Path, b.Path) })
}

func diffEdits(base, local tree) []api.Edit {
	var list []api.Edit
	for p := range base {
		if local[p] == nil {
			list = append(list, api.Edit{Path: p, Base: base[p].Hash()})
		}
	}
	for p, m := range local {
		if !manifest.Equal(base[p], m) {
			list = append(list, api.Edit{Path: p, Base: base[p].Hash(), New: m})
		}
	}
	slices.SortFunc(list, func(a, b api.Edit) int { return merkle.Compare(a.Path, b.Path) })
	return list
}

// modelReplica is a replica with its working tree.
type modelReplica struct {
	*client
	local tree
}

// push stages list in some parts, sends what is missing, and commits, perhaps twice.
func (r *modelReplica) push(t *rapid.T, list []api.Edit) (api.CommitAnswer, error) {
	ctx := context.Background()
	s, err := r.start(ctx, randomID())
	if err != nil {
		return api.CommitAnswer{}, err
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID(), Seen: r.seen.Snapshot}
	for n := rapid.IntRange(0, 2).Draw(t, "parts"); req.Parts < n; req.Parts++ {
		size := rapid.IntRange(0, len(list)).Draw(t, "size")
		diff := api.DiffRequest{Session: s.Session, Part: req.Parts, Edits: list[:size]}
		list = list[size:]
		answer, err := r.hub.Diff(ctx, diff)
		if err != nil {
			return api.CommitAnswer{}, err
		}
		var blobs []cas.Blob
		for i, ref := range diff.Names() {
			if answer.Missing[i] {
				blobs = append(blobs, chunkOf(ref.ID))
			}
		}
		if err := r.hub.Upload(ctx, s.Session, blobs); err != nil {
			return api.CommitAnswer{}, err
		}
	}
	req.Edits = list
	for _, ref := range api.EditNames(list) {
		req.Blobs = append(req.Blobs, chunkOf(ref.ID))
	}
	answer, err := r.hub.Commit(ctx, req)
	if err == nil && rapid.Bool().Draw(t, "lost answer") {
		answer, err = r.hub.Commit(ctx, req)
	}
	return answer, err
}

// chunkOf returns the chunk of drawManifest with that ID.
func chunkOf(id cas.ID) cas.Blob {
	for _, content := range []string{"1", "2", "3", "4"} {
		if _, b := file(content); b.ID() == id {
			return b
		}
	}
	panic("no chunk of the model")
}

func (h *Hub) headTree(v cas.VolumeID) (tree, error) {
	c := newClient(h, v)
	err := c.pull(context.Background())
	return c.base, err
}

func checkStep(h *Hub, v cas.VolumeID, want outcome, answer api.CommitAnswer) error {
	got, err := h.headTree(v)
	if err != nil {
		return err
	}
	if describe(got) != describe(want.head) {
		return fmt.Errorf("head\n%s\nnot\n%s", describe(got), describe(want.head))
	}
	var conflicts []string
	for _, c := range answer.Conflicts {
		conflicts = append(conflicts, c.Path)
	}
	if !slices.Equal(conflicts, want.conflicts) || !slices.Equal(answer.Kept, want.kept) {
		return fmt.Errorf("conflicts %q and kept %q, not %q and %q", conflicts, answer.Kept, want.conflicts, want.kept)
	}
	return h.Check(context.Background(), v)
}

// TestModel has replicas with bases of any age push, and compares each step with the reference.
func TestModel(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	rapid.Check(t, func(t *rapid.T) {
		id := randomID()
		created, err := h.CreateVolume(context.Background(), "of "+id.String(), id)
		if err != nil {
			t.Fatal(err)
		}
		replicas := make([]*modelReplica, 3)
		for i := range replicas {
			replicas[i] = &modelReplica{newClient(h, id), tree{}}
			replicas[i].seen = created.Head
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			r := rapid.SampledFrom(replicas).Draw(t, "replica")
			if rapid.Bool().Draw(t, "pull") {
				if err := r.pull(context.Background()); err != nil {
					t.Fatal(err)
				}
				r.local = maps.Clone(r.base)
			}
			for range rapid.IntRange(0, 5).Draw(t, "changes") {
				drawLocal(t, r.local)
			}
			head, err := h.headTree(id)
			if err != nil {
				t.Fatal(err)
			}
			list := diffEdits(r.base, r.local)
			if rapid.IntRange(0, 3).Draw(t, "honest") == 0 {
				list = drawWild(t, head, r.base)
			}
			answer, err := r.push(t, list)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkStep(h, id, reference(head, r.base, list), answer); err != nil {
				t.Fatalf("base %s\nhead %s\nedits %+v\n%v", describe(r.base), describe(head), list, err)
			}
		}
	})
}
