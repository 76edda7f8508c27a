package reconcile

import (
	"fmt"
	"testing"

	"dfs/manifest"
)

// A row of the rule table: what base, directory and head have, by letters (- is absent), and what
// the directory and the head have after each mode; "!" after them is a conflict, "k" a
// deletion that gave way.
var rules = []struct{ before, push, pull, sync string }{
	{"xxx", "xx", "xx", "xx"},
	{"xxy", "xy", "yy", "yy"},
	{"xyx", "yy", "yx", "yy"},
	{"xyy", "yy", "yy", "yy"},
	{"xyz", "yz!", "yz!", "yz!"},
	{"x-x", "--", "-x", "--"},
	{"xx-", "x-", "--", "--"},
	{"x-y", "-yk", "yyk", "yyk"},
	{"xy-", "yy", "y-k", "yy"},
	{"x--", "--", "--", "--"},
	{"-y-", "yy", "y-", "yy"},
	{"--y", "-y", "yy", "yy"},
	{"-yy", "yy", "yy", "yy"},
	{"-yz", "yz!", "yz!", "yz!"},
	{"---", "--", "--", "--"},
}

// values are contents that no two of are the same.
func values() []*manifest.Manifest {
	return []*manifest.Manifest{
		file("one", 1, 0o644), file("two", 2, 0o644), file("three", 3, 0o600),
		{Kind: manifest.Symlink, Mode: 0o777, Target: "x", Mtime: manifest.Time{Sec: 4}}, dir(5),
	}
}

func TestRulesByMode(t *testing.T) {
	for _, x := range values() {
		for _, y := range values() {
			for _, z := range values() {
				if x == y || y == z || manifest.Equal(x, y) || manifest.Equal(y, z) || manifest.Equal(x, z) {
					continue
				}
				by := map[byte]*manifest.Manifest{'x': x, 'y': y, 'z': z, '-': nil}
				for _, rule := range rules {
					for mode, want := range []string{rule.push, rule.pull, rule.sync} {
						got := Run(Mode(mode), by[rule.before[0]], by[rule.before[1]], by[rule.before[2]])
						wanted := Outcome{by[want[0]], by[want[1]], want[2:] == "!", want[2:] == "k"}
						if !sameOutcome(got, wanted) {
							t.Errorf("mode %d of %s with %s = %s, want %s", mode, rule.before, describe(x, y, z), got.describe(), want)
						}
					}
				}
			}
		}
	}
}

func sameOutcome(a, b Outcome) bool {
	return manifest.Equal(a.Local, b.Local) && manifest.Equal(a.Remote, b.Remote) && a.Conflict == b.Conflict && a.Kept == b.Kept
}

func describe(ms ...*manifest.Manifest) (text string) {
	for _, m := range ms {
		if m == nil {
			text += "- "
			continue
		}
		text += fmt.Sprintf("%v:%o:%d:%d ", m.Kind, m.Mode, m.Mtime.Sec, m.Size)
	}
	return text
}

func (o Outcome) describe() string {
	return describe(o.Local, o.Remote) + fmt.Sprint(o.Conflict, o.Kept)
}

// attributes are versions that differ in mode and mtime too.
func attributes() []*manifest.Manifest {
	return append(values(), nil, file("one", 7, 0o644), file("one", 1, 0o600), file("one", 8, 0o755), file("two", 2, 0o600), dir(9),
		&manifest.Manifest{Kind: manifest.Directory, Mode: 0o700, Mtime: manifest.Time{Sec: 5}})
}

func eachTriple(do func(base, local, remote *manifest.Manifest)) {
	for _, base := range attributes() {
		for _, local := range attributes() {
			for _, remote := range attributes() {
				do(base, local, remote)
			}
		}
	}
}

// TestSyncConverges: after a sync both sides are the same, but for a conflict and a directory's
// mtime, and a second one has nothing to do.
func TestSyncConverges(t *testing.T) {
	eachTriple(func(base, local, remote *manifest.Manifest) {
		o := Run(ModeSync, base, local, remote)
		if o.Conflict {
			if o.Local != local || o.Remote != remote {
				t.Errorf("%s: a conflict changed something: %s", describe(base, local, remote), o.describe())
			}
			return
		}
		if !manifest.Equal(o.Local, o.Remote) && !rides(o.Remote, o.Local) {
			t.Errorf("%s: %s after a sync", describe(base, local, remote), o.describe())
		}
		if again := Run(ModeSync, o.Remote, o.Local, o.Remote); !sameOutcome(again, Outcome{Local: o.Local, Remote: o.Remote}) {
			t.Errorf("%s: a second sync leads from %s to %s", describe(base, local, remote), o.describe(), again.describe())
		}
	})
}

// TestSyncIsPushThenPull: what one sync does, a push and a pull do, and none loses content that
// only one side has.
func TestSyncIsPushThenPull(t *testing.T) {
	eachTriple(func(base, local, remote *manifest.Manifest) {
		sync := Run(ModeSync, base, local, remote)
		push := Run(ModePush, base, local, remote)
		if !manifest.Equal(push.Local, local) {
			t.Errorf("%s: a push changed the directory", describe(base, local, remote))
		}
		if pull := Run(ModePull, base, local, remote); !manifest.Equal(pull.Remote, remote) {
			t.Errorf("%s: a pull changed the hub", describe(base, local, remote))
		}
		if !manifest.Equal(push.Remote, sync.Remote) || push.Conflict != sync.Conflict {
			t.Errorf("%s: push leads to %s, sync to %s", describe(base, local, remote), push.describe(), sync.describe())
		}
		for _, m := range []*manifest.Manifest{local, remote} {
			known := m == nil || manifest.SameContent(m, base) || manifest.SameContent(m, sync.Local) || manifest.SameContent(m, sync.Remote)
			if !known {
				t.Errorf("%s: %s loses %s", describe(base, local, remote), sync.describe(), describe(m))
			}
		}
	})
}

// TestMirrored: which side is the hub's makes no difference to the content.
func TestMirrored(t *testing.T) {
	eachTriple(func(base, local, remote *manifest.Manifest) {
		a, b := Run(ModeSync, base, local, remote), Run(ModeSync, base, remote, local)
		if a.Conflict != b.Conflict || !a.Conflict && !manifest.SameContent(a.Remote, b.Remote) {
			t.Errorf("%s: %s, and mirrored %s", describe(base, local, remote), a.describe(), b.describe())
		}
	})
}
