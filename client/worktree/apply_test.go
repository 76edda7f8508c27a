//go:build linux

package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dfs/manifest"
)

var moments = []manifest.Time{
	{Sec: -315619200, Nsec: 123456789}, // 1960
	{Sec: 7258118400, Nsec: 999999999}, // 2200
	{Sec: 1700000000, Nsec: 1},
	{Sec: 0, Nsec: 0},
	{Sec: -1, Nsec: 999999999},
}

// putFile applies a file's content up to where Flush takes over.
func putFile(t testing.TB, a *Applier, path, content string, m *manifest.Manifest, expect *Entry) {
	t.Helper()
	temp, err := a.File(path, m, expect)
	must(t, err)
	_, err = temp.WriteAt([]byte(content), 0)
	must(t, err)
	must(t, temp.Done())
}

func finish(t testing.TB, a *Applier) []Applied {
	t.Helper()
	applied, problems, err := a.Finish(t.Context())
	must(t, err)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return applied
}

func noTemps(t testing.TB, dir string) {
	t.Helper()
	for _, p := range everything(t, dir) {
		if strings.Contains(p, tempPrefix) {
			t.Errorf("left over: %q", p)
		}
	}
}

// TestApplyKinds makes every kind with odd attributes, whatever the umask, then
// changes and removes all of them.
func TestApplyKinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	a := r.Apply()
	want := map[string]Entry{}
	for i, at := range moments {
		d := fmt.Sprint("d", i)
		mode := uint16(0o7555)
		must(t, a.Directory(d, &manifest.Manifest{Kind: manifest.Directory, Mode: mode, Mtime: at}, nil))
		must(t, a.Directory(d+"/sub", &manifest.Manifest{Kind: manifest.Directory, Mode: 0o700, Mtime: at}, nil))
		putFile(t, a, d+"/f\xff\n", "content", fileOf("content", 0o4666, at), nil)
		must(t, a.Symlink(d+"/sub/l", &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Mtime: at, Target: "../\xfe"}, nil))
		want[d] = Entry{Kind: manifest.Directory, Mode: mode & 0o777, Mtime: at}
		want[d+"/sub"] = Entry{Kind: manifest.Directory, Mode: 0o700, Mtime: at}
		want[d+"/f\xff\n"] = Entry{Kind: manifest.File, Mode: 0o666, Mtime: at, Size: 7}
		want[d+"/sub/l"] = Entry{Kind: manifest.Symlink, Mode: 0o777, Mtime: at, Target: "../\xfe"}
	}
	checkApplied(t, r, finish(t, a), want)
	if got := content(t, dir, "d0/f\xff\n"); got != "content" {
		t.Errorf("content = %q", got)
	}

	a = r.Apply()
	at := manifest.Time{Sec: 1600000000, Nsec: 7}
	for i := range moments {
		d := fmt.Sprint("d", i)
		must(t, a.Attributes(d, &manifest.Manifest{Kind: manifest.Directory, Mode: 0o711, Mtime: at}, stat(t, r, d)))
		must(t, a.Attributes(d+"/f\xff\n", fileOf("content", 0o600, at), stat(t, r, d+"/f\xff\n")))
		must(t, a.Attributes(d+"/sub/l", &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Mtime: at, Target: "../\xfe"}, stat(t, r, d+"/sub/l")))
		want[d] = Entry{Kind: manifest.Directory, Mode: 0o711, Mtime: at}
		want[d+"/f\xff\n"] = Entry{Kind: manifest.File, Mode: 0o600, Mtime: at, Size: 7}
		want[d+"/sub/l"] = Entry{Kind: manifest.Symlink, Mode: 0o777, Mtime: at, Target: "../\xfe"}
	}
	applied := finish(t, a)
	for i := range moments {
		delete(want, fmt.Sprint("d", i, "/sub"))
	}
	checkApplied(t, r, applied, want)

	a = r.Apply()
	f := scan(t, r, 1)
	for _, e := range slices.Backward(f.entries) {
		must(t, a.Remove(e.Path, &e))
		must(t, a.Remove(e.Path, &e)) // to remove what is gone is no error
	}
	finish(t, a)
	if left := everything(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// checkApplied compares what was applied, by path, with want and with what is on disk.
func checkApplied(t *testing.T, r *Root, applied []Applied, want map[string]Entry) {
	t.Helper()
	if len(applied) != len(want) {
		t.Fatalf("%d changes applied, want %d", len(applied), len(want))
	}
	for _, ap := range applied {
		if now := stat(t, r, ap.Path); ap.Entry != *now {
			t.Errorf("%q is %+v, and was applied as %+v", ap.Path, *now, ap.Entry)
		}
		e := ap.Entry
		e.Path, e.Dev, e.Ino, e.Ctime = "", 0, 0, manifest.Time{}
		if e != want[ap.Path] {
			t.Errorf("%q applied as %+v, want %+v", ap.Path, e, want[ap.Path])
		}
	}
	noTemps(t, r.name)
}

// TestApplyReplaces replaces files and symlinks by each other, and checks that hard
// links of the old ones are not written through.
func TestApplyReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "file", "old")
	write(t, dir, "becomes link", "old")
	must(t, os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "hard")))
	must(t, os.Symlink("hard", filepath.Join(dir, "link")))
	a := r.Apply()
	at := manifest.Time{Sec: 5}
	putFile(t, a, "file", "new", fileOf("new", 0o600, at), stat(t, r, "file"))
	putFile(t, a, "link", "new", fileOf("new", 0o600, at), stat(t, r, "link"))
	must(t, a.Symlink("becomes link", &manifest.Manifest{Kind: manifest.Symlink, Target: "x", Mtime: at}, stat(t, r, "becomes link")))
	applied := finish(t, a)
	if len(applied) != 3 {
		t.Errorf("applied %+v", applied)
	}
	for _, ap := range applied {
		if ap.Racy {
			t.Errorf("%q is racy", ap.Path)
		}
		if rec := ap.Record(nil); ap.Manifest.Kind == manifest.File && !rec.Clean(*stat(t, r, ap.Path)) {
			t.Errorf("the record of %q is not clean", ap.Path)
		}
	}
	if got := content(t, dir, "file") + content(t, dir, "link") + content(t, dir, "hard"); got != "newnewold" {
		t.Errorf("contents = %q", got)
	}
	if got, _ := os.Readlink(filepath.Join(dir, "becomes link")); got != "x" {
		t.Errorf("target = %q", got)
	}
	noTemps(t, dir)
}

