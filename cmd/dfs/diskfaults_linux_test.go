package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fault lets the calls of a kind fail.
type fault struct {
	call        string
	errno       string
	text        string // of the error: a regular expression
	directories bool   // only calls that name an entry of one of the tree's directories
	temps       bool   // a temporary cannot be removed
}

// failed requires that a pull that met a fault told the truth: with exit code 0 all is as
// wanted; with 3 each path is named that is not; with 1 it says what failed and where.
func (c *scene) failed(when, r, text string, o ended) (temps int) {
	c.t.Helper()
	now := look(c.t, r)
	temps = checkWhole(c.t, when, now, c.old, c.new)
	if strings.Contains(o.output, "goroutine ") {
		c.t.Errorf("%s: dfs crashed: %s", when, o.output)
	}
	problems := o.of("problem")
	switch o.code {
	case exitDone, exitIncomplete:
		if (o.code == exitDone) != (len(problems) == 0) {
			c.t.Errorf("%s: exit code %d with problems of %q", when, o.code, problems)
		}
		for path := range union(c.old, c.new) {
			if now[path] != c.new[path] && !named(problems, path[1:]) {
				c.t.Errorf("%s: %q is %q, want %q, and not named: %s", when, path, now[path], c.new[path], o.output)
			}
		}
	case exitFailed:
		if message := o.message("error"); !regexp.MustCompile(text).MatchString(message) {
			c.t.Errorf("%s: %q is not in the error: %s", when, text, o.output)
		} else if len(problems) == 0 && !c.inTree(message) && !strings.Contains(message, r) {
			c.t.Errorf("%s: no path is named: %s", when, o.output)
		}
	default:
		c.t.Errorf("%s: exit code %d: %s", when, o.code, o.output)
	}
	return temps
}

// inTree reports whether a message names a path of the tree.
func (c *scene) inTree(message string) bool {
	for path := range union(c.old, c.new) {
		if strings.Contains(message, strconv.Quote(path[1:])) {
			return true
		}
	}
	return false
}

// named reports whether a path, or what is around it, is among problems.
func named(problems []string, path string) bool {
	return slices.ContainsFunc(problems, func(p string) bool {
		return p == path || strings.HasPrefix(p, path+"/") || strings.HasPrefix(path, p+"/")
	})
}

// message returns what the first line of a type says.
func (o ended) message(kind string) string {
	for _, l := range o.lines {
		if l.Type == kind {
			return l.Message
		}
	}
	return ""
}

// try lets the nth call of a pull fail, and has the pull repeated without the fault. It
// reports whether there was such a call.
func (c *scene) try(f fault, n int) bool {
	c.t.Helper()
	r := c.replica()
	defer c.remove(r)
	options := []string{"--seccomp-bpf", "-e", "trace=" + f.call, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", f.call, f.errno, n)}
	if f.directories {
		options = append(options, c.inDirectories(r)...)
	}
	o := c.traced(options, "pull", r)
	if o.at() == "" {
		c.must(0, o)
		return false
	}
	when := fmt.Sprintf("%s at %s %d", f.errno, f.call, n)
	c.t.Logf("%s: %d %s", when, o.code, o.at())
	if temps := c.failed(when, r, f.text, o); temps > 0 && !f.temps {
		c.t.Errorf("%s: %d temporaries are left: %s", when, temps, o.output)
	} else if o.code == exitDone && o.mattered() {
		c.t.Errorf("%s: exit code 0: %s", when, o.output)
	}
	c.settled(when, r)
	c.idle(c.must(0, c.dfs("pull", r)))
	return true
}

// unopposed are the edits of neverPushed that are no conflicts.
func unopposed() []node {
	return slices.DeleteFunc(slices.Clone(neverPushed), func(n node) bool { return n.path == "mine" || n.path == "wall/fresh" })
}

const (
	fullText  = "no space left on device"
	quotaText = "disk quota exceeded"
	ioText    = "input/output error"
	roText    = "read-only file system"
)

// TestFaultyPull lets each call by which a pull changes something fail.
func TestFaultyPull(t *testing.T) {
	s := newSite(t)
	s.without = rootsPowers
	c := newScene(s, treeBefore, treeAfter, unopposed())
	count := 0
	for _, f := range []fault{
		{call: "pwrite64", errno: "ENOSPC", text: fullText},
		{call: "pwrite64", errno: "EDQUOT", text: quotaText},
		{call: "pwrite64", errno: "EIO", text: ioText},
		{call: "ftruncate", errno: "ENOSPC", text: fullText},
		{call: "fchmod", errno: "EIO", text: ioText},
		{call: "utimensat", errno: "EIO", text: ioText},
		{call: "fsync", errno: "EIO", text: ioText},
		{call: "fsync", errno: "ENOSPC", text: fullText},
		{call: "openat", errno: "EROFS", text: roText, directories: true},
		{call: "openat", errno: "ENOSPC", text: fullText, directories: true},
		{call: "mkdirat", errno: "EDQUOT", text: quotaText, directories: true},
		{call: "symlinkat", errno: "ENOSPC", text: fullText, directories: true},
		{call: "renameat2", errno: "EIO", text: ioText, directories: true},
		{call: "renameat2", errno: "ENOSPC", text: fullText, directories: true},
		{call: "renameat2", errno: "EROFS", text: roText, directories: true},
		{call: "unlinkat", errno: "EIO", text: ioText, directories: true, temps: true},
		{call: "renameat", errno: "EIO", text: ioText},
	} {
		n := s.each(6, func(n int) bool { return c.try(f, n) })
		if n == 0 {
			t.Errorf("%s met no %s", f.call, f.errno)
		}
		count += n
	}
	t.Logf("%d faults", count)
}

// TestFaultySyncOfAll does so where the whole file system is synced.
func TestFaultySyncOfAll(t *testing.T) {
	s := newSite(t)
	var many []node
	for i := range 70 {
		many = append(many, node{fmt.Sprint("file", i), 0o644, fmt.Sprint("content ", i), 2})
	}
	c := newScene(s, []node{{"file3", 0o644, "old", 1}}, many, nil)
	if s.each(1, func(n int) bool { return c.try(fault{call: "syncfs", errno: "EIO", text: ioText}, n) }) == 0 {
		t.Error("the whole file system was not synced")
	}
}

// mountSmall mounts a file system of 8 MiB.
func (s *site) mountSmall() string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		s.t.Skipf("a file system cannot be mounted here: %v", err)
	}
	s.t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			s.t.Error(err)
		}
	})
	return dir
}

