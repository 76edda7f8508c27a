package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// state is what stands at a path: nothing, a symlink, or a file of some bytes.
type state struct {
	size   int64 // of a file; else one of the following
	sum    uint64
	target string
}

const (
	stateNone = -1
	stateLink = -2
)

var none = state{size: stateNone}

func linkTo(target string) state { return state{size: stateLink, target: target} }

// stateAt looks at path, and returns a file's bytes.
func stateAt(path string) (state, []byte, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return none, nil, nil
	case err != nil:
		return none, nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return linkTo(target), nil, err
	}
	data, err := os.ReadFile(path)
	return newImage(data).state(), data, err
}

// image follows what a file is made of while it is written piece by piece.
type image struct {
	data []byte
	sums []uint64 // of the blocks
	sum  uint64
}

func newImage(data []byte) *image {
	im := &image{}
	im.write(piece4k{0, data})
	return im
}

func (im *image) state() state { return state{size: int64(len(im.data)), sum: im.sum} }

// piece4k is what one system call writes: within a block, so that no reader meets
// half of it, or, with data nil, the file's new size.
type piece4k struct {
	off  int
	data []byte
}

func (im *image) write(p piece4k) {
	first, size, end := min(p.off, len(im.data))/sumBlock, p.off, p.off+len(p.data)
	if p.data != nil {
		size = max(len(im.data), end)
	}
	if gap := size - len(im.data); gap > 0 {
		im.data = append(im.data, make([]byte, gap)...)
	}
	im.data = im.data[:size]
	copy(im.data[p.off:], p.data)
	for i := first; i < max(len(im.sums), blocksOf(size)) && (i < blocksOf(end) || p.data == nil); i++ {
		if i >= len(im.sums) {
			im.sums = append(im.sums, 0)
		}
		im.sum -= im.sums[i]
		im.sums[i] = 0
		if i < blocksOf(size) {
			im.sums[i] = sumOfBlock(int64(i*sumBlock), im.data[i*sumBlock:min((i+1)*sumBlock, size)])
		}
		im.sum += im.sums[i]
	}
	im.sums = im.sums[:blocksOf(size)]
}

func blocksOf(size int) int { return (size + sumBlock - 1) / sumBlock }

// pieces cuts data, which is to be written at off, at the ends of blocks.
func pieces(off int, data []byte) (all []piece4k) {
	for len(data) > 0 {
		n := min(sumBlock-off%sumBlock, len(data))
		all = append(all, piece4k{off, data[:n:n]})
		off, data = off+n, data[n:]
	}
	return all
}

// writeText writes a value of about size bytes: lines that each tell which value it is.
func writeText(who string, id int64, size int) []byte {
	var b bytes.Buffer
	for line := 0; b.Len() < size; line++ {
		text := fmt.Sprintf("value %d of %s, line %d of %d %s bytes", id, who, line, size, strings.Repeat(".", 160))
		fmt.Fprintf(&b, "%s, %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
	}
	return b.Bytes()
}

// valuesIn tells of which values a file has lines, in their order.
func valuesIn(data []byte) string {
	var found []string
	last, lines := "", 0
	for line := range bytes.Lines(data) {
		value, _, _ := strings.Cut(string(line), ", line")
		text, sum, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " bytes, ")
		if fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text+" bytes"))) != sum {
			value = fmt.Sprintf("%.60q", line)
		}
		if value != last && lines > 0 {
			found, lines = append(found, fmt.Sprintf("%s × %d", last, lines)), 0
		}
		last = value
		lines++
	}
	return strings.Join(append(found, fmt.Sprintf("%s × %d", last, lines)), "; ")
}

// slot is a path that a replica's writers write, one at a time.
type slot struct {
	sync.Mutex
	name  string
	book  sync.Mutex     // guards stood
	stood map[state]bool // whatever stood there, after each system call
	owed  map[state]bool // what was written there and not replaced by its writer since
	now   state          // of a replica that nobody else writes: what stands there, and
	data  []byte         // its bytes
	armed *plan          // an edit that is ready, if it still fits
}

func newSlot(name string) *slot {
	return &slot{name: name, stood: map[state]bool{}, owed: map[state]bool{}, now: none}
}

// find collects whatever a replica holds, by path: also what was kept, set aside or left behind.
func find(dir string) (map[string]state, error) {
	all := map[string]state{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && filepath.Dir(name) == ".dfs" && d.Name() != "aside":
			return fs.SkipDir
		case d.IsDir() || filepath.Dir(name) == ".dfs":
			return nil
		}
		all[name], _, err = stateAt(path)
		return err
	})
	return all, err
}

// readOpen reads all of f, however its offset stands.
func readOpen(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, 0, info.Size()+1))
}
