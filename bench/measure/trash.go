package measure

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// trash is the folder beside a discarded tree that takes it.
const trash = ".bench-trash"

// Discard puts the tree dir out of the way: it is renamed into a trash folder
// beside it, where its files of 1 MiB and more, if they have no other name, are
// cut to nothing for the sake of the space. Small files stay as they are, since
// freeing many slows down what is created next. EmptyTrash removes them. No
// process may use the tree any more. A tree that does not exist is no error.
func Discard(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	folder := filepath.Join(filepath.Dir(filepath.Clean(dir)), trash)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	place, err := os.MkdirTemp(folder, filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	to := filepath.Join(place, "tree")
	if err := os.Rename(dir, to); err != nil {
		return err
	}
	const large = 1 << 20
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() < large || !hasOneName(info) {
			return err
		}
		return os.Truncate(path, 0)
	})
}

// EmptyTrash removes for good the trees that were discarded out of the directory
// root. Call it when all is measured.
func EmptyTrash(root string) error { return os.RemoveAll(filepath.Join(root, trash)) }
