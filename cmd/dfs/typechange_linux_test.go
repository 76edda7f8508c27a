package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// shape is something that can stand at a path.
type shape struct {
	name string
	make func(path string) error
}

func (s shape) directory() bool { return s.name == "empty" || s.name == "full" }

func shapes() []shape {
	link := func(target string) func(string) error {
		return func(path string) error { return os.Symlink(target, path) }
	}
	return []shape{
		{"file", func(path string) error { return os.WriteFile(path, []byte("the file "+path), 0o640) }},
		{"empty", func(path string) error { return os.Mkdir(path, 0o755) }},
		{"full", makeFull},
		{"filelink", link("../target/file")},
		{"dirlink", link("../target")},
		{"dangling", link("nowhere")},
	}
}

func makeFull(path string) error {
	if err := os.MkdirAll(filepath.Join(path, "below/deeper"), 0o750); err != nil {
		return err
	}
	for _, name := range []string{"known", "below/known", "below/deeper/known"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(name+" in "+path), 0o644); err != nil {
			return err
		}
	}
	return os.Symlink("../target", filepath.Join(path, "link"))
}

// typeChanges is a volume in which each path becomes, on one side, something of another shape.
type typeChanges struct {
	h    *home
	t    *testing.T
	a, b string // the replicas
}

// newTypeChanges has both sides have the first shapes.
func newTypeChanges(t *testing.T, h *home) *typeChanges {
	t.Helper()
	c := &typeChanges{h: h, t: t, a: h.path("a"), b: h.path("b")}
	check(t, os.MkdirAll(filepath.Join(c.a, "target"), 0o755))
	check(t, os.MkdirAll(filepath.Join(c.a, "pairs"), 0o755))
	check(t, os.WriteFile(filepath.Join(c.a, "target/file"), []byte("a target"), 0o644))
	check(t, os.WriteFile(filepath.Join(c.a, ".dfsignore"), []byte("ignored\n"), 0o644))
	c.each(func(from, to shape, name string) { check(t, from.make(filepath.Join(c.a, name))) })
	h.push(0, c.a, "v")
	h.pull(0, c.b, "v")
	c.same()
	return c
}

// each calls fn with every ordered pair of shapes, and the path that changes from one
// to the other.
func (c *typeChanges) each(fn func(from, to shape, name string)) {
	for _, from := range shapes() {
		for _, to := range shapes() {
			if from.name != to.name {
				fn(from, to, "pairs/"+from.name+"-"+to.name)
			}
		}
	}
}

// change gives every path its second shape and pushes that.
func (c *typeChanges) change() {
	c.t.Helper()
	c.each(func(from, to shape, name string) {
		check(c.t, os.RemoveAll(filepath.Join(c.a, name)))
		check(c.t, to.make(filepath.Join(c.a, name)))
	})
	c.h.push(0, c.a, "v")
}

func (c *typeChanges) tree(dir string) map[string]string {
	c.t.Helper()
	all, err := describe(dir)
	check(c.t, err)
	return all
}

func (c *typeChanges) same() {
	c.t.Helper()
	compareTrees(c.t, "pulled", c.tree(c.b), c.tree(c.a))
}

// put writes, on the other side, a file that the hub does not know or has another
// version of.
func (c *typeChanges) put(name, content string) {
	c.t.Helper()
	check(c.t, os.WriteFile(filepath.Join(c.b, name), []byte(content), 0o600))
}

// untimed leaves out the times of directories, which are no change of their own.
func untimed(tree map[string]string) map[string]string {
	all := maps.Clone(tree)
	for name, what := range all {
		if mode, _, found := strings.Cut(what, " "); found && strings.HasPrefix(what, "d") {
			all[name] = mode
		}
	}
	return all
}

// expect requires that b has what a has, but at own and below what b had before and what is new there.
func (c *typeChanges) expect(before map[string]string, own []string) {
	c.t.Helper()
	want := c.tree(c.a)
	for _, name := range own {
		for found := range want {
			if found == "/"+name || strings.HasPrefix(found, "/"+name+"/") {
				delete(want, found)
			}
		}
	}
	for name, what := range before {
		want[name] = what
	}
	compareTrees(c.t, "pulled beside changes", untimed(c.tree(c.b)), untimed(want))
}

