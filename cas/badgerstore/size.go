package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Size returns how many bytes the store takes on disk. Badger's logs are longer than what is in them, so
// where the system tells it, what is allocated counts.
func (s *Store) Size() (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(s.space.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return vanished(err)
		}
		info, err := d.Info()
		if err != nil {
			return vanished(err)
		}
		total += allocated(info)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", s.space.path, err)
	}
	return total, nil
}

// vanished drops the error of a file that Badger has just removed.
func vanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
