package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// grower makes the entries of a tree below root, however deep.
type grower struct {
	t       *testing.T
	root    *os.Root
	special map[string]bool // paths that must not travel
}

func newGrower(t *testing.T, dir string) *grower {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	root, err := os.OpenRoot(dir)
	check(t, err)
	t.Cleanup(func() { root.Close() })
	return &grower{t: t, root: root, special: map[string]bool{}}
}

func (g *grower) directory(name string) { g.t.Helper(); check(g.t, g.root.MkdirAll(name, 0o755)) }

func (g *grower) file(name, content string) {
	g.t.Helper()
	check(g.t, g.root.WriteFile(name, []byte(content), 0o644))
}

func (g *grower) symlink(target, name string) { g.t.Helper(); check(g.t, g.root.Symlink(target, name)) }

// parent calls fn with the directory that name lies in.
func (g *grower) parent(name string, fn func(dir int, base string) error) error {
	d, err := g.root.OpenRoot(path.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	f, err := d.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return fn(int(f.Fd()), path.Base(name))
}

// mode sets all 12 bits of a mode.
func (g *grower) mode(name string, mode uint32) {
	g.t.Helper()
	check(g.t, g.parent(name, func(dir int, base string) error { return unix.Fchmodat(dir, base, mode, 0) }))
}

func (g *grower) time(name string, at time.Time) {
	g.t.Helper()
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: at.Unix(), Nsec: int64(at.Nanosecond())}}
	check(g.t, g.parent(name, func(dir int, base string) error {
		return unix.UtimesNanoAt(dir, base, ts, unix.AT_SYMLINK_NOFOLLOW)
	}))
	info, err := g.root.Lstat(name)
	check(g.t, err)
	if !info.ModTime().Equal(at) {
		g.t.Logf("this file system makes %v of %v", info.ModTime().UTC(), at.UTC())
	}
}

// names grows entries whose names are hard to bear.
func (g *grower) names() {
	for _, name := range []string{
		"invalid \xff\xfe utf-8", "\xc3", "new\nline", "\n", "\x1b[31mred\x1b]0;title\a", "right\u202eleft\u2066", "\x7f\x01", "tab\tcr\r",
		strings.Repeat("n", 255), strings.Repeat("\xff", 255), strings.Repeat("é", 127), "-rf", "--json", "-", " ", "  two", "trail ", "dot.", "...", "..a",
		"nfc-\u00e9", "nfd-e\u0301", "\u00e9", "e\u0301", "\ufb01", "fi", "a", "A", "ß", "SS", "\u0130", "i",
		"*?[", "a\\b", "'", "\"", "$(x)", "`x`", "~", "#", "con", "nul.txt", "a:b", ".dfs2", ".dfs-", ".dfs-tmp-N", ".git", "\u200c",
	} {
		g.directory("names/" + name)
		g.file("names/"+name+"/"+name, "in "+name)
		g.file("plain names/"+name, name)
		g.symlink(name, "links to names/"+name)
	}
}

// depth grows 300 levels, and the longest path there is.
func (g *grower) depth() {
	deep := "deep" + strings.Repeat("/d", 300)
	g.directory(deep)
	g.file(deep+"/file", "300 deep")
	g.symlink(strings.Repeat("../", 300)+"file", deep+"/link")
	long := strings.Repeat(strings.Repeat("l", 255)+"/", 15)
	g.directory(long)
	for _, c := range "abc" {
		g.file(long+strings.Repeat(string(c), 255), "at 4,095 bytes")
	}
	g.directory(long + strings.Repeat("d", 255))
	g.symlink("x", long+strings.Repeat("s", 255))
	g.file(long+strings.Repeat("e", 247), "leaves no room for a longer name beside it")
}