// fill leaves KiB free in a file system.
func fill(t *testing.T, dir string, free int64) (hog string) {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	hog = filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := int64(fs.Bavail)*fs.Bsize - free<<10; n > 0 {
		if err := os.WriteFile(hog, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return hog
}

// TestFullDisk pulls onto a disk with ever more free space, until that suffices. A pull may see
// before it begins that there is too little; that of many small files, which
// take more space than they have bytes, comes to the end of the disk.
func TestFullDisk(t *testing.T) {
	s := newSite(t)
	large := append(slices.Clone(treeAfter), node{"small", asDir | 0o755, "", 2})
	for i := range 300 {
		large = append(large, node{fmt.Sprint("small/", i), 0o644, fmt.Sprint("content ", i), 2})
	}
	c := newSceneAt(s, s.mountSmall(), treeBefore, large, unopposed())
	count := s.each(8, func(n int) bool {
		r := c.replica()
		defer c.remove(r)
		free := int64(n-1) * 4
		if n > 16 { // the state has found room
			free = int64(n-13) * 16
		}
		hog := fill(t, c.place, free)
		o := c.dfs("pull", r)
		when := fmt.Sprintf("%d KiB free", free)
		t.Logf("%s: %d %s", when, o.code, o.message("error"))
		if temps := c.failed(when, r, fullText+"|nothing was changed", o); temps > 0 {
			t.Errorf("%s: %d temporaries are left: %s", when, temps, o.output)
		}
		if err := os.Remove(hog); err != nil {
			t.Fatal(err)
		}
		c.settled(when, r)
		c.idle(c.must(0, c.dfs("pull", r)))
		return o.code != 0
	})
	t.Logf("%d pulls onto a full disk", count)
}

// TestReadOnlyDisk pulls onto a disk that became read-only.
func TestReadOnlyDisk(t *testing.T) {
	s := newSite(t)
	c := newSceneAt(s, s.mountSmall(), treeBefore, treeAfter, unopposed())
	r := c.replica()
	remount := func(flags uintptr) {
		if err := unix.Mount("", c.place, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY)
	o := c.must(exitFailed, c.dfs("pull", r))
	c.failed("read-only", r, roText, o)
	compareStates(t, "read-only", look(t, r), c.old)
	remount(0)
	c.settled("read-only", r)
}

// forbiddenBefore and forbiddenAfter have changes that cannot be made in each place that
// forbid closes, and others around them.
var (
	forbiddenBefore = []node{
		{"a", 0o644, "old", 1},
		{"attr", 0o644, "same", 1},
		{"closed", asDir | 0o755, "", 1},
		{"closed/gone", 0o644, "goes", 1},
		{"closed/old", 0o644, "old", 1},
		{"fixed", 0o644, "old", 1},
		{"foreign", asDir | 0o755, "", 1},
		{"foreign/attr", 0o644, "same", 1},
		{"foreign/gone", 0o644, "goes", 1},
		{"foreign/old", 0o644, "old", 1},
		{"gone", 0o644, "goes", 1},
		{"secret", 0o644, "old", 1},
		{"z", 0o644, "old", 1},
	}
	forbiddenAfter = []node{
		{"a", 0o644, "new", 2},
		{"attr", 0o600, "same", 2},
		{"closed", asDir | 0o755, "", 1},
		{"closed/new", 0o644, "new", 2},
		{"closed/old", 0o644, "new", 2},
		{"fixed", 0o644, "new", 2},
		{"foreign", asDir | 0o755, "", 1},
		{"foreign/attr", 0o600, "same", 2},
		{"foreign/new", 0o644, "new", 2},
		{"foreign/old", 0o644, "new", 2},
		{"secret", 0o644, "new", 2},
		{"z", 0o644, "new", 2},
	}
)

// forbid closes a file and a directory, gives others away, and makes two immutable where that can be.
// It returns the paths that cannot be changed then.
func forbid(t *testing.T, r string) []string {
	t.Helper()
	t.Cleanup(func() { permit(r) })
	for _, err := range []error{
		os.Chmod(filepath.Join(r, "closed"), 0), os.Chmod(filepath.Join(r, "secret"), 0),
		os.Chown(filepath.Join(r, "attr"), 65534, -1), os.Chown(filepath.Join(r, "foreign"), 65534, -1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	paths := []string{"attr", "closed", "foreign/gone", "foreign/new", "foreign/old", "secret"}
	if out, err := exec.Command("chattr", "+i", filepath.Join(r, "fixed"), filepath.Join(r, "gone")).CombinedOutput(); err != nil {
		t.Logf("nothing is immutable here: %v: %s", err, out)
		return paths
	}
	return append(paths, "fixed", "gone")
}

// permit undoes what forbid did.
func permit(r string) {
	os.Chmod(filepath.Join(r, "closed"), 0o755)
	os.Chmod(filepath.Join(r, "secret"), 0o644)
	os.Chown(filepath.Join(r, "attr"), 0, -1)
	os.Chown(filepath.Join(r, "foreign"), 0, -1)
	exec.Command("chattr", "-i", filepath.Join(r, "fixed"), filepath.Join(r, "gone")).Run()
}

// TestForbiddenPull pulls to where some may not be read or written: it is named, the
// others are written, and once it is permitted a further pull makes the rest.
func TestForbiddenPull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s := newSite(t)
	s.without = rootsPowers + ",-fowner"
	c := newScene(s, forbiddenBefore, forbiddenAfter, nil)
	r := c.replica()
	want := forbid(t, r)
	o := c.must(exitIncomplete, c.dfs("pull", r))
	permit(r)
	for _, path := range want {
		if !named(o.of("problem"), path) {
			t.Errorf("%q is not named: %s", path, o.output)
		}
	}
	for _, path := range o.of("problem") {
		if !named(want, path) {
			t.Errorf("%q is named: %s", path, o.output)
		}
	}
	if temps := c.failed("forbidden", r, "", o); temps > 0 {
		t.Errorf("%d temporaries are left", temps)
	}
	c.settled("forbidden", r)
	c.idle(c.must(0, c.dfs("pull", r)))
}

// TestFaultyPush lets the reading of a file, the opening of another and the listing of a directory fail in
// turn: it is named, the rest goes, and what the hub had of it stays until it
// can be read.
func TestFaultyPush(t *testing.T) {
	s := newSite(t)
	src, other := filepath.Join(s.dir, "src"), filepath.Join(s.dir, "other")
	tree := func(text string, hour int) []node {
		return []node{{"dir", asDir | 0o755, "", 1}, {"dir/in", 0o644, text, hour}, {"file", 0o644, text, hour}, {"rest", 0o644, text, hour}}
	}
	big := func(hour int) []node { return []node{{"big", 0o644, strings.Repeat("changed ", 4<<20), hour}} }
	plant(t, src, append(tree("old", 1), big(1)...))
	s.must(0, s.dfs("push", src))
	s.must(0, s.dfs("pull", other, "--volume", "src"))
	for i, f := range []struct{ path, calls, match, problem string }{
		{"file", "read,pread64", "file", "file"},
		{"big", "read,pread64", "big", "big"},
		{"file", "openat,openat2", "", "file"},
		{"dir", "getdents64", "dir", "dir"},
		{"dir", "openat2", "", "dir"},
	} {
		was := look(t, other)
		edit(t, src, tree(fmt.Sprint(i, " changed"), i+2))
		if f.path == "big" {
			edit(t, src, big(i+2))
		}
		match := f.path // as an argument of the call
		if f.match != "" {
			match = filepath.Join(src, f.match) // as the file of a descriptor
		}
		o := s.traced([]string{"--seccomp-bpf", "-P", match, "-e", "trace=" + f.calls, "-e", "inject=" + f.calls + ":error=EIO"}, "push", src)
		when := fmt.Sprintf("EIO at %s of %s", f.calls, f.path)
		t.Logf("%s: %s", when, o.at())
		s.must(exitIncomplete, o)
		if got := o.of("problem"); !slices.Equal(got, []string{f.problem}) || !strings.Contains(o.message("problem"), ioText) {
			t.Errorf("%s: problems of %q, want %q: %s", when, got, f.problem, o.output)
		}
		s.must(0, s.dfs("pull", other))
		want := look(t, src)
		for path := range want {
			if p := path[1:]; p == f.path || strings.HasPrefix(p, f.path+"/") {
				want[path] = was[path]
			}
		}
		compareStates(t, when, look(t, other), want)
		s.must(0, s.dfs("push", src))
		s.must(0, s.dfs("pull", other))
		compareStates(t, when+", and then none", look(t, other), look(t, src))
	}
}
