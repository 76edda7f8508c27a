package server_test

import (
	"testing"

	"dfs/manifest"
	"dfs/server/api"
)

// TestTakeBoth settles conflicts with a copy: beside the path, in the path itself where the head has nothing any more, and
// beside a link that stands where the path's directory was. One that is there already is not made again.
func TestTakeBoth(t *testing.T) {
	c := newClash(t)
	directory := &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755}
	other := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: "other"}
	one := func(n byte, e api.Edit) api.Conflict {
		t.Helper()
		list := c.commit(t, n, e)
		if len(list) != 1 {
			t.Fatalf("%+v", list)
		}
		return list[0]
	}
	named := func(where string, conflict api.Conflict) string {
		name, ok := api.CopyName(where, &conflict)
		if !ok {
			t.Fatalf("no name for a copy of %q", where)
		}
		return name
	}
	c.commit(t, 10, api.Edit{Path: "d", New: directory}, api.Edit{Path: "d/e", New: directory}, api.Edit{Path: "d/e/f", New: c.theirs})
	walled := one(11, api.Edit{Path: "d/e/f", New: c.ours})
	c.commit(t, 12, api.Edit{Path: "b", Base: c.theirs.Hash()}, api.Edit{Path: "d", Base: directory.Hash(), New: c.theirs}, api.Edit{Path: "d/e", Base: directory.Hash()},
		api.Edit{Path: "d/e/f", Base: c.theirs.Hash()})
	first, gone := c.conflicts[0], c.conflicts[1]
	taken := one(13, api.Edit{Path: "a", New: other})
	c.commit(t, 14, api.Edit{Path: named("a", taken), New: other})
	for _, conflict := range []api.Conflict{first, gone, walled, taken} {
		if resp, data := c.settle(t, conflict.ID, "both", ""); resp.StatusCode != 200 {
			t.Errorf("%s: %s: %s", conflict.Path, resp.Status, data)
		}
	}
	got := map[string]string{}
	for change, err := range c.hub.Changes(t.Context(), api.ChangesRequest{Volume: c.volume}) {
		if err != nil {
			t.Fatal(err)
		}
		got[change.Path] = change.New.Target
	}
	want := map[string]string{"a": "theirs", named("a", first): "ours", "b": "ours", "d": "theirs", named("f", walled): "ours", named("a", taken): "other"}
	for path, target := range want {
		if got[path] != target {
			t.Errorf("%q leads to %q, not %q", path, got[path], target)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the head has %q", got)
	}

	whole := one(15, api.Edit{Path: "a", New: directory})
	resp, data := c.settle(t, whole.ID, "both", "")
	wantRefusal(t, "a directory", resp, data, 400, api.ErrInvalid)
	another := one(16, api.Edit{Path: "a", New: &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: "another"}})
	c.commit(t, 17, api.Edit{Path: named("a", another), New: other})
	resp, data = c.settle(t, another.ID, "both", "")
	wantRefusal(t, "the copy's name is taken", resp, data, 409, api.ErrExists)
}
