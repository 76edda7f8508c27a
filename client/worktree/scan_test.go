//go:build linux

package worktree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"dfs/manifest"
)

// randomTree makes a tree of odd names below dir.
func randomTree(t *rapid.T, dir string) {
	names := rapid.SampledFrom([]string{"a", "a-", "a.", "a b", "b", "\xff\xfe", "new\nline", "A", "\x01", "~", strings.Repeat("n", 255)})
	path := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(names, 1, 4).Draw(t, "names"), "/")
	})
	for _, p := range rapid.SliceOfN(path, 0, 60).Draw(t, "paths") {
		name := filepath.Join(dir, p)
		if os.MkdirAll(filepath.Dir(name), 0o777) != nil {
			continue
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			os.Mkdir(name, 0o750)
		case 1:
			os.Symlink("../no/where", name)
		default:
			if _, err := os.Lstat(name); err != nil {
				os.WriteFile(name, []byte(p), 0o640)
			}
		}
	}
}

func TestScanOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir := memoryDir(t)
		r := openTest(t, dir)
		randomTree(rt, dir)
		want := everything(t, dir)
		slices.SortFunc(want, byComponents)
		serial := scan(t, r, 1)
		if !slices.Equal(serial.paths(), want) {
			rt.Fatalf("scan = %q, want %q", serial.paths(), want)
		}
		for _, jobs := range []int{2, 5} {
			if parallel := scan(t, r, jobs); !slices.Equal(parallel.entries, serial.entries) {
				rt.Fatalf("scan with %d jobs = %+v, want %+v", jobs, parallel.entries, serial.entries)
			}
		}
		for _, e := range serial.entries {
			checkEntry(t, dir, e)
		}
	})
}

