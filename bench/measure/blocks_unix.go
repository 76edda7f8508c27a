//go:build unix

package measure

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

// Blocks returns the bytes that are allocated for dir and all below it; a file
// of several names counts once. Sync before: file systems may allocate late.
func Blocks(dir string) (int64, error) {
	var total int64
	seen := make(map[[2]uint64]bool)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		if st.Nlink > 1 && !d.IsDir() {
			id := [2]uint64{uint64(st.Dev), st.Ino}
			if seen[id] {
				return nil
			}
			seen[id] = true
		}
		total += st.Blocks * 512
		return nil
	})
	return total, err
}

// hasOneName says whether a file has no other name that should keep its content.
func hasOneName(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 1
}
