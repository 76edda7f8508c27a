//go:build linux || darwin

package worktree

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"dfs/manifest"
)

// keepsLinkTimes: a symlink has a modification time that can be set.
const keepsLinkTimes = true

// handle is an open file or directory: a bare descriptor, without the
// allocation and the poller of an os.File.
type handle struct{ fd int }

// dir is an open directory. The names that its methods take are single
// components, and a symbolic link is never followed.
type dir struct{ handle }

func retry[T any](f func() (T, error)) (T, error) {
	for {
		v, err := f()
		if err != unix.EINTR {
			return v, err
		}
	}
}

func retryErr(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func openRoot(name string) (dir, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	return dir{handle{fd}}, err
}

// openAt opens a path below d, with mode where flags ask for a new file.
func (d dir) openAt(path string, flags int, mode uint32) (handle, error) {
	if path == "" {
		path = "."
	}
	fd, err := openBeneath(d.fd, path, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	return handle{fd}, err
}

// openSteps is openAt, one component at a time.
func openSteps(at int, path string, flags int, mode uint32) (int, error) {
	for parent := at; ; {
		name, rest, more := cut(path)
		step, stepMode := flags, mode
		if more {
			stepMode = 0
			step = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		}
		fd, err := retry(func() (int, error) { return unix.Openat(parent, name, step, stepMode) })
		if parent != at {
			unix.Close(parent)
		}
		if err != nil || !more {
			return fd, err
		}
		parent, path = fd, rest
	}
}

func cut(path string) (name, rest string, more bool) {
	for i := range len(path) {
		if path[i] == '/' {
			return path[:i], path[i+1:], true
		}
	}
	return path, "", false
}

// sub opens the directory at path below d; "" is d itself.
func (d dir) sub(path string) (dir, error) {
	h, err := d.openAt(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	return dir{h}, err
}

// open opens the file at path below d for reading.
func (d dir) open(path string) (handle, error) {
	return d.openAt(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

func entryOf(st *unix.Stat_t) Entry {
	e := Entry{
		Mode:  uint16(st.Mode & 0o7777),
		Mtime: manifest.Time{Sec: int64(st.Mtim.Sec), Nsec: uint32(st.Mtim.Nsec)},
		Ctime: manifest.Time{Sec: int64(st.Ctim.Sec), Nsec: uint32(st.Ctim.Nsec)},
		Dev:   uint64(st.Dev),
		Ino:   st.Ino,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind, e.Size, e.Linked = manifest.File, uint64(st.Size), st.Nlink > 1
	case unix.S_IFDIR:
		e.Kind = manifest.Directory
	case unix.S_IFLNK:
		e.Kind = manifest.Symlink
	}
	return e
}

// stat returns what stands at name, without its path. A special file has Kind 0.
func (d dir) stat(name string) (Entry, error) {
	for {
		e, err := d.lstat(name)
		if err != nil || e.Kind != manifest.Symlink {
			return e, err
		}
		e.Target, err = d.readlink(name)
		if err != unix.EINVAL { // or else it is no symlink any more
			return e, err
		}
	}
}

// lstat is stat without the target of a symlink.
func (d dir) lstat(name string) (Entry, error) {
	var st unix.Stat_t
	if err := retryErr(func() error { return fstatat(d.fd, name, &st) }); err != nil {
		return Entry{}, err
	}
	return entryOf(&st), nil
}

func (d dir) readlink(name string) (string, error) {
	var buf [maxPath + 1]byte
	n, err := retry(func() (int, error) { return unix.Readlinkat(d.fd, name, buf[:]) })
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// space returns what is free for this user.
func (d dir) space() (bytes, entries int64, err error) {
	var st unix.Statfs_t
	if err := retryErr(func() error { return unix.Fstatfs(d.fd, &st) }); err != nil {
		return 0, 0, err
	}
	blocks, entries := st.Bavail, int64(st.Ffree)
	if unix.Geteuid() == 0 {
		blocks = st.Bfree
	}
	if st.Files == 0 { // made as they are needed
		entries = math.MaxInt64
	}
	return int64(blocks) * int64(st.Bsize), entries, nil
}

func (d dir) self() (Entry, error) { return d.handle.stat() }

// holdable: the system can hold every name.
func holdable(string) error { return nil }

// create makes a new file at path below d, with the mode as far as the umask lets it.
func (d dir) create(path string, mode uint16) (handle, error) {
	return d.openAt(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, uint32(mode))
}

func (d dir) openLock(name string) (*os.File, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func tryLock(f *os.File) (bool, error) {
	err := retryErr(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) { unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// touch gives the file name the present time and returns that.
func (d dir) touch(name string) (manifest.Time, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return manifest.Time{}, err
	}
	defer unix.Close(fd)
	if err := unix.UtimesNanoAt(d.fd, name, nil, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return manifest.Time{}, err
	}
	e, err := handle{fd}.stat()
	return e.Mtime, err
}

// mkdir makes a directory, for its owner alone.
func (d dir) mkdir(name string) error { return unix.Mkdirat(d.fd, name, 0o700) }

func (d dir) symlink(target, name string) error { return unix.Symlinkat(target, d.fd, name) }

func (d dir) unlink(name string) error { return unix.Unlinkat(d.fd, name, 0) }

func (d dir) rmdir(name string) error {
	err := unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR)
	if err == unix.ENOTEMPTY || err == unix.EEXIST {
		return ErrNotEmpty
	}
	return err
}

func (d dir) rename(old, name string) error { return unix.Renameat(d.fd, old, d.fd, name) }

// renameTo renames old to name in another directory.
func (d dir) renameTo(old string, to dir, name string) error {
	return unix.Renameat(d.fd, old, to.fd, name)
}

// renameNew renames old to name where nothing stands; else os.ErrExist.
func (d dir) renameNew(old, name string) error {
	err := renameNoReplace(d.fd, old, name)
	if !unsupported(err) {
		return err
	}
	if _, err := d.stat(name); err == nil {
		return os.ErrExist
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return d.rename(old, name)
}

// exchange swaps two entries atomically; errors.ErrUnsupported where that cannot be.
func (d dir) exchange(a, b string) error {
	err := renameExchange(d.fd, a, b)
	if unsupported(err) {
		return errors.ErrUnsupported
	}
	return err
}

func unsupported(err error) bool { return err == unix.EINVAL || errors.Is(err, errors.ErrUnsupported) }

// setMtimeOf sets the modification time of an entry, be it a symlink.
func (d dir) setMtimeOf(name string, t manifest.Time) error {
	return unix.UtimesNanoAt(d.fd, name, timespecs(t), unix.AT_SYMLINK_NOFOLLOW)
}

// setModeOf sets the mode of an entry, which need not be readable.
func (d dir) setModeOf(name string, mode uint16) error {
	return unix.Fchmodat(d.fd, name, uint32(mode), unix.AT_SYMLINK_NOFOLLOW)
}

func (h handle) close() error { return unix.Close(h.fd) }

func (h handle) stat() (Entry, error) {
	var st unix.Stat_t
	if err := retryErr(func() error { return unix.Fstat(h.fd, &st) }); err != nil {
		return Entry{}, err
	}
	return entryOf(&st), nil
}

func (h handle) read(p []byte) (int, error) {
	return retry(func() (int, error) { return unix.Read(h.fd, p) })
}

func (h handle) readAt(p []byte, off int64) (int, error) {
	return retry(func() (int, error) { return unix.Pread(h.fd, p, off) })
}

// nextData returns the next range with data; both ends are the greatest int64 when there
// is none, and errors.ErrUnsupported where that is not told.
func (h handle) nextData(off int64) (from, to int64, err error) {
	from, err = unix.Seek(h.fd, off, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return math.MaxInt64, math.MaxInt64, nil
	}
	if err == nil {
		to, err = unix.Seek(h.fd, from, unix.SEEK_HOLE)
	}
	if unsupported(err) {
		err = errors.ErrUnsupported
	}
	return from, to, err
}

func (h handle) writeAt(p []byte, off int64) (int, error) {
	return retry(func() (int, error) { return unix.Pwrite(h.fd, p, off) })
}

func (h handle) truncate(size int64) error {
	return retryErr(func() error { return unix.Ftruncate(h.fd, size) })
}

func (h handle) setMode(mode uint16) error { return unix.Fchmod(h.fd, uint32(mode)) }

func (h handle) sync() error { return retryErr(func() error { return unix.Fsync(h.fd) }) }

// diskFull reports whether err says that nothing more can be written.
func diskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EROFS)
}

// replaced reports whether err, of opening a path that was there, says that
// something else stands there now. EXDEV is what openat2 says of a directory that was
// moved while the path was walked.
func replaced(err error) bool {
	return err == unix.ENOENT || err == unix.EXDEV || err == unix.ENOTDIR || err == unix.ELOOP || err == unix.ENXIO || err == unix.ENODEV
}