// leading returns what b has at name and at the directories that lead there from above, of
// which root is the first. Where root stays a directory it takes the hub's attributes.
func (c *typeChanges) leading(root string, to shape, name string) map[string]string {
	all := map[string]string{}
	for found, what := range c.tree(c.b) {
		leads := found == "/"+name || strings.HasPrefix("/"+name, found+"/") && strings.HasPrefix(found, "/"+root)
		if leads && (found == "/"+name || found != "/"+root || !to.directory()) {
			all[found] = what
		}
	}
	return all
}

// TestTypeChanges: what became something of another type on one side does so on the other, in
// all directions.
func TestTypeChanges(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		c := newTypeChanges(t, h)
		c.change()
		h.pull(0, c.b, "v")
		c.same()
		t.Logf("%d paths changed their type", len(shapes())*(len(shapes())-1))
		checkQuiet(t, h, c.a, "push")
		checkQuiet(t, h, c.b, "push")
	})
}

// TestTypeChangesBesideUnknown: a directory that is to become something else holds a file
// that the hub does not know, or that is ignored. It stays with what leads to it, the path is a conflict, or where
// the file is ignored a problem, and when the file is gone the next pull does what was left.
func TestTypeChangesBesideUnknown(t *testing.T) {
	for _, at := range []string{"unknown", "below/unknown", "ignored", "below/ignored"} {
		t.Run(strings.ReplaceAll(at, "/", " "), func(t *testing.T) {
			eachHub(t, func(t *testing.T, h *home) { checkBesideUnknown(t, h, at) })
		})
	}
}

func checkBesideUnknown(t *testing.T, h *home, at string) {
	c := newTypeChanges(t, h)
	before := map[string]string{}
	var held, files []string
	kind, code := "conflict", exitConflicts
	if strings.HasSuffix(at, "ignored") {
		kind, code = "problem", exitIncomplete
	}
	c.each(func(from, to shape, name string) {
		if from.name != "full" && (from.name != "empty" || strings.Contains(at, "/")) {
			return
		}
		c.put(name+"/"+at, "unknown in "+name)
		maps.Copy(before, c.leading(name, to, name+"/"+at))
		files = append(files, name+"/"+at)
		if !to.directory() {
			held = append(held, name)
		}
	})
	c.change()
	for range 2 {
		h.pull(code, c.b, "v").requirePaths(t, kind, held...)
		c.expect(before, held)
	}
	for _, name := range files {
		check(t, os.Remove(filepath.Join(c.b, name)))
	}
	if strings.Contains(at, "/") { // the directory that led to it is an empty one of this side now
		c.each(func(from, to shape, name string) {
			if from.name == "full" && to.name != "full" {
				os.Remove(filepath.Join(c.b, name, "below"))
			}
		})
	}
	h.pull(0, c.b, "v")
	compareTrees(t, "pulled at last", untimed(c.tree(c.b)), untimed(c.tree(c.a)))
	t.Logf("%d unknown files, %d times a %s", len(files), len(held), kind)
}

// TestTypeChangesBesideEdits: what is to become something else was itself changed on this side. It stays
// as it is, and is a conflict.
func TestTypeChangesBesideEdits(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		c := newTypeChanges(t, h)
		before := map[string]string{}
		var conflicts, kept []string
		c.each(func(from, to shape, name string) {
			edited := c.edit(from, name)
			if edited == "" {
				return
			}
			maps.Copy(before, c.leading(name, to, edited))
			if from.name == "full" {
				kept = append(kept, edited)
			}
			if from.name == "full" && to.name == "empty" {
				return
			}
			conflicts = append(conflicts, name)
		})
		c.change()
		o := h.pull(4, c.b, "v")
		o.requireAbove(t, "conflict", conflicts...)
		o.requirePaths(t, "kept", kept...)
		c.expect(before, conflicts)
		h.pull(4, c.b, "v")
		c.expect(before, conflicts)
		t.Logf("%d edits, %d conflicts, %d kept", len(before), len(conflicts), len(kept))
	})
}