// modes grows files and directories of each kind of mode. Without root's powers
// what cannot be read would stay behind, so that is left out.
func (g *grower) modes() {
	all := os.Geteuid() == 0
	for _, mode := range []uint32{0, 0o001, 0o111, 0o200, 0o400, 0o444, 0o555, 0o600, 0o640, 0o666, 0o777, 0o4755, 0o2755, 0o6711, 0o1644} {
		if name := fmt.Sprintf("modes/file %o", mode); all || mode&0o400 != 0 {
			g.file(name, name)
			g.mode(name, mode)
		}
	}
	for _, mode := range []uint32{0, 0o001, 0o100, 0o300, 0o500, 0o555, 0o711, 0o777, 0o1777, 0o2775, 0o5755, 0o6700} {
		if name := fmt.Sprintf("modes/directory %o", mode); all || mode&0o500 == 0o500 {
			g.directory(name + "/below/below")
			g.directory(name + "/empty")
			g.file(name+"/file", name)
			g.file(name+"/below/file", name)
			g.mode(name+"/below", mode)
			g.mode(name, mode)
		}
	}
}

var hardTimes = []time.Time{
	time.Date(1901, 12, 14, 0, 0, 0, 1, time.UTC), time.Date(1960, 2, 29, 12, 0, 0, 123456789, time.UTC), time.Unix(-1, 999999999), time.Unix(-1, 1),
	time.Unix(-1, 0), time.Unix(0, 0), time.Unix(0, 1), time.Unix(1<<31-1, 999999999), time.Unix(1<<31, 0), time.Unix(1<<32, 7),
	time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 987654321, time.UTC),
}

// times grows entries of each kind with times that are rare.
func (g *grower) times() {
	for i, at := range hardTimes {
		dir := fmt.Sprintf("times/%02d", i)
		g.directory(dir + "/full")
		g.directory(dir + "/empty")
		g.file(dir+"/full/file", "x")
		g.file(dir+"/file", "x")
		g.symlink("file", dir+"/link")
		for _, name := range []string{"/full/file", "/full", "/empty", "/file", "/link", ""} {
			g.time(dir+name, at)
		}
	}
}

const (
	sparseSize  = 3 << 30
	sparseSpace = 4 << 20 // at most, for two islands of data
)

// holes grows a file of 3 GiB with an island in the middle and one at the end,
// and a smaller one that is nothing but a hole.
func (g *grower) holes() {
	g.directory("holes")
	g.sparse("holes/islands", sparseSize, sparseSize/2+12345, sparseSize-7)
	g.sparse("holes/hole", 64<<20)
}

func (g *grower) sparse(name string, size int64, islands ...int64) {
	g.t.Helper()
	f, err := g.root.Create(name)
	check(g.t, err)
	check(g.t, f.Truncate(size))
	for _, off := range islands {
		_, err := f.WriteAt([]byte("island!"), off)
		check(g.t, err)
	}
	check(g.t, f.Close())
}

// hardLinks grows many names of one file.
func (g *grower) hardLinks(n int) {
	g.directory("hard links")
	g.file("hard links/0", "a file of many names")
	for i := 1; i < n; i++ {
		err := g.root.Link("hard links/0", fmt.Sprintf("hard links/%d", i))
		if errors.Is(err, syscall.EMLINK) {
			g.t.Logf("this file system allows for %d hard links", i)
			return
		}
		check(g.t, err)
	}
}

// symlinks grows links that lead nowhere, elsewhere, in circles, and far.
func (g *grower) symlinks() {
	g.directory("symlinks/to")
	for name, target := range map[string]string{
		"dangling": "nowhere/at/all", "absolute": "/etc/passwd", "absolute directory": "/", "outside": "../../../../../../etc", "self": "self",
		"circle a": "circle b", "circle b": "circle a", "here": ".", "above": "..", "directory": "to", "to state": "../.dfs", "names nothing": "to/../to/./x//y/",
		"invalid \xff": "to \xfe\xff", "new\nline": "to\nline", "long": strings.Repeat("../", 1364) + "end", "blank": " ",
	} {
		g.symlink(target, "symlinks/"+name)
	}
}

// empty grows files and directories without content.
func (g *grower) empty() {
	g.directory("empty/directory/of/directories")
	g.directory("empty/other")
	g.file("empty/file", "")
	g.file("empty/other file", "")
}

