//go:build !unix

package machine

import (
	"os"
	"path/filepath"
)

// read opens each file, reads it to its end and closes it.
func (f folder) read() error {
	for _, name := range f.names {
		if _, err := os.ReadFile(filepath.Join(f.path, name)); err != nil {
			return err
		}
	}
	return nil
}

// stat lists the directory and stats each entry.
func (f folder) stat() error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := os.Lstat(filepath.Join(f.path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