// TestApplyKeepsEdits makes a local edit at each moment before Flush: it stays,
// is reported, and nothing is left beside it.
func TestApplyKeepsEdits(t *testing.T) {
	t.Parallel()
	edits := map[string]func(name string) error{
		"in place":  func(name string) error { return os.WriteFile(name, []byte("edit"), 0o666) },
		"by rename": byRename,
		"to link":   func(name string) error { return errors.Join(os.RemoveAll(name), os.Symlink("edit", name)) },
		"to dir":    func(name string) error { return errors.Join(os.RemoveAll(name), os.MkdirAll(name+"/edit", 0o777)) },
		"attributes": func(name string) error {
			return errors.Join(os.WriteFile(name, []byte("old!"), 0o666), os.Chmod(name, 0o604))
		},
	}
	changes := map[string]func(a *Applier, r *Root, e *Entry) error{
		"replace": func(a *Applier, r *Root, e *Entry) error {
			m := fileOf("", 0o644, manifest.Time{})
			temp, err := a.File("d/file", m, e)
			if err != nil {
				return err
			}
			return temp.Done()
		},
		"link": func(a *Applier, r *Root, e *Entry) error {
			return a.Symlink("d/file", &manifest.Manifest{Kind: manifest.Symlink, Target: "x"}, e)
		},
		"remove": func(a *Applier, r *Root, e *Entry) error {
			if e == nil {
				return ErrChanged
			}
			return a.Remove("d/file", e)
		},
		"attributes": func(a *Applier, r *Root, e *Entry) error {
			if e == nil {
				return ErrChanged
			}
			return a.Attributes("d/file", fileOf("", 0o600, manifest.Time{}), e)
		},
	}
	for edit, make := range edits {
		for change, apply := range changes {
			for _, isNew := range []bool{true, false} {
				for _, late := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s/%s/new=%v/late=%v", edit, change, isNew, late), func(t *testing.T) {
						t.Parallel()
						keepsEdit(t, make, apply, isNew, late)
					})
				}
			}
		}
	}
}

func byRename(name string) error {
	return errors.Join(os.WriteFile(name+"~", []byte("edit"), 0o666), os.Rename(name+"~", name))
}

