package api

import (
	"fmt"
	"reflect"
	"testing"

	"dfs/cas"
	"dfs/manifest"
)

func mergeFile(content string, mode uint16, mtime int64) *manifest.Manifest {
	m := &manifest.Manifest{Kind: manifest.File, Mode: mode, Mtime: manifest.Time{Sec: mtime}, Profile: 1}
	if content != "" {
		m.Size = uint64(len(content))
		m.Runs = []manifest.Run{{ID: cas.Sum([]byte(content)), Size: uint32(len(content)), Count: 1}}
	}
	return m
}

func mergeDir(mode uint16, mtime int64) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Directory, Mode: mode, Mtime: manifest.Time{Sec: mtime}}
}

func mergeLink(target string, mtime int64) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Mtime: manifest.Time{Sec: mtime}, Target: target}
}

func mergeValues() []*manifest.Manifest {
	values := []*manifest.Manifest{nil}
	for _, mode := range []uint16{0o600, 0o640, 0o755} {
		for mtime := range int64(3) {
			values = append(values, mergeFile("a", mode, mtime), mergeFile("bb", mode, mtime), mergeDir(mode, mtime))
		}
	}
	for mtime := range int64(3) {
		values = append(values, mergeLink("x", mtime), mergeLink("y", mtime))
	}
	for _, value := range []string{"v", "w"} {
		ext := *mergeFile("a", 0o600, 0)
		ext.Ext = []manifest.Ext{{Tag: 2, Value: []byte(value)}}
		values = append(values, &ext)
	}
	return values
}

// TestMergeEveryTriple checks, for all triples of a small set, each promise of
// Merge's comment by itself.
func TestMergeEveryTriple(t *testing.T) {
	t.Parallel()
	values := mergeValues()
	for _, base := range values {
		for _, ours := range values {
			for _, theirs := range values {
				if err := checkMerge(base, ours, theirs); err != nil {
					t.Fatalf("base %+v\nours %+v\ntheirs %+v\n%v", base, ours, theirs, err)
				}
			}
		}
	}
}

func checkMerge(base, ours, theirs *manifest.Manifest) error {
	got, verdict := Merge(base, ours, theirs)
	conflict := ours != nil && theirs != nil && !manifest.SameContent(ours, theirs) &&
		!manifest.SameContent(base, ours) && !manifest.SameContent(base, theirs)
	switch {
	case manifest.Equal(ours, theirs) != (verdict == TakeSame):
		return fmt.Errorf("verdict %d for equality %v", verdict, manifest.Equal(ours, theirs))
	case conflict != (verdict == TakeNone):
		return fmt.Errorf("verdict %d for conflict %v", verdict, conflict)
	case verdict == TakeNone && got != nil, verdict == TakeOurs && !manifest.Equal(got, ours),
		verdict == TakeTheirs && !manifest.Equal(got, theirs),
		verdict == TakeBoth && (manifest.Equal(got, ours) || manifest.Equal(got, theirs)):
		return fmt.Errorf("verdict %d with %+v", verdict, got)
	case manifest.Equal(base, theirs) && !manifest.Equal(got, ours), manifest.Equal(base, ours) && !manifest.Equal(got, theirs):
		return fmt.Errorf("a side that did not change counts: %+v", got)
	}
	if (ours == nil) != (theirs == nil) {
		return checkDeletion(base, ours, theirs, got, verdict)
	}
	if got == nil {
		return nil
	}
	if err := got.Validate(); err != nil {
		return err
	}
	if err := checkAttributes(base, ours, theirs, got); err != nil {
		return err
	}
	return checkSymmetry(base, ours, theirs, got, verdict)
}

func checkDeletion(base, ours, theirs, got *manifest.Manifest, verdict Verdict) error {
	edit := ours
	if ours == nil {
		edit = theirs
	}
	changed := !manifest.Equal(base, edit)
	if base != nil && base.Kind == manifest.Directory && edit.Kind == manifest.Directory && base.Mode == edit.Mode {
		changed = false // the mtime of a directory is no change
	}
	switch {
	case base == nil:
		return expect(got, verdict, edit, TakeOurs, TakeTheirs)
	case changed:
		return expect(got, verdict, edit, TakeEdit)
	}
	return expect(got, verdict, nil, TakeOurs, TakeTheirs)
}

func expect(got *manifest.Manifest, verdict Verdict, want *manifest.Manifest, verdicts ...Verdict) error {
	for _, v := range verdicts {
		if v == verdict && manifest.Equal(got, want) {
			return nil
		}
	}
	return fmt.Errorf("verdict %d with %+v, not one of %d with %+v", verdict, got, verdicts, want)
}

// checkAttributes checks that each attribute is of the side that changed it.
func checkAttributes(base, ours, theirs, got *manifest.Manifest) error {
	if base == nil || base.Kind != got.Kind || ours.Kind != theirs.Kind {
		return nil
	}
	mode := theirs.Mode
	if theirs.Mode == base.Mode {
		mode = ours.Mode
	}
	mtime := max(ours.Mtime.Sec, theirs.Mtime.Sec)
	if theirs.Mtime == base.Mtime {
		mtime = ours.Mtime.Sec
	} else if ours.Mtime == base.Mtime {
		mtime = theirs.Mtime.Sec
	}
	ext := theirs.Ext
	if reflect.DeepEqual(theirs.Ext, base.Ext) {
		ext = ours.Ext
	}
	if !reflect.DeepEqual(got.Ext, ext) {
		return fmt.Errorf("got attributes %v, not %v", got.Ext, ext)
	}
	if got.Mode != mode || got.Mtime.Sec != mtime {
		return fmt.Errorf("got mode %o and mtime %d, not %o and %d", got.Mode, got.Mtime.Sec, mode, mtime)
	}
	changed := theirs
	if manifest.SameContent(base, theirs) {
		changed = ours
	}
	if !manifest.SameContent(got, changed) {
		return fmt.Errorf("content of %+v, not of %+v", got, changed)
	}
	return nil
}

