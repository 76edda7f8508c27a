//go:build linux

package worktree

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"dfs/manifest"
)

func TestOpenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/file", "content")
	f, err := r.OpenFile(*stat(t, r, "d/file"))
	must(t, err)
	defer f.Close()
	if b, err := io.ReadAll(f); string(b) != "content" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	p := make([]byte, 10)
	if n, err := f.ReadAt(p, 3); string(p[:n]) != "tent" || err != io.EOF {
		t.Errorf("ReadAt = %q, %v", p[:n], err)
	}
	must(t, f.Check())
}

func TestOpenFileReplaced(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, name string){
		"symlink":   func(t *testing.T, name string) { must(t, os.Symlink("other", name)) },
		"fifo":      func(t *testing.T, name string) { must(t, syscall.Mkfifo(name, 0o666)) },
		"directory": func(t *testing.T, name string) { must(t, os.Mkdir(name, 0o777)) },
		"file":      func(t *testing.T, name string) { must(t, os.WriteFile(name, []byte("CONTENT"), 0o666)) },
		"nothing":   func(*testing.T, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := openTest(t, dir)
			write(t, dir, "file", "content")
			write(t, dir, "other", "content")
			e := stat(t, r, "file")
			must(t, os.Remove(filepath.Join(dir, "file")))
			replace(t, filepath.Join(dir, "file"))
			if f, err := r.OpenFile(*e); !errors.Is(err, ErrChanged) || f != nil {
				t.Errorf("OpenFile: %v", err)
			}
		})
	}
}

// TestOpenFileBelowLink: a directory that became a symlink is not entered, not even
// to the very same file.
func TestOpenFileBelowLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/file", "content")
	e := stat(t, r, "d/file")
	must(t, os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "moved")))
	must(t, os.Symlink("moved", filepath.Join(dir, "d")))
	if _, err := r.OpenFile(*e); !errors.Is(err, ErrChanged) {
		t.Errorf("OpenFile: %v", err)
	}
	if _, err := openSteps(r.dir.fd, "d/file", os.O_RDONLY, 0); err == nil {
		t.Error("openSteps followed a symlink")
	}
	fd, err := openSteps(r.dir.fd, "moved/file", os.O_RDONLY, 0)
	if err != nil {
		t.Errorf("openSteps: %v", err)
	}
	syscall.Close(fd)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(name string) error{
		"append": func(name string) error {
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("more")
			return err
		},
		"same size": func(name string) error { return os.WriteFile(name, []byte("CONTENT"), 0) },
		"chmod":     func(name string) error { return os.Chmod(name, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := openTest(t, dir)
			write(t, dir, "file", "content")
			e := stat(t, r, "file")
			f, err := r.OpenFile(*e)
			must(t, err)
			defer f.Close()
			for e.Racy(probe(t, r)) { // until a change shows
			}
			must(t, change(filepath.Join(dir, "file")))
			if err := f.Check(); !errors.Is(err, ErrChanged) {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func probe(t testing.TB, r *Root) manifest.Time {
	t.Helper()
	now, err := r.Probe()
	must(t, err)
	return now
}

func TestRacy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	before := probe(t, r)
	write(t, dir, "file", "content")
	e := stat(t, r, "file")
	if !e.Racy(before) {
		t.Errorf("a file of %v is not racy at %v", e.Ctime, before)
	}
	if NewRecord(*e, before, nil).Racy != true {
		t.Error("the record of a racy entry is not racy")
	}
	old := manifest.Time{Sec: 1}
	must(t, setTime(filepath.Join(dir, "file"), old))
	if e = stat(t, r, "file"); !e.Racy(before) || e.Mtime != old {
		t.Errorf("a file whose mtime was put back: %+v is not racy at %v", e, before)
	}
	for e.Racy(probe(t, r)) { // the clock of the file system moves on
	}
	rec := NewRecord(*e, probe(t, r), nil)
	if !rec.Clean(*e) {
		t.Error("a settled file is not clean")
	}
}

func setTime(name string, t manifest.Time) error {
	ts := syscall.NsecToTimespec(t.Sec*1e9 + int64(t.Nsec))
	return syscall.UtimesNano(name, []syscall.Timespec{ts, ts})
}