// specials grows what is neither file nor directory nor symlink.
func (g *grower) specials() {
	g.directory("special")
	g.file("special/file", "is none")
	for name, mode := range map[string]uint32{"fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "null": unix.S_IFCHR, "block": unix.S_IFBLK} {
		name = "special/" + name
		err := g.parent(name, func(dir int, base string) error { return unix.Mknodat(dir, base, mode|0o666, int(unix.Mkdev(1, 3))) })
		if errors.Is(err, syscall.EPERM) && mode != unix.S_IFIFO {
			g.t.Logf("%s: %v", name, err)
			continue
		}
		check(g.t, err)
		g.special[name] = true
	}
}

func (g *grower) all() {
	for _, name := range []string{"plain names", "links to names", "modes"} {
		g.directory(name)
	}
	g.names()
	g.depth()
	g.modes()
	g.times()
	g.holes()
	g.hardLinks(100)
	g.symlinks()
	g.empty()
	g.specials()
}

// want returns the inventory of what travels.
func (g *grower) want(dir string) map[string]string {
	g.t.Helper()
	all := inventory(g.t, dir)
	for name := range g.special {
		delete(all, name)
	}
	return all
}

// TestHardTree: a tree of everything that is hard arrives elsewhere as it is, but for
// special files, which are named, and not waited for.
func TestHardTree(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	removable(t, src)
	g := newGrower(t, src)
	g.all()
	want := g.want(src)
	eachHub(t, func(t *testing.T, h *home) {
		check(t, os.RemoveAll(filepath.Join(src, ".dfs")))
		began := time.Now()
		o := h.exits(0, "push", src, "--hub", h.hub, "--volume", "v", "-v")
		if int(o.sum.Skipped) != len(g.special) {
			t.Errorf("%d files were skipped, want %d", o.sum.Skipped, len(g.special))
		}
		for name := range g.special {
			if !strings.Contains(strings.Join(o.paths["skipped"], "\n"), name) {
				t.Errorf("%s is not named as skipped", name)
			}
		}
		pushed := time.Since(began)
		dst := h.path("dst")
		p := h.pull(0, dst, "v")
		t.Logf("%d entries, %d files; push %.1f s, pull %.1f s", len(want), p.sum.Added, pushed.Seconds(), time.Since(began).Seconds()-pushed.Seconds())
		compareTrees(t, "pulled", inventory(t, dst), want)
		checkPulled(t, dst)
		checkQuiet(t, h, src, "push")
		checkQuiet(t, h, dst, "push")
		checkQuiet(t, h, dst, "pull")
		bounded := h.bounded()
		bounded.pull(0, h.path("bounded"), "v")
		compareTrees(t, "pulled without root's powers", inventory(t, h.path("bounded")), want)
	})
}

// checkQuiet requires that nothing is left to be done.
func checkQuiet(t *testing.T, h *home, dir, command string) {
	t.Helper()
	if s := h.exits(0, command, dir).sum; s.Added+s.Modified+s.Deleted != 0 {
		t.Errorf("%s once more: %d added, %d modified, %d deleted", command, s.Added, s.Modified, s.Deleted)
	}
}

// checkPulled looks at what the inventory does not tell: that files with holes have
// them, that setuid, setgid and sticky bits have not come, and hard links neither.
func checkPulled(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"holes/islands", "holes/hole"} {
		var st unix.Stat_t
		check(t, unix.Lstat(filepath.Join(dir, name), &st))
		if space := st.Blocks * 512; space > sparseSpace {
			t.Errorf("%s takes %d bytes of space", name, space)
		} else {
			t.Logf("%s: %d bytes in %d KiB", name, st.Size, space>>10)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "modes"))
	check(t, err)
	for _, e := range entries {
		info, err := e.Info()
		check(t, err)
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			t.Errorf("%s has the mode %v", e.Name(), info.Mode())
		}
	}
	var st unix.Stat_t
	check(t, unix.Lstat(filepath.Join(dir, "hard links/1"), &st))
	if st.Nlink != 1 {
		t.Errorf("a file that was pulled has %d names", st.Nlink)
	}
}