func keepsEdit(t *testing.T, edit func(string) error, change func(*Applier, *Root, *Entry) error, isNew, late bool) {
	dir := memoryDir(t)
	r := openTest(t, dir)
	name := filepath.Join(dir, "d/file")
	var expect *Entry
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o777))
	if !isNew {
		write(t, dir, "d/file", "old!")
		expect = stat(t, r, "d/file")
		for expect.Racy(probe(t, r)) {
		}
	}
	if !late {
		must(t, edit(name))
	}
	a := r.Apply()
	err := change(a, r, expect)
	if late {
		if err == nil && !onDisk(t, r, expect) {
			a.Abort()
			return // the change was made at once, before the edit
		}
		must(t, edit(name))
	}
	before := stat(t, r, "d/file")
	_, problems, ferr := a.Finish(t.Context())
	must(t, ferr)
	if err == nil && len(problems) == 1 {
		err = problems[0].Err
	}
	if !errors.Is(err, ErrChanged) {
		t.Errorf("the change ended with %v, want %v", err, ErrChanged)
	}
	if after := stat(t, r, "d/file"); *after != *before {
		t.Errorf("the edit is %+v, was %+v", *after, *before)
	}
	for _, p := range everything(t, dir) {
		if p != "d" && p != "d/file" && p != "d/file/edit" {
			t.Errorf("left over: %q", p)
		}
	}
}

// onDisk reports whether d/file is still what it was before a change.
func onDisk(t *testing.T, r *Root, was *Entry) bool {
	t.Helper()
	now, err := r.Stat("d/file")
	if was == nil {
		return errors.Is(err, os.ErrNotExist)
	}
	return err == nil && now == *was
}

// TestApplyLooks edits after the last check of what is at the path: what comes out
// is looked at, and put back.
func TestApplyLooks(t *testing.T) {
	t.Parallel()
	edits := map[string]func(name string) error{
		"in place":  func(name string) error { return os.WriteFile(name, []byte("edit"), 0o666) },
		"by rename": byRename,
		"to link":   func(name string) error { return errors.Join(os.Remove(name), os.Symlink("edit", name)) },
		"to dir":    func(name string) error { return errors.Join(os.Remove(name), os.MkdirAll(name+"/edit", 0o777)) },
	}
	for edit, make := range edits {
		dir := memoryDir(t)
		r := openTest(t, dir)
		d, err := r.dir.sub("")
		must(t, err)
		defer d.close()
		write(t, dir, "file", "base")
		expect := stat(t, r, "file")
		for expect.Racy(probe(t, r)) {
		}
		must(t, make(filepath.Join(dir, "file")))
		edited := stat(t, r, "file")

		write(t, dir, "temp", "ours")
		s := &staged{path: "file", temp: "temp", entry: *stat(t, r, "temp"), expect: expect}
		if err := s.exchange(r, d, "file"); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: exchange: %v", edit, err)
		}
		s.discard(d, "file", ErrChanged)
		if err := r.Apply().removeEntry(d, "file", "file", expect); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: removeEntry: %v", edit, err)
		}
		if now := stat(t, r, "file"); !edited.sameMoved(now) {
			t.Errorf("%s: there is %+v, the edit was %+v", edit, *now, *edited)
		}
		for _, p := range everything(t, dir) {
			if p != "file" && p != "file/edit" {
				t.Errorf("%s: left: %q", edit, p)
			}
		}
	}
}

// TestApplyPutsAside has a second edit come between exchange and swapping back: both
// edits stay.
func TestApplyPutsAside(t *testing.T) {
	t.Parallel()
	for _, second := range []bool{true, false} {
		dir := t.TempDir()
		r := openTest(t, dir)
		d, err := r.dir.sub("")
		must(t, err)
		defer d.close()
		write(t, dir, "file", "first")
		write(t, dir, "temp", "ours")
		s := &staged{path: "file", temp: "temp", entry: *stat(t, r, "temp")}
		must(t, d.exchange("temp", "file"))
		if second {
			must(t, byRename(filepath.Join(dir, "file")))
		} else {
			must(t, os.Remove(filepath.Join(dir, "file")))
		}
		s.swapBack(d, "file")
		s.discard(d, "file", ErrChanged)
		var contents []string
		for _, p := range everything(t, dir) {
			contents = append(contents, content(t, dir, p))
		}
		slices.Sort(contents)
		want := []string{"first"}
		if second {
			want = []string{"edit", "first"}
		}
		if !slices.Equal(contents, want) {
			t.Errorf("contents = %q, want %q", contents, want)
		}
		noTemps(t, dir)
	}
}

