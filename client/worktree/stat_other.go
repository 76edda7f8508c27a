//go:build darwin || (linux && !amd64 && !arm64)

package worktree

import "golang.org/x/sys/unix"

// fstatat is unix.Fstatat that follows no symbolic link.
func fstatat(dir int, name string, st *unix.Stat_t) error {
	return unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW)
}
