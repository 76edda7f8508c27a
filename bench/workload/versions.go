package workload

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Versions is how many states the workload versions has.
const Versions = 20

// NextVersion makes state n of the tree at dir out of state n-1; what Make of
// the workload versions makes is state 1. A state has 3 % of the files edited
// within, 1 % new, ½ % deleted and ½ % renamed, at least one of each, and is
// one day later.
func NextVersion(ctx context.Context, dir string, seed uint64, n int) (Changes, error) {
	if n < 2 || n > Versions {
		return Changes{}, fmt.Errorf("there is no version %d to be made: they are numbered 2 to %d", n, Versions)
	}
	c, err := newChange(ctx, dir, newStream(seed, uint64(n), 'v'), time.Unix(date, 0).AddDate(0, 0, n-1))
	if err != nil {
		return Changes{}, err
	}
	count := len(c.files)
	deleted, moved, edited := max(1, count/200), max(1, count/200), max(1, count*3/100)
	if deleted+moved+edited > count {
		return Changes{}, fmt.Errorf("%s holds %d files, too few for another version", dir, count)
	}
	for i, j := range c.stream.pick(count, deleted+moved+edited) {
		if err := ctx.Err(); err != nil {
			return c.done, err
		}
		name := c.files[j]
		switch {
		case i < deleted:
			err = c.remove(name)
		case i < deleted+moved:
			err = c.move(name, fmt.Sprintf("moved-%d-%d-", n, i))
		default:
			err = c.rewrite(name)
		}
		if err != nil {
			return c.done, err
		}
	}
	for i := range max(1, count/100) {
		if err := c.add(fmt.Sprintf("new-%d-%d.go", n, i)); err != nil {
			return c.done, err
		}
	}
	return c.done, c.finish()
}

// rewrite edits one to five places of a text file, as a person would: lines
// are replaced, inserted or taken out.
func (c *change) rewrite(name string) error {
	path := filepath.Join(c.root, name)
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(old, []byte("\n"))
	for range 1 + c.stream.below(5) {
		lines = c.editLines(lines)
	}
	c.done.Edited++
	return c.put(path, bytes.Join(lines, nil), len(old))
}

// editLines replaces up to four lines at a random place by up to three statements.
func (c *change) editLines(lines [][]byte) [][]byte {
	at := c.stream.below(len(lines))
	after := min(len(lines), at+c.stream.below(5))
	var now [][]byte
	for range c.stream.below(4) {
		now = append(now, c.prose.appendStatement(nil, c.stream))
	}
	if after-at == 0 && len(now) == 0 || after-at == len(lines) {
		now = append(now, c.prose.appendStatement(nil, c.stream))
	}
	for _, b := range now {
		c.done.Bytes += int64(len(b))
	}
	return append(lines[:at:at], append(now, lines[after:]...)...)
}

// put writes data over a file of the given size. The file is not cut off
// first: that would free its blocks only to take others.
func (c *change) put(path string, data []byte, size int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	if len(data) < size {
		if err := f.Truncate(int64(len(data))); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return setTime(path, c.stamp)
}

// add makes a new file of 1 to 16 KiB beside any of the files.
func (c *change) add(base string) error {
	name := filepath.Join(filepath.Dir(c.files[c.stream.below(len(c.files))]), base)
	data := make([]byte, 1024+c.stream.below(15<<10))
	c.prose.fill(data, c.stream)
	out, err := create(filepath.Join(c.root, name))
	if err != nil {
		return err
	}
	defer out.close()
	if err := out.write(data); err != nil {
		return err
	}
	c.touch(name)
	c.done.Added++
	c.done.Bytes += int64(len(data))
	return out.setTime(c.stamp)
}