// checkSymmetry checks that swapping the sides swaps the verdict, but where
// theirs are preferred.
func checkSymmetry(base, ours, theirs, got *manifest.Manifest, verdict Verdict) error {
	back, swapped := Merge(base, theirs, ours)
	sameMode := ours.Mode == theirs.Mode || base != nil && base.Kind == ours.Kind && (base.Mode == ours.Mode || base.Mode == theirs.Mode)
	if !sameMode || len(ours.Ext)+len(theirs.Ext) > 0 {
		return nil
	}
	mirror := map[Verdict]Verdict{TakeSame: TakeSame, TakeOurs: TakeTheirs, TakeTheirs: TakeOurs, TakeBoth: TakeBoth}
	if !manifest.Equal(got, back) || mirror[verdict] != swapped {
		return fmt.Errorf("swapped: %+v (%d) and %+v (%d)", got, verdict, back, swapped)
	}
	return nil
}

// TestMergeRows has an example of each row.
func TestMergeRows(t *testing.T) {
	t.Parallel()
	a, b, c := mergeFile("a", 0o644, 1), mergeFile("b", 0o644, 2), mergeFile("c", 0o644, 3)
	link, dir := mergeLink("x", 5), mergeDir(0o755, 1)
	rows := []struct {
		name               string
		base, ours, theirs *manifest.Manifest
		want               *manifest.Manifest
		verdict            Verdict
	}{
		{"nothing", a, a, a, a, TakeSame},
		{"theirs changed", a, a, b, b, TakeTheirs},
		{"ours changed", a, b, a, b, TakeOurs},
		{"same change", a, b, b, b, TakeSame},
		{"both changed", a, b, c, nil, TakeNone},
		{"ours deleted", a, nil, a, nil, TakeOurs},
		{"theirs deleted", a, a, nil, nil, TakeTheirs},
		{"delete meets edit", a, nil, b, b, TakeEdit},
		{"edit meets delete", a, b, nil, b, TakeEdit},
		{"both deleted", a, nil, nil, nil, TakeSame},
		{"ours created", nil, a, nil, a, TakeOurs},
		{"theirs created", nil, nil, a, a, TakeTheirs},
		{"both created", nil, a, b, nil, TakeNone},
		{"both created the same", nil, mergeFile("a", 0o600, 4), a, mergeFile("a", 0o644, 4), TakeBoth},
		{"both created a directory", nil, mergeDir(0o700, 4), dir, mergeDir(0o755, 4), TakeBoth},
		{"kind changed on both sides", a, link, dir, nil, TakeNone},
		{"kind against content", a, link, b, nil, TakeNone},
		{"kind against mode", a, mergeFile("a", 0o600, 1), link, link, TakeTheirs},
		{"mode against kind", a, dir, mergeFile("a", 0o600, 1), dir, TakeOurs},
		{"targets", mergeLink("x", 1), mergeLink("y", 1), mergeLink("z", 1), nil, TakeNone},
		{"mode against content", a, mergeFile("a", 0o600, 1), b, mergeFile("b", 0o600, 2), TakeBoth},
		{"content against mode", a, b, mergeFile("a", 0o600, 1), mergeFile("b", 0o600, 2), TakeBoth},
		{"mode against mode", a, mergeFile("a", 0o600, 1), mergeFile("a", 0o640, 1), mergeFile("a", 0o640, 1), TakeTheirs},
		{"mode against mtime", a, mergeFile("a", 0o600, 1), mergeFile("a", 0o644, 9), mergeFile("a", 0o600, 9), TakeBoth},
		{"mtime against later mtime", a, mergeFile("a", 0o644, 5), mergeFile("a", 0o644, 9), mergeFile("a", 0o644, 9), TakeTheirs},
		{"mtime against earlier mtime", a, mergeFile("a", 0o644, 9), mergeFile("a", 0o644, 5), mergeFile("a", 0o644, 9), TakeOurs},
		{"delete meets directory's mtime", dir, nil, mergeDir(0o755, 9), nil, TakeOurs},
		{"directory's mtime meets delete", dir, mergeDir(0o755, 9), nil, nil, TakeTheirs},
		{"delete meets directory's mode", dir, nil, mergeDir(0o700, 1), mergeDir(0o700, 1), TakeEdit},
		{"delete meets file's mtime", a, nil, mergeFile("a", 0o644, 9), mergeFile("a", 0o644, 9), TakeEdit},
	}
	for _, r := range rows {
		got, verdict := Merge(r.base, r.ours, r.theirs)
		if !manifest.Equal(got, r.want) || verdict != r.verdict {
			t.Errorf("%s: %+v (verdict %d), not %+v (%d)", r.name, got, verdict, r.want, r.verdict)
		}
	}
}
