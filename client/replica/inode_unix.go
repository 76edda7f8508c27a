//go:build !windows

package replica

import (
	"os"
	"syscall"
)

// inode returns the inode number of what stands at path.
func inode(path string) (uint64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, nil
	}
	return st.Ino, nil
}
