//go:build linux && (amd64 || arm64)

package worktree

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fstatat is unix.Fstatat that follows no symbolic link, without the allocation
// for the name and its NUL: a scan asks once a file.
func fstatat(dir int, name string, st *unix.Stat_t) error {
	var terminated [256]byte // no Linux file system has longer names
	if len(name) >= len(terminated) || strings.IndexByte(name, 0) >= 0 {
		return unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW)
	}
	copy(terminated[:], name)
	_, _, errno := unix.Syscall6(sysFstatat, uintptr(dir), uintptr(unsafe.Pointer(&terminated[0])), uintptr(unsafe.Pointer(st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
