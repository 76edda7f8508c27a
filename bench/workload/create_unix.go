//go:build unix

package workload

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// An output is a new file. It is a bare descriptor: an os.File costs two more
// system calls, which with small files are a part of the time.
type output struct {
	fd   int
	path string
}

// create makes the file path, which must not exist.
func create(path string) (output, error) {
	for {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o644)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return output{}, &fs.PathError{Op: "create", Path: path, Err: err}
		}
		return output{fd, path}, nil
	}
}

func (o output) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(o.fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "write", Path: o.path, Err: err}
		}
		b = b[n:]
	}
	return nil
}

// setTime sets the modification time; no write may follow.
func (o output) setTime(mtime time.Time) error {
	ts := unix.NsecToTimespec(mtime.UnixNano())
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, o.path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set the time of", Path: o.path, Err: err}
	}
	return nil
}

// close gives the descriptor back. What was written stands in the page cache,
// so there is no error to tell.
func (o output) close() { unix.Close(o.fd) }
