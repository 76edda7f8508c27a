package worktree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"dfs/manifest"
)

// openBeneath opens path below the directory at, following no symbolic link.
func openBeneath(at int, path string, flags int, mode uint32) (fd int, err error) {
	const attempts = 32 // EAGAIN: a rename came in between, or, for longer, a lease is held
	how := unix.OpenHow{Flags: uint64(flags), Mode: uint64(mode), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	for range attempts {
		fd, err = unix.Openat2(at, path, &how)
		switch err {
		case unix.EINTR, unix.EAGAIN:
			continue
		case unix.ENOSYS, unix.EPERM: // an old kernel, or a sandbox that does not know the call
			return openSteps(at, path, flags, mode)
		}
		return fd, err
	}
	return fd, err
}

// list calls fn with each name in d but "." and "..". The name is valid only
// during the call. buf is working space of at least 4 KiB.
func (d dir) list(buf []byte, fn func(name []byte)) error {
	const header = 19 // ino 8, offset 8, record length 2, type 1
	for {
		n, err := retry(func() (int, error) { return unix.Getdents(d.fd, buf) })
		if err != nil || n == 0 {
			return err
		}
		for rest := buf[:n]; len(rest) > header; {
			size := int(binary.NativeEndian.Uint16(rest[16:]))
			if size < header || size > len(rest) {
				return fmt.Errorf("directory record of %d bytes", size)
			}
			name := rest[header:size]
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			if string(name) != "." && string(name) != ".." {
				fn(name)
			}
			rest = rest[size:]
		}
	}
}

// born returns when the file at name was made, as far as the file system tells.
func (d dir) born(name string) (manifest.Time, bool) {
	var st unix.Statx_t
	err := retryErr(func() error { return unix.Statx(d.fd, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st) })
	return manifest.Time{Sec: st.Btime.Sec, Nsec: st.Btime.Nsec}, err == nil && st.Mask&unix.STATX_BTIME != 0
}

func renameNoReplace(dir int, old, name string) error {
	return unix.Renameat2(dir, old, dir, name, unix.RENAME_NOREPLACE)
}

func renameExchange(dir int, a, b string) error {
	return unix.Renameat2(dir, a, dir, b, unix.RENAME_EXCHANGE)
}

// openForWriting reports whether some descriptor or mapping can write to the file at
// name: a read lease is granted only where none can (fcntl(2)). False also where
// that cannot be told: another user's file, or a file system without leases.
func (d dir) openForWriting(name string) bool {
	h, err := d.open(name)
	if err == unix.EACCES {
		h, err = d.openUnreadable(name)
	}
	if err != nil {
		return false
	}
	defer h.close() // ends the lease
	_, err = unix.FcntlInt(uintptr(h.fd), unix.F_SETLEASE, unix.F_RDLCK)
	return err == unix.EAGAIN
}

// openUnreadable is open for a file whose mode does not let its owner read it: for the moment it does.
func (d dir) openUnreadable(name string) (h handle, err error) {
	e, err := d.stat(name)
	if err != nil {
		return h, err
	}
	if err := d.setModeOf(name, e.Mode|0o400); err != nil {
		return h, err
	}
	h, err = d.open(name)
	if merr := d.setModeOf(name, e.Mode); merr != nil && err == nil {
		h.close()
		err = merr
	}
	return h, err
}

// timespecs leaves the access time as it is and sets the modification time.
func timespecs(t manifest.Time) []unix.Timespec {
	return []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: t.Sec, Nsec: int64(t.Nsec)}}
}

// setMtime is futimens, which unix lacks: utimensat without a path.
func (h handle) setMtime(t manifest.Time) error {
	ts := timespecs(t)
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(h.fd), 0, uintptr(unsafe.Pointer(&ts[0])), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// writeback asks the kernel to begin writing what is dirty, without waiting.
func (h handle) writeback() { unix.SyncFileRange(h.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }

// syncsAll: syncAll is offered by the system.
const syncsAll = true

// syncAll makes everything on h's file system durable. It tells of every error
// of writing since h was opened.
func (h handle) syncAll() error { return retryErr(func() error { return unix.Syncfs(h.fd) }) }
