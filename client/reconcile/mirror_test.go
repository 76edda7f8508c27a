package reconcile

import (
	"testing"

	"dfs/manifest"
)

// TestPullMirrored swaps directory and head of each triple of a few versions: what one side is to do is
// what the other would have to do in its place.
func TestPullMirrored(t *testing.T) {
	versions := []*manifest.Manifest{
		nil, dir(1), dir(2), file("x", 1, 0o644), file("x", 2, 0o644), file("x", 1, 0o600), file("x", 3, 0o755),
		file("y", 2, 0o644), file("y", 3, 0o600), file("z", 3, 0o644),
		{Kind: manifest.Symlink, Mode: 0o777, Target: "x"}, {Kind: manifest.Symlink, Mode: 0o777, Target: "y"},
	}
	// Nothing leaves the path to a push, which the mirrored pull does.
	mirror := map[Action][]Action{
		Nothing:  {Nothing, Advance, Apply},
		Advance:  {Advance, Apply, Nothing},
		Apply:    {Nothing, Advance, Apply},
		Keep:     {Restore},
		Restore:  {Keep},
		Conflict: {Conflict},
	}
	for _, base := range versions {
		for _, local := range versions {
			for _, remote := range versions {
				plan, mirrored := Pull(base, local, remote), Pull(base, remote, local)
				fits := false
				for _, action := range mirror[plan.Action] {
					fits = fits || mirrored.Action == action
				}
				if !fits {
					t.Errorf("Pull(%+v, %+v, %+v) = %+v, mirrored %+v", base, local, remote, plan, mirrored)
				}
				if a, b := leaves(plan, local), leaves(mirrored, remote); plan.Action != Conflict && !alike(a, b) {
					t.Errorf("Pull(%+v, %+v, %+v) leaves %+v, mirrored %+v", base, local, remote, a, b)
				}
			}
		}
	}
}

// leaves returns what a directory that had local has after the plan, which a push then sends.
func leaves(p Plan, local *manifest.Manifest) *manifest.Manifest {
	if p.Action == Apply || p.Action == Restore {
		return p.Result
	}
	return local
}

// alike reports whether a and b are equal but for a mode that both sides changed, of which the head's counts,
// and for a directory's attributes.
func alike(a, b *manifest.Manifest) bool {
	if !manifest.SameContent(a, b) {
		return false
	}
	return a == nil || a.Kind == manifest.Directory || a.Mtime == b.Mtime
}
