package worktree

import (
	"fmt"

	"golang.org/x/sys/unix"

	"dfs/manifest"
)

// openBeneath opens path below the directory at, following no symbolic link.
func openBeneath(at int, path string, flags int, mode uint32) (int, error) {
	return openSteps(at, path, flags, mode)
}

// list calls fn with each name in d but "." and "..". The name is valid only
// during the call. buf is working space of at least 4 KiB.
func (d dir) list(buf []byte, fn func(name []byte)) error {
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(d.fd, buf) })
		if err != nil || n <= 0 {
			return err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			fn([]byte(name))
		}
	}
}

// born returns when the file at name was made.
func (d dir) born(name string) (manifest.Time, bool) {
	var st unix.Stat_t
	err := retryErr(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return manifest.Time{Sec: st.Btim.Sec, Nsec: uint32(st.Btim.Nsec)}, err == nil
}

func renameNoReplace(dir int, old, name string) error {
	return unix.RenameatxNp(dir, old, dir, name, unix.RENAME_EXCL)
}

func renameExchange(dir int, a, b string) error {
	return unix.RenameatxNp(dir, a, dir, b, unix.RENAME_SWAP)
}

// openForWriting is not told by the system.
func (d dir) openForWriting(string) bool { return false }

const utimeOmit = -2 // UTIME_OMIT of sys/stat.h

// timespecs leaves the access time as it is and sets the modification time.
func timespecs(t manifest.Time) []unix.Timespec {
	return []unix.Timespec{{Nsec: utimeOmit}, {Sec: t.Sec, Nsec: int64(t.Nsec)}}
}

// setMtime sets the modification time, to the microsecond only where the
// descriptor cannot be named.
func (h handle) setMtime(t manifest.Time) error {
	if unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/dev/fd/%d", h.fd), timespecs(t), 0) == nil {
		return nil
	}
	tv := unix.Timeval{Sec: t.Sec, Usec: int32(t.Nsec / 1000)}
	return unix.Futimes(h.fd, []unix.Timeval{tv, tv})
}

// writeback does nothing: the kernel offers no such request.
func (h handle) writeback() {}

// syncsAll: syncAll is offered by the system.
const syncsAll = false

func (h handle) syncAll() error { return unix.ENOTSUP }