// TestApplyRacing lets an editor that replaces and rewrites a file run against
// replacements and removals: what it wrote last is never lost.
func TestApplyRacing(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	r := openTest(t, dir)
	name := filepath.Join(dir, "file")
	for i := range 300 {
		must(t, os.WriteFile(name, []byte("base"), 0o666))
		expect := stat(t, r, "file")
		a := r.Apply()
		if i%2 == 0 {
			putFile(t, a, "file", "theirs", fileOf("theirs", 0o644, manifest.Time{Sec: 1}), expect)
		}
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			if i%2 == 1 {
				a.Remove("file", expect)
			}
			a.Finish(context.Background())
		}()
		must(t, byRename(name))
		<-finished
		if content(t, dir, "file") != "edit" {
			t.Fatalf("round %d: the edit is gone; there are %q", i, everything(t, dir))
		}
	}
}

// TestApplyMany takes the ways for many files: descriptors closed, the file system synced.
func TestApplyMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	a := r.Apply()
	n := 0
	for d := range 2 * syncFew {
		path := fmt.Sprint("d", d)
		must(t, a.Directory(path, &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755, Mtime: moments[2]}, nil))
		for f := range 2 {
			text := fmt.Sprint(d, f)
			putFile(t, a, path+"/"+text, text, fileOf(text, 0o644, moments[2]), nil)
			n++
		}
	}
	if a.ready.released == 0 {
		t.Error("all descriptors are held")
	}
	applied := finish(t, a)
	if len(applied) != n+2*syncFew {
		t.Errorf("%d changes applied, want %d", len(applied), n+2*syncFew)
	}
	a = r.Apply()
	for _, e := range scan(t, r, 1).entries {
		if e.Kind == manifest.Directory {
			if e.Mtime != moments[2] {
				t.Fatalf("%q has the mtime %v", e.Path, e.Mtime)
			}
			continue
		}
		if got := content(t, dir, e.Path); got != filepath.Base(e.Path) {
			t.Fatalf("%q has the content %q", e.Path, got)
		}
		must(t, a.Attributes(e.Path, fileOf("", 0o600, e.Mtime), &e))
	}
	for _, ap := range finish(t, a) {
		if ap.Entry.Mode != 0o600 || ap.Racy {
			t.Fatalf("applied %+v", ap)
		}
	}
}

// TestApplySparse writes a file in parts, out of order, with a hole.
func TestApplySparse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	a := r.Apply()
	const size = 64 << 20
	temp, err := a.File("f", &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Size: size}, nil)
	must(t, err)
	block := bytes.Repeat([]byte("x"), writeBackStep)
	for _, off := range []int64{40 << 20, 8 << 20} {
		_, err = temp.WriteAt(block, off)
		must(t, err)
	}
	must(t, temp.Done())
	finish(t, a)
	want := make([]byte, size)
	copy(want[40<<20:], block)
	copy(want[8<<20:], block)
	if content(t, dir, "f") != string(want) {
		t.Error("the content is another")
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(dir, "f"), &st))
	if st.Blocks*512 > size/2 {
		t.Errorf("the file takes %d bytes", st.Blocks*512)
	}
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/file", "content")
	write(t, dir, "other", "content")
	a := r.Apply()
	defer a.Abort()
	d, file := stat(t, r, "d"), stat(t, r, "d/file")
	m := fileOf("", 0o644, manifest.Time{})
	for what, got := range map[string]error{
		"remove a full directory":         a.Remove("d", d),
		"make a directory that is there":  a.Directory("d", &manifest.Manifest{Kind: manifest.Directory}, nil),
		"give another kind's attributes":  a.Attributes("d", m, d),
		"give attributes to nothing":      a.Attributes("d", m, nil),
		"take another file for expected":  a.Attributes("other", m, file),
		"remove another than is expected": a.Remove("other", file),
		"make a file below a file":        fileError(a, "other/file", m, nil),
		"expect a file that is not there": fileError(a, "absent", m, file),
		"make a file below nothing":       fileError(a, "absent/file", m, nil),
	} {
		if got == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := a.Remove("d", d); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("Remove of a full directory: %v", err)
	}
	temp, err := a.File("new", fileOf("123", 0o644, manifest.Time{}), nil)
	must(t, err)
	_, err = temp.WriteAt([]byte("1234"), 0)
	must(t, err)
	if err := temp.Done(); err == nil {
		t.Error("Done of a file that is larger than its manifest: no error")
	}
	must(t, a.Symlink("d", &manifest.Manifest{Kind: manifest.Symlink, Target: "x"}, d))
	putFile(t, a, "other", "new", fileOf("new", 0o644, manifest.Time{}), nil)
	_, problems, err := a.Flush(t.Context())
	if err != nil || len(problems) != 2 || !errors.Is(problems[0].Err, ErrNotEmpty) || !errors.Is(problems[1].Err, ErrChanged) {
		t.Errorf("a link in the place of a full directory, a file where one is: %v, %v", problems, err)
	}
	if got := everything(t, dir); !slices.Equal(got, []string{"d", "d/file", "other"}) {
		t.Errorf("there are %q", got)
	}
}

