package client_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"dfs/client"
)

// inodesOf tells the inode of each file by its content.
func inodesOf(t testing.TB, dir string) map[string]uint64 {
	t.Helper()
	found := map[string]uint64{}
	for path, what := range content(t, dir) {
		data, ok := fileData(what)
		if !ok {
			continue
		}
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		found[data] = info.Sys().(*syscall.Stat_t).Ino
	}
	return found
}

func shell(t testing.TB, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-e", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
}

// pair is two replicas that have the same. Its tests are not parallel: a child that another test starts
// holds for a moment what this program has open for writing, and such a file is not renamed.
type pair struct {
	t    *testing.T
	a, b client.Config
}

func newPair(t *testing.T, script string) *pair {
	h := openHub(t)
	p := &pair{t, config(h, t.TempDir()), config(h, t.TempDir())}
	shell(t, p.a.Dir, script)
	mustPush(t, p.a)
	mustPull(t, p.b)
	return p
}

// change runs the script in the one directory and brings what came of it to the other.
func (p *pair) change(script string) (pushed, pulled *client.Result) {
	p.t.Helper()
	shell(p.t, p.a.Dir, script)
	var err error
	if pushed, err = client.Push(p.t.Context(), p.a); err != nil || len(pushed.Problems)+len(pushed.Conflicts) > 0 {
		p.t.Fatalf("push: %+v, %v", pushed, err)
	}
	if pulled, err = client.Pull(p.t.Context(), p.b); err != nil {
		p.t.Fatalf("pull: %+v, %v", pulled, err)
	}
	return pushed, pulled
}

func (p *pair) same() {
	p.t.Helper()
	a, b := content(p.t, p.a.Dir), content(p.t, p.b.Dir)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		p.t.Errorf("%v, want\n%v", b, a)
	}
	for _, cfg := range []client.Config{p.a, p.b} {
		st, err := client.Inspect(p.t.Context(), cfg, false, func(client.Change) error { return nil })
		if err != nil || !st.InSync {
			p.t.Errorf("not in sync: %+v, %v", st, err)
		}
		res, err := client.Push(p.t.Context(), cfg)
		if err != nil || res.FilesHashed > 0 || res.Added+res.Modified+res.Moved+res.Deleted > 0 {
			p.t.Errorf("one more push: %+v, %v", res, err)
		}
	}
}
