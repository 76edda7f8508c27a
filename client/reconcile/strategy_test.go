package reconcile

import (
	"testing"
	"time"

	"dfs/manifest"
	"dfs/server/api"
)

func conflictAt(host string, ours *manifest.Manifest) *api.Conflict {
	return &api.Conflict{Client: host, Ours: ours, Time: time.Date(2026, 1, 2, 5, 4, 5, 999, time.FixedZone("", 7200))}
}

func none(string) string { return "" }

func settleOne(s Strategy, base, ours, theirs *manifest.Manifest) Decision {
	c := *conflictAt("ann", ours)
	c.Path, c.Base, c.Theirs = "d/f.txt", base, theirs
	return s.Settle([]api.Conflict{c}, none, func(string) (manifest.Time, bool) { return theirs.Mtime, true })[0]
}

// TestStrategies goes through all conflicts of a few versions: with each strategy exactly the rule
// of the table holds, and no version that the head gets is one that nobody made.
func TestStrategies(t *testing.T) {
	conflicts := 0
	eachTriple(func(base, ours, theirs *manifest.Manifest) {
		if !Run(ModeSync, base, ours, theirs).Conflict {
			return
		}
		conflicts++
		what := describe(base, ours, theirs)
		directory := isDirectory(ours) || isDirectory(theirs)
		if d := settleOne(Manual, base, ours, theirs); d.Take != "" {
			t.Errorf("%s: manual takes %s", what, d.Take)
		}
		lww := settleOne(LWW, base, ours, theirs)
		switch {
		case isDirectory(ours):
			if want := ours.Mtime.Compare(theirs.Mtime) >= 0; want != (lww.Result == ours) || lww.Take != "lww" {
				t.Errorf("%s: lww decides %+v", what, lww)
			}
		case isDirectory(theirs): // what is in it would be lost
			if want := theirs.Mtime.Compare(ours.Mtime) >= 0; want != (lww.Result == theirs) || want != (lww.Take == "lww") {
				t.Errorf("%s: lww decides %+v", what, lww)
			}
		case ours.Mtime.Compare(theirs.Mtime) > 0 || ours.Mtime == theirs.Mtime && ours.Hash().Compare(theirs.Hash()) > 0:
			if lww.Result != ours {
				t.Errorf("%s: lww takes theirs", what)
			}
		default:
			if lww.Result != theirs {
				t.Errorf("%s: lww takes ours", what)
			}
		}
		if !directory {
			if mirrored := settleOne(LWW, base, theirs, ours); mirrored.Result != lww.Result {
				t.Errorf("%s: lww depends on whose version is the head's", what)
			}
		}
		merge := settleOne(Merge, base, ours, theirs)
		texts := base != nil && base.Kind == manifest.File && ours.Kind == manifest.File && theirs.Kind == manifest.File
		if merge.Merge != texts || (merge.Take == "merge") != texts {
			t.Errorf("%s: merge decides %+v", what, merge)
		}
		copied := settleOne(Copy, base, ours, theirs)
		want, _ := api.CopyName("d/f.txt", conflictAt("ann", ours))
		if copied.Result != theirs || copied.Copy != want || copied.Take != "copy" {
			t.Errorf("%s: copy decides %+v", what, copied)
		}
	})
	if conflicts < 100 {
		t.Errorf("%d conflicts tried", conflicts)
	}
}

func TestMergeTakesAttributesOneByOne(t *testing.T) {
	d := settleOne(Merge, file("base", 1, 0o644), file("ours", 9, 0o600), file("theirs", 5, 0o644))
	if d.Result.Mode != 0o600 || d.Result.Mtime.Sec != 9 {
		t.Errorf("%+v", d.Result)
	}
	d = settleOne(Merge, file("base", 1, 0o644), file("ours", 5, 0o600), file("theirs", 9, 0o755))
	if d.Result.Mode != 0o755 || d.Result.Mtime.Sec != 9 {
		t.Errorf("%+v", d.Result)
	}
	large := file("large", 1, 0o644)
	large.Size = MaxText + 1
	if d := settleOne(Merge, file("base", 1, 0o644), large, file("theirs", 9, 0o755)); d.Take != "" {
		t.Errorf("merges %d bytes", large.Size)
	}
}

// TestAnEditBeatsADelete: the head's version was deleted after the conflict arose.
func TestAnEditBeatsADelete(t *testing.T) {
	ours := file("ours", 1, 0o644)
	if d := settleOne(LWW, file("base", 1, 0o644), ours, nil); d.Result != ours {
		t.Errorf("lww takes the deletion: %+v", d)
	}
	if d := settleOne(Copy, file("base", 1, 0o644), ours, nil); d.Result != ours || d.Copy != "" {
		t.Errorf("copy takes %+v", d)
	}
	if d := settleOne(Merge, file("base", 1, 0o644), ours, nil); d.Take != "" {
		t.Errorf("merge takes %+v", d)
	}
}

func TestChoose(t *testing.T) {
	c := *conflictAt("ann", file("ours", 1, 0o644))
	c.Path, c.Base, c.Theirs = "f", file("base", 2, 0o644), file("theirs", 3, 0o644)
	for take, want := range map[string]*manifest.Manifest{TakeOurs: c.Ours, TakeTheirs: c.Theirs, TakeBase: c.Base, TakeBoth: c.Theirs} {
		d := Choose(take, []api.Conflict{c}, none)[0]
		if d.Take != take || d.Result != want || (d.Copy != "") != (take == TakeBoth) {
			t.Errorf("%s: %+v", take, d)
		}
	}
}

// TestCopyOfADirectory: what conflicts inside goes with it.
func TestCopyOfADirectory(t *testing.T) {
	at := func(path string, ours, theirs *manifest.Manifest) api.Conflict {
		c := *conflictAt("ann", ours)
		c.Path, c.Theirs = path, theirs
		return c
	}
	list := []api.Conflict{
		at("d", dir(1), file("theirs", 1, 0o644)), at("d/e", dir(1), nil), at("d/e/f", file("f", 1, 0o644), nil), at("d1", file("d1", 1, 0o644), file("t", 1, 0o644)),
	}
	above := func(path string) string {
		if len(path) > 2 {
			return "d"
		}
		return ""
	}
	got := Copy.Settle(list, above, nil)
	top, _ := api.CopyName("d", &list[0])
	beside, _ := api.CopyName("d1", &list[3])
	for i, want := range []string{top, top + "/e", top + "/e/f", beside} {
		if got[i].Copy != want || got[i].Result != list[i].Theirs {
			t.Errorf("%s: %+v, want the copy %q", list[i].Path, got[i], want)
		}
	}
	for i, d := range Merge.Settle(list[:3], above, nil) {
		if d.Take != "" {
			t.Errorf("merge decides %s: %+v", list[i].Path, d)
		}
	}
}

// TestCopyBesideWhatIsInItsWay: a file stands where the copy's directory would have to be.
func TestCopyBesideWhatIsInItsWay(t *testing.T) {
	c := *conflictAt("ann", file("f", 1, 0o644))
	c.Path = "a/d/e/f.txt"
	d := Copy.Settle([]api.Conflict{c}, func(string) string { return "a/d" }, nil)[0]
	if want, _ := api.CopyName("a/f.txt", &c); d.Copy != want || d.Result != nil {
		t.Errorf("%+v, want the copy %q", d, want)
	}
}
