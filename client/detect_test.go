//go:build linux

package client_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/client"
)

// told collects what a detector says: op, path, old path, and the sizes before and after.
func told(t *testing.T, changes iter.Seq2[client.FileChange, error]) (list []string) {
	t.Helper()
	for c, err := range changes {
		if err != nil {
			t.Fatal(err)
		}
		sizes := "-"
		if c.Base != nil {
			sizes = fmt.Sprint(c.Base.Size)
		}
		if c.New != nil {
			sizes += fmt.Sprint(">", c.New.Size)
		} else {
			sizes += ">-"
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", c.Op, c.Path, sizes, c.From)))
	}
	return list
}

func expectTold(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

const detected = "echo 22 >d/modified; rm d/deleted; mv d/moved e/to; echo new >e/added; chmod 600 mode; mkdir f"

// TestDetector tells changes from the base, from a snapshot, from nothing, and below a path.
func TestDetector(t *testing.T) {
	p := newPair(t, "mkdir d e; echo 1 >d/modified; echo 333 >d/deleted; echo 4444 >d/moved; echo 55555 >d/same; echo 666666 >mode")
	shell(t, p.a.Dir, detected)
	d := client.NewDetector(p.a)
	ctx := t.Context()
	all := []string{"deleted d/deleted 4>-", "modified d/modified 2>3", "added e/added ->4", "moved e/to 5>5 d/moved", "added f ->0", "modified mode 7>7"}
	expectTold(t, "scan", told(t, d.Scan(ctx, "")), all...)
	expectTold(t, "scan of d", told(t, d.Scan(ctx, "d")), "deleted d/deleted 4>-", "modified d/modified 2>3", "deleted d/moved 5>-")
	expectTold(t, "scan of a file", told(t, d.Scan(ctx, "d/modified")), "modified d/modified 2>3")
	expectTold(t, "scan of nothing", told(t, d.Scan(ctx, "d/none")))

	st, err := client.Inspect(ctx, p.a, true, func(client.Change) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	expectTold(t, "since the snapshot", told(t, d.DiffSince(ctx, st.Seen)), all...)
	if list := told(t, d.DiffSince(ctx, cas.ID{})); len(list) != 8 || slices.ContainsFunc(list, func(s string) bool { return !strings.HasPrefix(s, "added ") }) {
		t.Errorf("since nothing: %q", list)
	}
	for _, err := range d.DiffSince(ctx, cas.Sum(nil)) {
		var unknown *client.UnknownSnapshotError
		if !errors.As(err, &unknown) || unknown.Seen != st.Seen {
			t.Errorf("since another snapshot: %v", err)
		}
	}
	for range d.Scan(ctx, "") { // whoever has enough stops
		break
	}
	for _, err := range d.Scan(ctx, "../outside") {
		if err == nil {
			t.Error("a path outside is scanned")
		}
	}
}

// TestDetectorPending: what the hub changed and this replica has not applied is no change from the
// base, but one from the snapshot.
func TestDetectorPending(t *testing.T) {
	p := newPair(t, "echo 1 >one; echo 1 >two")
	shell(t, p.a.Dir, "echo 22 >one")
	mustPush(t, p.a)
	shell(t, p.b.Dir, "echo 333 >two")
	mustPush(t, p.b) // which merges: the change of one is pending here
	d := client.NewDetector(p.b)
	st, err := client.Inspect(t.Context(), p.b, true, func(client.Change) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	expectTold(t, "scan", told(t, d.Scan(t.Context(), "")))
	expectTold(t, "since the snapshot", told(t, d.DiffSince(t.Context(), st.Seen)), "modified one 3>2")
}

// TestPushPaths: a push that is handed paths looks at those only, and what it does not look at stays.
func TestPushPaths(t *testing.T) {
	p := newPair(t, "mkdir d e g; echo 1 >d/modified; echo 333 >d/deleted; echo 4444 >d/moved; echo 55555 >d/same; echo 666666 >mode; for i in $(seq 50); do echo $i >g/$i; done")
	shell(t, p.a.Dir, detected+"; rm -r g")
	for _, c := range []struct {
		paths                           []string
		scanned                         int64
		added, modified, moved, deleted int64
	}{
		{[]string{"d/modified"}, 1, 0, 1, 0, 0},
		{[]string{"d/modified", "mode"}, 2, 0, 1, 0, 0},
		{[]string{"d/moved", "e/to"}, 1, 0, 0, 1, 0},
		{[]string{"d"}, 2, 0, 0, 0, 1},
		{[]string{"g/7", "g/8", "d/none"}, 0, 0, 0, 0, 50}, // their directory is gone
		{nil, 5, 1, 0, 0, 0},
	} {
		cfg := p.a
		cfg.Paths = c.paths
		cfg.MaxDelete = client.DeleteLimit{Given: true, Files: 50}
		res, err := client.Push(t.Context(), cfg)
		if err != nil || res.FilesScanned != c.scanned || res.Added != c.added || res.Modified != c.modified || res.Moved != c.moved || res.Deleted != c.deleted {
			t.Errorf("%q: %+v, %v", c.paths, res, err)
		}
	}
	p.b.MaxDelete = client.DeleteLimit{Given: true, Files: 50}
	mustPull(t, p.b)
	p.same()
	cfg := p.a
	cfg.Paths = []string{"a/../b"}
	if _, err := client.Push(t.Context(), cfg); err == nil {
		t.Error("a path that is none was taken")
	}
}

// TestPushPathsBrake: the bound of deletions counts what is not looked at.
func TestPushPathsBrake(t *testing.T) {
	p := newPair(t, "mkdir g h; for i in $(seq 30); do echo $i >g/$i; echo $i >h/$i; echo $i >$i; done")
	shell(t, p.a.Dir, "rm -r g")
	cfg := p.a
	cfg.Paths = []string{"g"}
	if res, err := client.Push(t.Context(), cfg); err != nil || res.Deleted != 30 {
		t.Errorf("30 of 90 files: %+v, %v", res, err)
	}
	shell(t, p.a.Dir, "rm -r h 1")
	cfg.Paths = []string{"h", "1"}
	var brake *client.BrakeError
	if res, err := client.Push(t.Context(), cfg); !errors.As(err, &brake) {
		t.Errorf("31 of 60 files: %+v, %v", res, err)
	}
}

// TestPushPathsIndex: the index keeps what it has of files that a push does not look at.
func TestPushPathsIndex(t *testing.T) {
	cfg := config(openHub(t), t.TempDir())
	const files = 6000 // more than the index keeps in its journal
	shell(t, cfg.Dir, fmt.Sprintf("mkdir d; for i in $(seq %d); do echo $i >d/$i; done", files))
	mustPush(t, cfg)
	limited := cfg
	limited.Paths = []string{"d/1"}
	mustPush(t, limited)
	shell(t, cfg.Dir, "echo new >new")
	if res, err := client.Push(t.Context(), cfg); err != nil || res.FilesHashed != 1 || res.Unchanged != files {
		t.Errorf("push: %+v, %v", res, err)
	}
}

// TestSyncPaths: a sync that is handed paths sends what is there, applies what the hub has anywhere, and
// looks at nothing else.
func TestSyncPaths(t *testing.T) {
	p := newPair(t, "mkdir d e g; for i in $(seq 50); do echo $i >d/$i; done; echo 1 >e/one; echo 1 >e/two; echo 1 >g/gone; echo 1 >keeps")
	third := p.b
	third.Dir = t.TempDir()
	mustPull(t, third)
	shell(t, p.a.Dir, "echo 22 >e/one; mv e/two e/moved; rm -r g; mkdir -p h/i; echo 333 >h/i/new")
	mustPush(t, p.a)
	shell(t, p.b.Dir, "echo 4444 >d/7; echo 55555 >keeps")
	cfg := p.b
	cfg.Paths = []string{"d/7"}
	res, err := client.Sync(t.Context(), cfg)
	if err != nil || len(res.Problems)+len(res.Conflicts) > 0 {
		t.Fatalf("sync: %+v, %v", res, err)
	}
	if *res.Pushed != (client.Counts{Modified: 1}) || *res.Pulled != (client.Counts{Added: 1, Modified: 1, Moved: 1, Deleted: 1}) || res.FilesScanned > 5 {
		t.Errorf("sync: pushed %+v, pulled %+v, scanned %d", *res.Pushed, *res.Pulled, res.FilesScanned)
	}
	cfg.Paths = nil
	if res, err = client.Sync(t.Context(), cfg); err != nil || *res.Pushed != (client.Counts{Modified: 1}) || *res.Pulled != (client.Counts{}) {
		t.Errorf("sync of all: %+v, %v", res, err)
	}
	mustPull(t, p.a)
	p.same()
	third.Paths = []string{"d/7"}
	if res, err := client.Pull(t.Context(), third); err != nil || res.FilesScanned > 5 {
		t.Errorf("pull: %+v, %v", res, err)
	}
	p.b = third
	p.b.Paths = nil
	p.same()
}
