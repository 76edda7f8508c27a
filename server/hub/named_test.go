package hub

import (
	"strings"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// TestNamesOfFormerConflicts opens a repository in which no conflict, or none after the first, has the key of its ID, as
// a version that had none left it, or as it is when the making of these is cut short.
func TestNamesOfFormerConflicts(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{0, 1} {
		dir, mem := t.TempDir(), &cas.Mem{}
		h := openTest(t, dir, mem, Options{})
		v := newTestVolume(t, h)
		if _, err := h.CreateVolume(t.Context(), "other", randomID()); err != nil {
			t.Fatal(err)
		}
		a, b := newClient(h, v), newClient(h, v)
		theirs, ours := edits{}, edits{}
		for _, path := range []string{"a", "b", strings.Repeat("\xff", 255)} {
			theirs[path], ours[path] = link("theirs"), link("ours")
		}
		a.must(t, theirs)
		answer, err := b.commit(t.Context(), ours)
		if err != nil || len(answer.Conflicts) != len(ours) {
			t.Fatalf("%+v: %v", answer, err)
		}
		for _, c := range answer.Conflicts[kept:] {
			if err := h.meta.write(kv{key: namedKey(v, c.ID[:])}); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		h = openTest(t, dir, mem, Options{})
		for _, c := range answer.Conflicts {
			got, err := collect(h.Conflicts(t.Context(), api.ConflictsRequest{Volume: v, ID: c.ID.String()}))
			if err != nil || len(got) != 1 || got[0].Path != c.Path {
				t.Errorf("%d kept: the conflict at %q: %+v, %v", kept, c.Path, got, err)
			}
		}
	}
}
