package worktree

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/windows"

	"dfs/manifest"
)

// keepsLinkTimes: a symlink has a modification time that can be set.
const keepsLinkTimes = false

// handle is an open file, or a directory that is open for reading.
type handle struct{ *os.File }

// dir is an open directory. The names that its methods take are single components.
type dir struct{ root *os.Root }

func openRoot(name string) (dir, error) {
	r, err := os.OpenRoot(name)
	return dir{r}, err
}

func (d dir) close() error { return d.root.Close() }

// sub opens the directory at path below d, one component at a time; "" is d itself.
func (d dir) sub(path string) (dir, error) {
	at, err := d.root.OpenRoot(".")
	for path != "" && err == nil {
		var name string
		name, path, _ = strings.Cut(path, "/")
		at, err = step(at, name)
	}
	return dir{at}, err
}

// step opens a directory in at, which it closes.
func step(at *os.Root, name string) (*os.Root, error) {
	defer at.Close()
	info, err := at.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir(): // junctions and symbolic links are none
		return nil, syscall.ENOTDIR
	}
	return at.OpenRoot(name)
}

// open opens the file at path below d for reading.
func (d dir) open(path string) (handle, error) {
	parent, name := split(path)
	in, err := d.sub(parent)
	if err != nil {
		return handle{}, err
	}
	defer in.close()
	info, err := in.root.Lstat(name)
	switch {
	case err != nil:
		return handle{}, err
	case !info.Mode().IsRegular():
		return handle{}, ErrChanged
	}
	f, err := in.root.Open(name)
	return handle{f}, err
}

// list calls fn with each name in d. The name is valid only during the call.
func (d dir) list(_ []byte, fn func(name []byte)) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			fn([]byte(name))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func entryOf(info os.FileInfo) Entry {
	e := Entry{Mode: uint16(info.Mode().Perm()), Mtime: timeOf(info.ModTime())}
	switch info.Mode().Type() {
	case 0:
		e.Kind, e.Size = manifest.File, uint64(info.Size())
	case os.ModeDir:
		e.Kind = manifest.Directory
	case os.ModeSymlink:
		e.Kind = manifest.Symlink
	}
	return e
}

func timeOf(t time.Time) manifest.Time {
	return manifest.Time{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}

// stat returns what stands at name, without its path. A special file has Kind 0.
func (d dir) stat(name string) (Entry, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return Entry{}, err
	}
	e := entryOf(info)
	if e.Kind == manifest.Symlink {
		e.Target, err = d.root.Readlink(name)
	}
	return e, err
}

// space returns what is free for this user.
func (d dir) space() (bytes, entries int64, err error) {
	name, err := windows.UTF16PtrFromString(d.root.Name())
	if err != nil {
		return 0, 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, 0, err
	}
	return int64(min(free, math.MaxInt64)), math.MaxInt64, nil
}

func (d dir) self() (Entry, error) {
	info, err := d.root.Stat(".")
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

// holdable refuses a name that the system cannot give to an entry, or takes for another one.
func holdable(name string) error {
	switch {
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"|?*\`, r) }),
		!utf8.ValidString(name), strings.TrimRight(name, ". ") != name, !filepath.IsLocal(name):
		return errors.New("this system cannot hold a file of that name")
	}
	return nil
}

// create makes a new file at path below d. Its mode is the system's affair.
func (d dir) create(path string, _ uint16) (handle, error) {
	parent, name := split(path)
	in, err := d.sub(parent)
	if err != nil {
		return handle{}, err
	}
	defer in.close()
	f, err := in.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return handle{f}, err
}

func (d dir) openLock(name string) (*os.File, error) {
	return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}

// lockAt is a byte far beyond the file's end, so that the holder's name stays readable.
func lockAt() *windows.Overlapped { return &windows.Overlapped{OffsetHigh: 1 << 30} }

func tryLock(f *os.File) (bool, error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, lockAt())
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) { windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, lockAt()) }

