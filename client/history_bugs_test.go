package client_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// bug is one thing done wrong on purpose.
type bug struct {
	name     string
	file     string // of the module
	old, new string // in it
}

var bugs = []bug{
	{
		"a merge takes theirs where both changed the content",
		"server/api/merge.go",
		"		return mergeAttributes(base, ours, theirs, ours)\n	}\n	return nil, TakeNone\n",
		"		return mergeAttributes(base, ours, theirs, ours)\n	}\n	return theirs, TakeTheirs\n",
	},
	{
		"a deletion wins over an edit",
		"server/api/merge.go",
		"	case theirs == nil:\n		return ours, TakeEdit\n",
		"	case theirs == nil:\n		return nil, TakeTheirs\n",
	},
	{
		"the base moves before what it stands for is applied",
		"client/pull.go",
		"	err = (&survey{r: r, hasher: newHasher(r, nil, func() {}), remote: true}).each(p.asm.ctx, base, p.visit)\n",
		"	if !r.cfg.DryRun {\n		r.rewrite(func(rec *replica.Record) { rec.Base = rec.Remote })\n	}\n" +
			"	err = (&survey{r: r, hasher: newHasher(r, nil, func() {}), remote: true}).each(p.asm.ctx, base, p.visit)\n",
	},
	{
		"nobody looks at what came out of an exchange",
		"client/worktree/apply_flush.go",
		"	err = s.expect.look(d, s.temp)\n	if err == nil && !s.keep {\n",
		"	err = nil\n	if err == nil && !s.keep {\n",
	},
	{
		"the hub takes an edit whatever it is based on",
		"server/hub/decide.go",
		"	case hash == dec.Base:\n",
		"	case hash == dec.Base || e.New != nil:\n",
	},
}

// TestBugsAreFound makes a few mistakes on purpose, one at a time, in a copy of the module: the
// histories find each of them. With DFS_BUGS=1 only.
func TestBugsAreFound(t *testing.T) {
	if os.Getenv("DFS_BUGS") == "" {
		t.Skip("DFS_BUGS=1 makes mistakes on purpose and has the histories find them")
	}
	const most = 2000
	found := regexp.MustCompile(`after (\d+) histories, DFS_SEED=\d+: .*`)
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			module := copyModule(t)
			b.make(t, module)
			cmd := exec.Command("go", "test", "-count=1", "-trimpath", "-run=^TestHistories$", "./client")
			cmd.Dir = module
			cmd.Env = append(os.Environ(), fmt.Sprintf("DFS_HISTORIES=%d", most), "DFS_SEED=", "DFS_BUGS=")
			out, err := cmd.CombinedOutput()
			told := found.Find(out)
			if err == nil || told == nil {
				t.Fatalf("not found in %d histories: %v\n%.2000s", most, err, out)
			}
			t.Logf("%s", told)
		})
	}
}

// make makes the mistake in a copy of the module.
func (b *bug) make(t *testing.T, module string) {
	t.Helper()
	name := filepath.Join(module, b.file)
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte(b.old)); n != 1 {
		t.Fatalf("%s has this %d times:\n%s", b.file, n, b.old)
	}
	source = bytes.Replace(source, []byte(b.old), []byte(b.new), 1)
	if err := os.WriteFile(name, source, 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyModule copies the sources of the module, which lie above this package.
func copyModule(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case d.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") && name != "go.mod" && name != "go.sum":
			return nil
		}
		rel, _ := filepath.Rel("..", path)
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Join(to, filepath.Dir(rel)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, rel), data, 0o644)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