// TestHardLinks: the names of one file, 50,000 or DFS_LINKS, arrive as files of their own. A pull
// writes through none: a link to a file outside keeps that as it is.
func TestHardLinks(t *testing.T) {
	h := newHome(t, "http")
	src, dst := h.path("src"), h.path("dst")
	g := newGrower(t, src)
	g.hardLinks(amount("DFS_LINKS", 50_000))
	want := g.want(src)
	pushed := h.push(0, src, "v")
	pulled := h.pull(0, dst, "v")
	t.Logf("%d files; push %.1f s, pull %.1f s", pulled.sum.Added, pushed.sum.DurationS, pulled.sum.DurationS)
	compareTrees(t, "pulled", inventory(t, dst), want)
	canary, name := h.path("canary"), filepath.Join(dst, "hard links/7")
	check(t, os.Link(name, canary))
	before, err := os.Stat(canary)
	check(t, err)
	check(t, os.Remove(filepath.Join(src, "hard links/7")))
	g.file("hard links/7", "another file")
	g.mode("hard links/7", 0o600)
	h.push(0, src, "v")
	h.pull(0, dst, "v") // that it has a further link is no edit
	compareTrees(t, "pulled beside a link", describeIn(t, dst, "hard links/7"), describeIn(t, src, "hard links/7"))
	content, err := os.ReadFile(canary)
	check(t, err)
	after, err := os.Stat(canary)
	check(t, err)
	if string(content) != "a file of many names" || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file outside is %q %v %v, was %v %v", content, after.Mode(), after.ModTime(), before.Mode(), before.ModTime())
	}
}

// describeIn describes one path.
func describeIn(t *testing.T, dir, name string) map[string]string {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close()
	what, err := describeEntry(root, name)
	check(t, err)
	return map[string]string{name: what}
}

// TestDeepRoot: a root may itself lie so deep that the paths below it are longer than
// what the system takes in one piece.
func TestDeepRoot(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		deep := func(name string) string { return h.path(strings.Repeat(strings.Repeat(name, 200)+"/", 16)) }
		src, dst := deep("s"), deep("d")
		g := newGrower(t, src)
		g.depth()
		g.directory("plain names")
		g.directory("links to names")
		g.names()
		h.push(0, src, "v")
		h.pull(0, dst, "v")
		compareTrees(t, "pulled", inventory(t, dst), g.want(src))
		long := strings.Repeat(strings.Repeat("l", 255)+"/", 15)
		g.file(long+strings.Repeat("a", 255), "changed")
		check(t, g.root.Remove(long+strings.Repeat("b", 255)))
		check(t, g.root.RemoveAll("deep/d/d"))
		h.push(0, src, "v")
		h.pull(0, dst, "v")
		compareTrees(t, "pulled again", inventory(t, dst), g.want(src))
		t.Logf("roots of %d bytes, paths of up to %d", len(src), len(src)+4096)
	})
}

// TestPathsTooLong: what lies deeper than a path of 4,095 bytes is named, the rest
// travels, also past it, and nothing is taken for deleted.
func TestPathsTooLong(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		src := h.path("src")
		g := newGrower(t, src)
		g.file("before", "")
		g.file("zzz", "")
		level := strings.Repeat("l", 255)
		chain := strings.Repeat("/"+level, 16)[1:] // of 4,095 bytes
		g.directory(chain + "/" + level + "/" + level)
		g.file(chain[:len(chain)-1]+"f", "the longest path")
		g.file(chain+"/f", "too long")
		g.symlink("f", chain+"/s")
		g.file(chain+"/"+level+"/g", "below what is too long")
		want := g.want(src)
		for name := range want {
			if len(name) > 4095 {
				delete(want, name)
			}
		}
		for _, dst := range []string{h.path("first"), h.path("second")} {
			o := h.push(3, src, "v")
			o.requirePaths(t, "problem", chain+"/f", chain+"/s", chain+"/"+level)
			h.pull(0, dst, "v")
			compareTrees(t, "pulled", inventory(t, dst), want)
			g.file("zzz", "changed")
			want["zzz"] = g.want(src)["zzz"]
		}
		t.Logf("%d paths, the longest of 4095 bytes", len(want))
	})
}
