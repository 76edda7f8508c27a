package reconcile

import (
	"testing"

	"dfs/manifest"
	"dfs/server/api"
)

// TestNewerDirectory: a directory of the replica is as new as the newest file in it, and takes its path or gives way as a
// whole; of one that the head has something in place of, and no conflict says so, nothing takes the path.
func TestNewerDirectory(t *testing.T) {
	at := func(path string, ours, theirs *manifest.Manifest) api.Conflict {
		return api.Conflict{Path: path, Ours: ours, Theirs: theirs}
	}
	const wall, before, after = 5, 4, 6
	above := func(path string) string {
		if len(path) > 1 && path[0] == 'd' {
			return "d"
		}
		return ""
	}
	link := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: "x", Mtime: manifest.Time{Sec: wall}}
	times := func(path string) (manifest.Time, bool) { return link.Mtime, path == "d" || path == "h" }
	for what, test := range map[string]struct {
		list []api.Conflict
		want string // o, t or - of each
	}{
		"a newer file in it":        {[]api.Conflict{at("d", dir(before), link), at("d/e", dir(before), nil), at("d/e/f", file("f", after, 0o644), nil)}, "ooo"},
		"as new":                    {[]api.Conflict{at("d", dir(before), link), at("d/f", file("f", wall, 0o644), nil)}, "oo"},
		"older files":               {[]api.Conflict{at("d", dir(after), link), at("d/e", dir(after), nil), at("d/f", file("f", before, 0o644), nil)}, "ttt"},
		"a newer one first":         {[]api.Conflict{at("d", dir(before), link), at("d/f", file("f", after, 0o644), nil), at("d/g", file("g", before, 0o644), nil)}, "ooo"},
		"empty, newer":              {[]api.Conflict{at("d", dir(after), link), at("e", file("f", before, 0o644), link)}, "ot"},
		"empty, older":              {[]api.Conflict{at("d", dir(before), link), at("e", file("f", after, 0o644), link)}, "to"},
		"in it alone, older":        {[]api.Conflict{at("d/f", file("f", before, 0o644), nil), at("d/g", file("f", before, 0o644), nil)}, "tt"},
		"in it alone, one is newer": {[]api.Conflict{at("d/f", file("f", before, 0o644), nil), at("d/g", file("f", after, 0o644), nil)}, "--"},
		"gone at the head":          {[]api.Conflict{at("e", dir(before), nil), at("e/f", file("f", before, 0o644), nil)}, "oo"},
		"both are directories":      {[]api.Conflict{at("e", dir(before), dir(after)), at("e/f", file("f", after, 0o644), link)}, "-o"},
		"the head's, newer":         {[]api.Conflict{at("h", file("f", before, 0o644), dir(before))}, "t"},
		"the head's, as new":        {[]api.Conflict{at("h", file("f", wall, 0o644), dir(after))}, "t"},
		"the head's, older":         {[]api.Conflict{at("h", file("f", after, 0o644), dir(after))}, "-"},
		"the head's without a time": {[]api.Conflict{at("e", file("f", before, 0o644), dir(after))}, "-"},
	} {
		got := ""
		for i, d := range LWW.Settle(test.list, above, times) {
			switch {
			case d.Take == "":
				got += "-"
			case d.Result == test.list[i].Ours:
				got += "o"
			default:
				got += "t"
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, not %s", what, got, test.want)
		}
	}
}

// TestNewest: times go from the directories to the files, and before 1970.
func TestNewest(t *testing.T) {
	var n Newest
	for i, step := range []struct {
		add  *manifest.Manifest
		want int64
	}{
		{dir(-9), -9}, {dir(-7), -7}, {dir(-8), -7}, {file("f", -20, 0o644), -20}, {dir(-1), -20}, {file("f", -30, 0o644), -20}, {file("f", -10, 0o644), -10},
	} {
		if n.Add(step.add); !n.Any || n.Time.Sec != step.want {
			t.Errorf("step %d: %+v, not %d", i, n, step.want)
		}
	}
}