// requireAbove requires lines of a type for these paths, and else only for what lies below one.
func (o *outcome) requireAbove(t *testing.T, kind string, want ...string) {
	t.Helper()
	var got []string
	for _, name := range o.paths[kind] {
		if !slices.ContainsFunc(want, func(above string) bool { return strings.HasPrefix(name, above+"/") }) {
			got = append(got, name)
		}
	}
	(&outcome{args: o.args, paths: map[string][]string{kind: got}}).requirePaths(t, kind, want...)
}

// edit changes what b has at name and returns the path that changed.
func (c *typeChanges) edit(from shape, name string) string {
	c.t.Helper()
	switch from.name {
	case "file":
		c.put(name, "edited "+name)
		return name
	case "full":
		c.put(name+"/known", "edited in "+name)
		return name + "/known"
	case "filelink", "dirlink", "dangling":
		path := filepath.Join(c.b, name)
		check(c.t, os.Remove(path))
		check(c.t, os.Symlink("edited", path))
		return name
	}
	return ""
}

// TestTypeChangesBesideSpecial: what is in the way, and no pull can look into, stays.
func TestTypeChangesBesideSpecial(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		c := newTypeChanges(t, h)
		var changed []string
		c.each(func(from, to shape, name string) {
			check(t, os.RemoveAll(filepath.Join(c.b, name)))
			check(t, unix.Mkfifo(filepath.Join(c.b, name), 0o644))
			changed = append(changed, name)
		})
		c.change()
		o := h.pull(3, c.b, "v")
		for _, name := range changed {
			info, err := os.Lstat(filepath.Join(c.b, name))
			if err != nil || info.Mode().Type() != fs.ModeNamedPipe {
				t.Errorf("%s, a fifo before, is %v, %v", name, info, err)
			}
			if !slices.Contains(o.paths["problem"], name) {
				t.Errorf("%s is not named", name)
			}
			check(t, os.Remove(filepath.Join(c.b, name)))
		}
		h.pull(0, c.b, "v")
		compareTrees(t, "pulled at last", untimed(c.tree(c.b)), untimed(c.tree(c.a)))
	})
}

// TestClosedDirectories: without root's powers a pull writes into directories that may not
// be written and gives them their mode back; what lies in one that may not even
// be listed is named and stays.
func TestClosedDirectories(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can push what it may not read")
	}
	eachHub(t, func(t *testing.T, h *home) {
		src, dst := h.path("src"), h.path("dst")
		g := newGrower(t, src)
		modes := []uint32{0o555, 0o500, 0o000, 0o001, 0o100, 0o300}
		for _, mode := range modes {
			name := fmt.Sprintf("%04o", mode)
			g.directory(name + "/gone")
			g.file(name+"/replaced", "old")
			g.file(name+"/removed", "old")
			g.file(name+"/gone/file", "old")
			g.mode(name, mode)
		}
		h.push(0, src, "v")
		b := h.bounded()
		b.pull(0, dst, "v")
		compareTrees(t, "pulled", inventory(t, dst), g.want(src))
		old := inventory(t, dst)
		var closed []string
		for _, mode := range modes {
			name := fmt.Sprintf("%04o", mode)
			g.file(name+"/replaced", "new, and longer")
			g.file(name+"/added", "new")
			g.symlink("x", name+"/link")
			check(t, g.root.Remove(name+"/removed"))
			check(t, g.root.RemoveAll(name+"/gone"))
			if mode&0o400 == 0 {
				closed = append(closed, name)
			}
		}
		h.push(0, src, "v")
		o := b.pull(3, dst, "v")
		want := g.want(src)
		for _, name := range closed {
			if !slices.Contains(o.paths["problem"], name) {
				t.Errorf("%s is not named", name)
			}
			for path := range want {
				if path == name || strings.HasPrefix(path, name+"/") {
					delete(want, path)
				}
			}
			for path, what := range old {
				if path == name || strings.HasPrefix(path, name+"/") {
					want[path] = what
				}
			}
		}
		compareTrees(t, "pulled again", inventory(t, dst), want)
		h.pull(0, dst, "v")
		compareTrees(t, "pulled with root's powers", inventory(t, dst), g.want(src))
	})
}