func checkEntry(t *testing.T, dir string, e Entry) {
	t.Helper()
	name := filepath.Join(dir, e.Path)
	info, err := os.Lstat(name)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	want := Entry{
		Path: e.Path, Kind: manifest.File, Mode: uint16(info.Mode().Perm()), Dev: st.Dev, Ino: st.Ino,
		Mtime: manifest.Time{Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)},
		Ctime: manifest.Time{Sec: st.Ctim.Sec, Nsec: uint32(st.Ctim.Nsec)},
	}
	switch {
	case info.IsDir():
		want.Kind = manifest.Directory
	case info.Mode()&os.ModeSymlink != 0:
		want.Kind = manifest.Symlink
		want.Target, _ = os.Readlink(name)
	default:
		want.Size = uint64(info.Size())
	}
	if e != want {
		t.Fatalf("entry = %+v, want %+v", e, want)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	path := rapid.StringMatching(`[a\-~\x01]{1,2}(/[a\-~\x01]{1,2}){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := path.Draw(t, "a"), path.Draw(t, "b")
		if got, want := sign(compare(a, []byte(b))), byComponents(a, b); got != want {
			t.Fatalf("compare(%q, %q) = %d, want %d", a, b, got, want)
		}
	})
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// TestScanLarge has directories of several slices, and more entries than are read ahead.
func TestScanLarge(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	r := openTest(t, dir)
	for d := range 3 {
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprint("dir", d)), 0o777))
		for i := range 15000 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("dir", d), fmt.Sprint(i)), nil, 0o666))
		}
	}
	for i := range 1000 {
		must(t, os.MkdirAll(filepath.Join(dir, "dir1", fmt.Sprint("sub", i), "x"), 0o777))
	}
	want := everything(t, dir)
	slices.SortFunc(want, byComponents)
	for _, jobs := range []int{1, 3} {
		if got := scan(t, r, jobs).paths(); !slices.Equal(got, want) {
			t.Errorf("scan with %d jobs has %d entries, want %d, or another order", jobs, len(got), len(want))
		}
	}
}

func TestScanLeavesOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, ".dfs/base", "")
	write(t, dir, "replica/.dfs/id", "")
	write(t, dir, "replica/file", "")
	write(t, dir, "other/.DFS/file", "")
	write(t, dir, "other/.dfs", "a file of that name")
	write(t, dir, "other/.dfs2", "")
	temp := tempName(tempOld, "file")
	write(t, dir, temp, "")
	write(t, dir, temp[:len(temp)-1]+"!", "")
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	must(t, os.Symlink("other", filepath.Join(dir, "link")))
	for _, jobs := range []int{1, 2} {
		f := scan(t, r, jobs)
		if want := []string{temp[:len(temp)-1] + "!", "link", "other", "other/.dfs2"}; !slices.Equal(f.paths(), want) {
			t.Errorf("entries = %q, want %q", f.paths(), want)
		}
		if want := []string{"fifo", "other/.DFS", "other/.dfs", "replica"}; !slices.Equal(f.skipped, want) {
			t.Errorf("skipped = %q, want %q", f.skipped, want)
		}
		if !slices.Equal(f.temps, []string{temp}) || len(f.problems) > 0 {
			t.Errorf("temps = %q, problems = %q", f.temps, f.problems)
		}
	}
}

// TestLeftovers tells leftovers apart, and removes or keeps them.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	ours, theirs := Leftover("d/"+tempName(tempNew, "file")), Leftover("d/"+tempName(tempOld, "file"))
	for _, l := range []Leftover{ours, theirs} {
		if !l.Of("d/file") || l.Of("file") || l.Of("d/other") || l.Of("d/sub/file") {
			t.Errorf("%s comes from another path than d/file", l)
		}
		write(t, dir, string(l), "half written")
	}
	if !ours.Ours() || theirs.Ours() || Leftover("d/file").Ours() {
		t.Errorf("Ours: %v, %v, %v", ours.Ours(), theirs.Ours(), Leftover("d/file").Ours())
	}
	before := stat(t, r, "d").Mtime
	a := r.Apply()
	must(t, a.RemoveLeftover(*stat(t, r, string(ours))))
	changed := *stat(t, r, string(theirs))
	changed.Size++
	if err := a.RemoveLeftover(changed); !errors.Is(err, ErrChanged) {
		t.Errorf("RemoveLeftover of another version: %v", err)
	}
	kept, err := a.KeepLeftover(theirs, "d/file")
	must(t, err)
	finish(t, a)
	if want := []string{"d", kept}; !slices.Equal(everything(t, dir), want) || !strings.HasPrefix(kept, "d/file"+keptInfix) {
		t.Errorf("left are %q, want %q", everything(t, dir), want)
	}
	if after := stat(t, r, "d").Mtime; after != before {
		t.Errorf("the directory's mtime is %v, was %v", after, before)
	}
	write(t, dir, "d/user", "file")
	if err := a.RemoveLeftover(*stat(t, r, "d/user")); !errors.Is(err, ErrChanged) {
		t.Errorf("RemoveLeftover of another file: %v", err)
	}
	if _, err := a.KeepLeftover("d/user", "d/user"); !errors.Is(err, ErrChanged) {
		t.Errorf("KeepLeftover of another file: %v", err)
	}
}

func TestScanUnreadable(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "closed/file", "")
	write(t, dir, "listed/file", "")
	write(t, dir, "open/file", "")
	must(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	must(t, os.Chmod(filepath.Join(dir, "listed"), 0o400))
	t.Cleanup(func() {
		os.Chmod(filepath.Join(dir, "closed"), 0o700)
		os.Chmod(filepath.Join(dir, "listed"), 0o700)
	})
	for _, jobs := range []int{1, 2} {
		f := scan(t, r, jobs)
		if want := []string{"closed", "listed", "open", "open/file"}; !slices.Equal(f.paths(), want) {
			t.Fatalf("entries = %q, want %q", f.paths(), want)
		}
		if !f.entries[0].Unlisted || f.entries[2].Unlisted {
			t.Errorf("unlisted: closed %v, open %v", f.entries[0].Unlisted, f.entries[2].Unlisted)
		}
		if want := []string{"closed: permission denied", "listed/file: permission denied"}; !slices.Equal(f.problems, want) {
			t.Errorf("problems = %q, want %q", f.problems, want)
		}
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(names)
}

// TestScanStops is not parallel: it counts descriptors.
func TestScanStops(t *testing.T) {
	dir := t.TempDir()
	r := openTest(t, dir)
	for i := range 300 {
		write(t, dir, fmt.Sprintf("d%d/e/file", i), "")
	}
	before := openDescriptors(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range r.Scan(ctx, ScanOptions{Jobs: 4}) {
		if n++; n == 10 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("scan ended with %v, want %v", last, context.Canceled)
	}
	for range r.Scan(t.Context(), ScanOptions{Jobs: 4}) {
		break
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// TestScanChanging scans while entries come and go: each run is in order, without errors.
func TestScanChanging(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	for i := range 50 {
		write(t, dir, fmt.Sprintf("d%d/file", i), "")
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := filepath.Join(dir, fmt.Sprint("d", i%50))
			os.RemoveAll(name)
			os.MkdirAll(filepath.Join(name, "x"), 0o777)
			os.WriteFile(filepath.Join(name, "file"), nil, 0o666)
		}
	}()
	for range 200 {
		f := scan(t, r, 2)
		if !slices.IsSortedFunc(f.paths(), byComponents) || len(f.problems) > 0 {
			t.Errorf("scan = %.200q, problems %q", f.paths(), f.problems)
			break
		}
	}
	close(stop)
	<-stopped
}

// TestScanDeep reaches paths of up to 4,095 bytes and reports longer ones.
func TestScanDeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	d, err := r.dir.sub("")
	must(t, err)
	name := strings.Repeat("d", 255)
	for range 17 {
		must(t, d.mkdir(name))
		next, err := d.sub(name)
		must(t, err)
		d.close()
		d = next
	}
	d.close()
	f := scan(t, r, 1)
	if len(f.entries) != 16 || len(f.problems) != 1 || !strings.HasSuffix(f.problems[0], ErrPathTooLong.Error()) {
		t.Errorf("%d entries, problems %.80q", len(f.entries), f.problems)
	}
}
