package api

import (
	"path"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dfs/manifest"
	"dfs/merkle"
)

// parents is Parents by a map of what was noted.
func parents(noted map[string]Standing, of string) (absent []string, ok bool) {
	for dir := path.Dir(of); dir != "."; dir = path.Dir(dir) {
		standing, known := noted[dir]
		switch {
		case known && standing == NotDirectory:
			return nil, false
		case known && standing == Absent:
			absent = append(absent, dir)
		}
	}
	slices.Reverse(absent)
	return absent, true
}

// TestWayAgainstMap goes through random trees, with random entries noted when they are met or only
// when something below is, and absent ones made directories.
func TestWayAgainstMap(t *testing.T) {
	name := rapid.StringMatching(`[a!-]{1,2}`)
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOf(rapid.Map(rapid.SliceOfN(name, 1, 5), func(names []string) string { return path.Join(names...) })).Draw(t, "paths")
		slices.SortFunc(paths, merkle.Compare)
		var way Way[string]
		noted := map[string]Standing{}
		note := func(p string) {
			s := rapid.SampledFrom([]Standing{Absent, Absent, IsDirectory, NotDirectory}).Draw(t, p)
			way.Note(Step[string]{Path: p, Standing: s, Of: p})
			if _, known := noted[p]; !known {
				noted[p] = s
			}
		}
		for _, p := range slices.Compact(paths) {
			way.Reach(p)
			for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
				if rapid.Bool().Draw(t, "note above") {
					note(dir)
				}
			}
			absent, ok := way.Parents()
			want, wantOK := parents(noted, p)
			var got []string
			for _, s := range absent {
				if s.Of != s.Path {
					t.Fatalf("%q is noted with what is known of %q", s.Path, s.Of)
				}
				got = append(got, s.Path)
			}
			if ok != wantOK || !slices.Equal(got, want) {
				t.Fatalf("Parents of %q = %q, %v, want %q, %v", p, got, ok, want, wantOK)
			}
			if rapid.Bool().Draw(t, "make") {
				for _, s := range absent {
					s.Standing, noted[s.Path] = IsDirectory, IsDirectory
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "note") > 0 {
				note(p)
			}
		}
	})
}

func TestStandingOf(t *testing.T) {
	for want, m := range map[Standing]*manifest.Manifest{
		Absent: nil, IsDirectory: mergeDir(0o755, 1), NotDirectory: mergeLink("x", 1),
	} {
		if got := StandingOf(m); got != want {
			t.Errorf("StandingOf(%+v) = %v, want %v", m, got, want)
		}
	}
}
