//go:build !linux

package machine

import (
	"io/fs"
	"os"
	"path/filepath"
)

// syncBelow makes the files below dir durable, one by one: there is no call for all.
func syncBelow(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}
