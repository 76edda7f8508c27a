package reconcile

import (
	"testing"

	"dfs/cas"
	"dfs/manifest"
)

func file(content string, mtime int64, mode uint16) *manifest.Manifest {
	m := &manifest.Manifest{Kind: manifest.File, Mode: mode, Mtime: manifest.Time{Sec: mtime}, Size: uint64(len(content)), Profile: 1}
	m.Runs = []manifest.Run{{ID: cas.Sum([]byte(content)), Size: uint32(len(content)), Count: 1}}
	return m
}

func dir(mtime int64) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755, Mtime: manifest.Time{Sec: mtime}}
}

func TestPull(t *testing.T) {
	x, y, z := file("x", 1, 0o644), file("y", 2, 0o644), file("z", 3, 0o644)
	link := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: "x"}
	for _, test := range []struct {
		name                string
		base, local, remote *manifest.Manifest
		want                Plan
	}{
		{"all equal", x, x, x, Plan{Action: Nothing}},
		{"edited here", x, y, x, Plan{Action: Nothing}},
		{"deleted here", x, nil, x, Plan{Action: Nothing}},
		{"added here", nil, y, nil, Plan{Action: Nothing}},
		{"edited there", x, x, y, Plan{Action: Apply, Result: y}},
		{"deleted there", x, x, nil, Plan{Action: Apply}},
		{"added there", nil, nil, y, Plan{Action: Apply, Result: y}},
		{"same edit", x, y, y, Plan{Action: Advance}},
		{"same add", nil, y, y, Plan{Action: Advance}},
		{"both deleted", x, nil, nil, Plan{Action: Advance}},
		{"edited differently", x, y, z, Plan{Action: Conflict}},
		{"added differently", nil, y, z, Plan{Action: Conflict}},
		{"deleted here, edited there", x, nil, y, Plan{Action: Restore, Result: y}},
		{"edited here, deleted there", x, y, nil, Plan{Action: Keep}},
		{"symlink here, edited there", x, link, y, Plan{Action: Conflict}},
		{"directory here, edited there", x, dir(1), y, Plan{Action: Conflict}},
		{"mode here, content there", x, file("x", 1, 0o600), file("y", 2, 0o644), Plan{Action: Apply, Result: file("y", 2, 0o600)}},
		{"content here, mode there", x, y, file("x", 1, 0o600), Plan{Action: Apply, Result: file("y", 2, 0o600)}},
		{"touched later here", x, file("x", 9, 0o644), file("x", 5, 0o644), Plan{Action: Advance}},
		{"touched later there", x, file("x", 5, 0o644), file("x", 9, 0o644), Plan{Action: Apply, Result: file("x", 9, 0o644)}},
		{"directory deleted here, touched there", dir(1), nil, dir(2), Plan{Action: Advance}},
		{"directory touched here, deleted there", dir(1), dir(2), nil, Plan{Action: Apply}},
		{"directory here and there, no base", nil, dir(9), dir(3), Plan{Action: Apply, Result: dir(3)}},
		{"directory touched on both sides", dir(1), dir(2), dir(3), Plan{Action: Apply, Result: dir(3)}},
	} {
		got := Pull(test.base, test.local, test.remote)
		if got.Action != test.want.Action || !manifest.Equal(got.Result, test.want.Result) {
			t.Errorf("%s: Pull = %v %+v, want %v %+v", test.name, got.Action, got.Result, test.want.Action, test.want.Result)
		}
	}
}

// TestPullNeverLosesAnEdit goes through all triples of a few versions: content that only the
// directory has is never replaced or removed.
func TestPullNeverLosesAnEdit(t *testing.T) {
	versions := []*manifest.Manifest{
		nil, dir(1), dir(2), file("x", 1, 0o644), file("x", 2, 0o600), file("y", 1, 0o644), file("z", 3, 0o644),
		{Kind: manifest.Symlink, Mode: 0o777, Target: "x"}, {Kind: manifest.Symlink, Mode: 0o777, Target: "y"},
	}
	for _, base := range versions {
		for _, local := range versions {
			for _, remote := range versions {
				plan := Pull(base, local, remote)
				replaces := plan.Action == Apply || plan.Action == Restore
				if !replaces || local == nil || manifest.SameContent(plan.Result, local) {
					continue
				}
				if !manifest.SameContent(local, base) && !manifest.SameContent(local, remote) {
					t.Errorf("Pull(%+v, %+v, %+v) = %+v replaces content that is nowhere else", base, local, remote, plan)
				}
			}
		}
	}
}
