//go:build unix

package machine

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// read opens each file, reads it to its end and closes it.
func (f folder) read() error {
	buf := make([]byte, SmallBytes+1)
	return f.within(func(dir int, name string) error {
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		n, err := unix.Read(fd, buf)
		if err == nil && n == SmallBytes {
			_, err = unix.Read(fd, buf[n:]) // the end
		}
		if err == nil && n != SmallBytes {
			err = fmt.Errorf("%d bytes", n)
		}
		unix.Close(fd)
		return err
	})
}

// stat lists the directory and stats each entry.
func (f folder) stat() error {
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if f.names, err = dir.Readdirnames(-1); err != nil {
		return err
	}
	var st unix.Stat_t
	return f.within(func(dir int, name string) error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
}

// within calls do for each name, with a descriptor of the directory.
func (f folder) within(do func(dir int, name string) error) error {
	dir, err := unix.Open(f.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: f.path, Err: err}
	}
	defer unix.Close(dir)
	for _, name := range f.names {
		for err = do(dir, name); err == unix.EINTR; {
			err = do(dir, name)
		}
		if err != nil {
			return fmt.Errorf("%s/%s: %w", f.path, name, err)
		}
	}
	return nil
}
