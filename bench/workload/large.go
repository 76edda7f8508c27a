package workload

import (
	"context"
	"os"
	"time"
)

// Overwrite changes one byte in the middle of the file path: it adds 1 to 255
// to it, as seed says. Like Insert and Append it sets the modification time one
// minute on, and done again it makes yet another content.
func Overwrite(ctx context.Context, path string, seed uint64) error {
	return changeLarge(ctx, path, func(f *os.File, size int64) error {
		b := []byte{0}
		if _, err := f.ReadAt(b, size/2); err != nil {
			return err
		}
		b[0] += byte(1 + seed%255)
		_, err := f.WriteAt(b, size/2)
		return err
	})
}

// Insert inserts one byte at a third of the file path, in place: what follows
// is moved.
func Insert(ctx context.Context, path string, seed uint64) error {
	return changeLarge(ctx, path, func(f *os.File, size int64) error {
		return insert(f, size/3, size, []byte{byte(newStream(seed).Uint64())})
	})
}

// Append appends 1 MiB of random bytes to the file path.
func Append(ctx context.Context, path string, seed uint64) error {
	return changeLarge(ctx, path, func(f *os.File, size int64) error {
		b := make([]byte, 1<<20)
		newStream(seed, uint64(size), 'a').fill(b)
		_, err := f.WriteAt(b, size)
		return err
	})
}

// changeLarge calls fn with the open file and its size.
func changeLarge(ctx context.Context, path string, fn func(f *os.File, size int64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := fn(f, info.Size()); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return setTime(path, info.ModTime().Add(time.Minute))
}

// insert inserts data at off in f, a file of the given size: it moves what
// follows, from the end on, and needs no second file.
func insert(f *os.File, off, size int64, data []byte) error {
	buf := make([]byte, min(4<<20, size-off))
	for end := size; end > off; {
		n := min(int64(len(buf)), end-off)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return err
		}
		if _, err := f.WriteAt(buf[:n], end-n+int64(len(data))); err != nil {
			return err
		}
		end -= n
	}
	_, err := f.WriteAt(data, off)
	return err
}