func fileError(a *Applier, path string, m *manifest.Manifest, expect *Entry) error {
	temp, err := a.File(path, m, expect)
	if err == nil {
		temp.Abort()
	}
	return err
}

// TestApplyAbort leaves nothing behind, and gives directories their mtime back.
func TestApplyAbort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/file", "content")
	must(t, setTime(filepath.Join(dir, "d"), moments[2]))
	a := r.Apply()
	putFile(t, a, "d/new", "new", fileOf("new", 0o644, manifest.Time{}), nil)
	putFile(t, a, "d/file", "new", fileOf("new", 0o644, manifest.Time{}), stat(t, r, "d/file"))
	must(t, a.Symlink("d/link", &manifest.Manifest{Kind: manifest.Symlink, Target: "x"}, nil))
	a.Abort()
	if got := everything(t, dir); !slices.Equal(got, []string{"d", "d/file"}) {
		t.Errorf("there are %q", got)
	}
	if content(t, dir, "d/file") != "content" || stat(t, r, "d").Mtime != moments[2] {
		t.Errorf("the directory is %+v", *stat(t, r, "d"))
	}
	a = r.Apply()
	putFile(t, a, "d/new", "new", fileOf("new", 0o644, manifest.Time{}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Finish(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Finish: %v", err)
	}
	noTemps(t, dir)
}

// TestApplyConcurrently flushes while other files are begun and completed.
func TestApplyConcurrently(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	r := openTest(t, dir)
	a := r.Apply()
	made := make(chan int)
	for g := range 3 {
		go func() {
			for i := range 200 {
				path := fmt.Sprintf("%d-%d", g, i)
				if temp, err := a.File(path, fileOf(path, 0o644, moments[2]), nil); err == nil {
					temp.WriteAt([]byte(path), 0)
					temp.Done()
				}
			}
			made <- g
		}()
	}
	var applied []Applied
	for left := 3; left > 0; {
		select {
		case <-made:
			left--
		default:
			more, problems, err := a.Flush(t.Context())
			must(t, err)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			applied = append(applied, more...)
		}
	}
	applied = append(applied, finish(t, a)...)
	if len(applied) != 600 || len(everything(t, dir)) != 600 {
		t.Errorf("%d files applied, %d are there, want 600", len(applied), len(everything(t, dir)))
	}
	noTemps(t, dir)
}

// TestApplyEscape swaps the parent of prepared changes for a symlink to a directory
// outside the root: nothing happens there.
func TestApplyEscape(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/sub/file", "content")
	write(t, outside, "sub/file", "canary")
	file := stat(t, r, "d/sub/file")
	sub := stat(t, r, "d/sub")
	a := r.Apply()
	m := fileOf("new", 0o644, manifest.Time{})
	putFile(t, a, "d/sub/new", "new", m, nil)
	putFile(t, a, "d/sub/file", "new", m, file)
	must(t, os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "moved")))
	must(t, os.Symlink(outside, filepath.Join(dir, "d")))
	before := fmt.Sprint(scan(t, openOutside(t, outside), 1).entries)
	for what, got := range map[string]error{
		"File":       fileError(a, "d/sub/other", m, nil),
		"Directory":  a.Directory("d/sub/dir", &manifest.Manifest{Kind: manifest.Directory}, nil),
		"Symlink":    a.Symlink("d/sub/link", &manifest.Manifest{Kind: manifest.Symlink, Target: "x"}, nil),
		"Attributes": a.Attributes("d/sub/file", m, file),
		"of a dir":   a.Attributes("d/sub", &manifest.Manifest{Kind: manifest.Directory, Mode: 0o700}, sub),
		"Remove":     a.Remove("d/sub/file", file),
	} {
		if !errors.Is(got, ErrChanged) {
			t.Errorf("%s below a symlink: %v", what, got)
		}
	}
	_, problems, err := a.Finish(t.Context())
	must(t, err)
	if len(problems) != 2 || !errors.Is(problems[0].Err, ErrChanged) {
		t.Errorf("problems = %v", problems)
	}
	if after := fmt.Sprint(scan(t, openOutside(t, outside), 1).entries); after != before {
		t.Errorf("outside is %s, was %s", after, before)
	}
	if f := scan(t, r, 1); len(f.temps) != 2 { // they moved with the directory
		t.Errorf("temps = %q", f.temps)
	}
}

