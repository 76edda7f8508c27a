package badgerstore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// fsyncCoversMappings: fsync also writes pages that were changed through mappings.
const fsyncCoversMappings = true

// dropCached makes the kernel forget the pages of a file that are not dirty.
func dropCached(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
}
