//go:build !unix

package workload

import (
	"os"
	"time"
)

// An output is a new file.
type output struct{ f *os.File }

// create makes the file path, which must not exist.
func create(path string) (output, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	return output{f}, err
}

func (o output) write(b []byte) error {
	_, err := o.f.Write(b)
	return err
}

// setTime sets the modification time; no write may follow.
func (o output) setTime(mtime time.Time) error {
	if err := o.f.Close(); err != nil {
		return err
	}
	return setTime(o.f.Name(), mtime)
}

func (o output) close() { o.f.Close() }