func openOutside(t *testing.T, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// TestApplyUnwritable changes entries of a directory that may not be written, and
// one that may not be read.
func TestApplyUnwritable(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/file", "content")
	write(t, dir, "d/gone", "content")
	write(t, dir, "dark/file", "content")
	d := filepath.Join(dir, "d")
	must(t, os.Chmod(filepath.Join(d, "file"), 0o200))
	must(t, setTime(d, moments[2]))
	file, gone := stat(t, r, "d/file"), stat(t, r, "d/gone")
	must(t, os.Chmod(d, 0o555))
	must(t, os.Chmod(filepath.Join(dir, "dark"), 0o300))
	t.Cleanup(func() { os.Chmod(d, 0o755); os.Chmod(filepath.Join(dir, "dark"), 0o700) })
	a := r.Apply()
	m := fileOf("new", 0o444, moments[2])
	must(t, a.Attributes("d/file", m, file))
	putFile(t, a, "d/new", "new", m, nil)
	must(t, a.Remove("d/gone", gone))
	must(t, a.Directory("d/sub", &manifest.Manifest{Kind: manifest.Directory, Mode: 0o500, Mtime: moments[2]}, nil))
	putFile(t, a, "d/sub/file", "new", m, nil)
	if err := fileError(a, "dark/file", m, nil); !errors.Is(err, os.ErrPermission) || !IsFileError(err) {
		t.Errorf("File in an unreadable directory: %v", err)
	}
	finish(t, a)
	e := stat(t, r, "d")
	if e.Mode != 0o555 || e.Mtime != moments[2] {
		t.Errorf("the directory is %+v", *e)
	}
	if e := stat(t, r, "d/file"); e.Mode != 0o444 || e.Mtime != moments[2] {
		t.Errorf("the file is %+v", *e)
	}
	if got, want := scan(t, r, 1).paths(), []string{"d", "d/file", "d/new", "d/sub", "d/sub/file", "dark"}; !slices.Equal(got[1:], want[1:]) {
		t.Errorf("there are %q, want %q", got, want)
	}
	must(t, os.Chmod(filepath.Join(d, "sub"), 0o700))
}

// TestApplyDiskFull fills a small file system: what does not fit is reported,
// leaves nothing behind, and stops the rest; what was complete stays.
func TestApplyDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small tmpfs takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	r := openTest(t, dir)
	write(t, dir, "file", "old")
	a := r.Apply()
	putFile(t, a, "small", "new", fileOf("new", 0o644, moments[2]), nil)
	temp, err := a.File("file", &manifest.Manifest{Kind: manifest.File, Size: 2 << 20}, stat(t, r, "file"))
	must(t, err)
	n, err := temp.WriteAt(make([]byte, 2<<20), 0)
	if !errors.Is(err, syscall.ENOSPC) || n == 0 || n >= 2<<20 {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	temp.Abort()
	for what, got := range map[string]error{
		"File":      fileError(a, "next", fileOf("", 0o644, moments[2]), nil),
		"Directory": a.Directory("dir", &manifest.Manifest{Kind: manifest.Directory}, nil),
		"Remove":    a.Remove("file", stat(t, r, "file")),
	} {
		if !errors.Is(got, syscall.ENOSPC) {
			t.Errorf("%s on a full disk: %v", what, got)
		}
	}
	if applied := finish(t, a); len(applied) != 1 || applied[0].Path != "small" {
		t.Errorf("applied %+v", applied)
	}
	if got := everything(t, dir); !slices.Equal(got, []string{"file", "small"}) || content(t, dir, "file") != "old" {
		t.Errorf("there are %q", got)
	}
}