// touch writes to the file name and returns its new modification time.
func (d dir) touch(name string) (manifest.Time, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return manifest.Time{}, err
	}
	defer f.Close()
	if _, err := f.WriteString("\n"); err != nil {
		return manifest.Time{}, err
	}
	if err := f.Sync(); err != nil {
		return manifest.Time{}, err
	}
	e, err := handle{f}.stat()
	return e.Mtime, err
}

func (d dir) mkdir(name string) error { return d.root.Mkdir(name, 0o700) }

func (d dir) symlink(target, name string) error { return d.root.Symlink(target, name) }

func (d dir) unlink(name string) error { return d.root.Remove(name) }

func (d dir) rmdir(name string) error {
	err := d.root.Remove(name)
	if errors.Is(err, windows.ERROR_DIR_NOT_EMPTY) {
		return ErrNotEmpty
	}
	return err
}

func (d dir) rename(old, name string) error { return d.root.Rename(old, name) }

// born is not asked, since there are no inode numbers.
func (d dir) born(string) (manifest.Time, bool) { return manifest.Time{}, false }

// renameTo is not offered from one open directory to another.
func (d dir) renameTo(string, dir, string) error { return errors.ErrUnsupported }

// openForWriting is not told by the system.
func (d dir) openForWriting(string) bool { return false }

// renameNew renames old to name where nothing stands; else os.ErrExist.
func (d dir) renameNew(old, name string) error {
	if _, err := d.root.Lstat(name); err == nil {
		return os.ErrExist
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return d.rename(old, name)
}

// exchange is not offered by the system.
func (d dir) exchange(_, _ string) error { return errors.ErrUnsupported }

// setMtimeOf sets the modification time of an entry; that of a link cannot be set.
func (d dir) setMtimeOf(name string, t manifest.Time) error {
	info, err := d.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return d.root.Chtimes(name, time.Time{}, time.Unix(t.Sec, int64(t.Nsec)))
}

// setModeOf sets the mode of an entry.
func (d dir) setModeOf(name string, mode uint16) error {
	return d.root.Chmod(name, os.FileMode(mode))
}

func (d dir) setMode(mode uint16) error { return d.root.Chmod(".", os.FileMode(mode)) }

func (d dir) setMtime(t manifest.Time) error {
	return d.root.Chtimes(".", time.Time{}, time.Unix(t.Sec, int64(t.Nsec)))
}

// sync does nothing: directories cannot be synced, the file system's log keeps them.
func (d dir) sync() error { return nil }

// syncsAll: syncAll is offered by the system.
const syncsAll = false

func (d dir) syncAll() error { return errors.ErrUnsupported }

func (h handle) close() error { return h.File.Close() }

func (h handle) stat() (Entry, error) {
	info, err := h.Stat()
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func (h handle) read(p []byte) (int, error) {
	n, err := h.Read(p)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (h handle) readAt(p []byte, off int64) (int, error) {
	n, err := h.ReadAt(p, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// nextData is not asked of the system.
func (h handle) nextData(int64) (from, to int64, err error) { return 0, 0, errors.ErrUnsupported }

func (h handle) writeAt(p []byte, off int64) (int, error) { return h.WriteAt(p, off) }

func (h handle) truncate(size int64) error { return h.Truncate(size) }

func (h handle) setMode(mode uint16) error { return h.Chmod(os.FileMode(mode)) }

func (h handle) setMtime(t manifest.Time) error {
	ft := windows.NsecToFiletime(time.Unix(t.Sec, int64(t.Nsec)).UnixNano())
	return windows.SetFileTime(windows.Handle(h.Fd()), nil, nil, &ft)
}

func (h handle) sync() error { return h.Sync() }

// writeback does nothing: the system offers no such request.
func (h handle) writeback() {}

// diskFull reports whether err says that nothing more can be written.
func diskFull(err error) bool { return errors.Is(err, windows.ERROR_DISK_FULL) }

// replaced reports whether err, of opening a path that was there, says that
// something else stands there now.
func replaced(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
