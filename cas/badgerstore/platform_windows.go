package badgerstore

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks f for this process, or returns ErrLocked. The lock ends with f.
// It lies far behind the file's bytes, since Windows keeps others from reading
// what is locked.
func lockFile(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// diskSpace returns how many bytes this user may still write, and the size of
// the filesystem.
func diskSpace(path string) (free, total int64, err error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	var avail, size uint64
	err = windows.GetDiskFreeSpaceEx(p, &avail, &size, nil)
	return int64(avail), int64(size), err
}

// openLog opens nothing: a log that is open cannot be removed, and a sync would
// not cover its mapping.
func openLog(string) (*os.File, error) { return nil, nil }

// syncOpenDir does nothing: Windows syncs no directories.
func syncOpenDir(*os.File, func(*os.File) error) error { return nil }

// syncDir does nothing: Windows syncs no directories.
func syncDir(string) error { return nil }

// allocated returns the length of a file: what it takes on disk is not looked up here.
func allocated(info fs.FileInfo) int64 { return info.Size() }
