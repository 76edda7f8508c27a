package workload

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// Changes is what was done to a tree: files that were edited, moved to another
// name, deleted and made anew, and the bytes written in the edited and new ones.
type Changes struct{ Edited, Moved, Deleted, Added, Bytes int64 }

// Churn edits, moves and deletes 1 % of the regular files below dir: three of
// five are edited, one is moved to another directory and one deleted. What is
// done follows from the names of the files, seed and round. What changes gets
// the time of its round; rounds are numbered from 0, and a tree has each once.
// Entries of dir itself whose names begin with a dot are left alone, for a
// synchroniser may keep its state in one.
func Churn(ctx context.Context, dir string, seed uint64, round int) (Changes, error) {
	c, err := newChange(ctx, dir, newStream(seed, uint64(round), 'c'), time.Unix(date, 0).Add(time.Duration(round+1)*time.Hour))
	if err != nil {
		return Changes{}, err
	}
	n := len(c.files)
	k := min(n, max(1, (n+50)/100))
	picked := c.stream.pick(n, k)
	for i, j := range picked {
		if err := ctx.Err(); err != nil {
			return c.done, err
		}
		name := c.files[j]
		switch {
		case i < k/5:
			err = c.remove(name)
		case i < k/5*2:
			err = c.move(name, fmt.Sprintf("moved-%d-%d-", round, i))
		default:
			err = c.edit(name)
		}
		if err != nil {
			return c.done, err
		}
	}
	return c.done, c.finish()
}

// A change is a round of changes under way.
type change struct {
	root    string
	files   []string // below root, sorted
	stream  *stream
	prose   *prose
	stamp   time.Time       // the modification time of what changes
	touched map[string]bool // directories
	done    Changes
}

func newChange(ctx context.Context, root string, s *stream, stamp time.Time) (*change, error) {
	files, err := list(ctx, root)
	if err != nil {
		return nil, err
	}
	return &change{root: root, files: files, stream: s, prose: newProse(), stamp: stamp, touched: make(map[string]bool)}, nil
}

// list returns the regular files below root, without those in entries whose
// names begin with a dot.
func list(ctx context.Context, root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || path == root {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && filepath.Dir(path) == filepath.Clean(root)
		switch {
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(root, path)
		files = append(files, rel)
		return err
	})
	return files, err
}

// touch notes that the directory that holds name changed.
func (c *change) touch(name string) { c.touched[filepath.Dir(name)] = true }

// finish gives the changed directories their time.
func (c *change) finish() error {
	for dir := range c.touched {
		if err := setTime(filepath.Join(c.root, dir), c.stamp); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) remove(name string) error {
	c.touch(name)
	c.done.Deleted++
	return os.Remove(filepath.Join(c.root, name))
}

// move moves a file into the directory of any of the files, with prefix before
// its name, so that it meets no other.
func (c *change) move(name, prefix string) error {
	to := filepath.Join(filepath.Dir(c.files[c.stream.below(len(c.files))]), prefix+shortened(filepath.Base(name)))
	c.touch(name)
	c.touch(to)
	c.done.Moved++
	return os.Rename(filepath.Join(c.root, name), filepath.Join(c.root, to))
}

// shortened takes off what former moves put before a name.
func shortened(name string) string {
	if strings.HasPrefix(name, "moved-") {
		return name[strings.LastIndexByte(name, '-')+1:]
	}
	return name
}

// edit overwrites, appends or inserts up to 4 KiB in a file, with text where
// the file is text.
func (c *change) edit(name string) error {
	path := filepath.Join(c.root, name)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	data, err := c.bytesFor(f, 1+c.stream.below(4096))
	if err != nil {
		return err
	}
	switch off := int64(c.stream.below(int(size) + 1)); c.stream.below(3) {
	case 0: // overwrite
		data = data[:max(1, min(int64(len(data)), size-off))]
		_, err = f.WriteAt(data, off)
	case 1:
		_, err = f.WriteAt(data, size)
	default:
		err = insert(f, off, size, data)
	}
	if err != nil {
		return err
	}
	c.done.Edited++
	c.done.Bytes += int64(len(data))
	return setTime(path, c.stamp)
}

// bytesFor returns n bytes of the kind that f has.
func (c *change) bytesFor(f *os.File, n int) ([]byte, error) {
	head := make([]byte, 64)
	k, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	data := make([]byte, n)
	if utf8.Valid(head[:k]) {
		c.prose.fill(data, c.stream)
	} else {
		c.stream.fill(data)
	}
	return data, nil
}
