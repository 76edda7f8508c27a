//go:build linux

package worktree

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dfs/manifest"
)

func openTest(t testing.TB, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if err := r.Init(); err != nil {
		t.Fatal(err)
	}
	return r
}

// memoryDir is a temporary directory in memory, where the system has that, for tests
// that make many files.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "worktree")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// write makes a file with its directories.
func write(t testing.TB, dir, path, content string) {
	t.Helper()
	name := filepath.Join(dir, path)
	must(t, os.MkdirAll(filepath.Dir(name), 0o777))
	must(t, os.WriteFile(name, []byte(content), 0o666))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, dir, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, path))
	must(t, err)
	return string(b)
}

// found is all that a scan tells.
type found struct {
	entries  []Entry
	skipped  []string
	temps    []string
	problems []string
}

func scan(t testing.TB, r *Root, jobs int) (f found) {
	t.Helper()
	opts := ScanOptions{
		Jobs:    jobs,
		Skip:    func(p string) { f.skipped = append(f.skipped, p) },
		Temp:    func(p string) { f.temps = append(f.temps, p) },
		Problem: func(p Problem) { f.problems = append(f.problems, p.Path+": "+p.Err.Error()) },
	}
	for e, err := range r.Scan(t.Context(), opts) {
		must(t, err)
		f.entries = append(f.entries, e)
	}
	return f
}

func (f found) paths() (paths []string) {
	for _, e := range f.entries {
		paths = append(paths, e.Path)
	}
	return paths
}

func stat(t testing.TB, r *Root, path string) *Entry {
	t.Helper()
	e, err := r.Stat(path)
	must(t, err)
	return &e
}

// everything lists all paths below dir but .dfs, as the file system tells them.
func everything(t testing.TB, dir string) (paths []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		if rel == stateName {
			return fs.SkipDir
		}
		paths = append(paths, rel)
		return nil
	}))
	return paths
}

// byComponents is path order, told another way than by compare.
func byComponents(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

// unprivileged runs the test again as a user without rights, and reports
// whether this is that run.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o777))
	binary := filepath.Join(dir, "test")
	must(t, os.WriteFile(binary, self, 0o755))
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("as another user: %v\n%s", err, out)
	}
	return false
}

func fileOf(content string, mode uint16, mtime manifest.Time) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.File, Mode: mode, Mtime: mtime, Size: uint64(len(content)), Profile: 1}
}
