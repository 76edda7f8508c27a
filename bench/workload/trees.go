package workload

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// make1k makes 1k-1gib, the workload of large files: what limits a push is
// reading, cutting and hashing, and nothing can be saved.
func make1k(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	return gibibyte(seed, scale, random{}).make(ctx, dir)
}

// make1kHalf makes 1k-1gib-half, where compression pays.
func make1kHalf(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	return gibibyte(seed, scale, newHalf()).make(ctx, dir)
}

// gibibyte plans 1,000 files of 1 GiB in all, 20 in each directory.
func gibibyte(seed uint64, scale float64, c content) plan {
	return grouped(seed, sizes(seed, scaled(1000, scale), scaled(1<<30, scale), 1.5), 20, c)
}

// grouped plans files of the given sizes, so many in each directory.
func grouped(seed uint64, list []int64, each int64, c content) plan {
	p := plan{files: int64(len(list)), content: c}
	for d := int64(0); d*each < p.files; d++ {
		p.dirs = append(p.dirs, fmt.Sprintf("d%04d", d))
	}
	p.file = func(i int64) file {
		path := filepath.Join(p.dirs[i/each], fmt.Sprintf("f%06d.bin", i))
		return file{path: path, size: list[i], seed: uint64(*newStream(seed, uint64(i)))}
	}
	return p
}

// makeSmall makes small-100k, the workload of small files: what limits a push
// is the work per file.
func makeSmall(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	n := scaled(100_000, scale)
	return source(seed, sizes(seed, n, n*3072, 0.8)).make(ctx, dir)
}

// source plans files of the given sizes that look like source code: 20 in each
// package and 100 packages in each module.
func source(seed uint64, list []int64) plan {
	const files, packages = 20, 100
	p := plan{files: int64(len(list)), content: newProse()}
	words := vocabulary()
	extensions := []string{"go", "go", "go", "c", "h", "js", "md", "json"}
	var leaves []string
	for d := int64(0); d*files < p.files; d++ {
		module := fmt.Sprintf("mod%03d", d/packages)
		if d%packages == 0 {
			p.dirs = append(p.dirs, module)
		}
		leaf := filepath.Join(module, fmt.Sprintf("pkg%02d", d%packages))
		p.dirs = append(p.dirs, leaf)
		leaves = append(leaves, leaf)
	}
	p.file = func(i int64) file {
		s := newStream(seed, uint64(i), 'n')
		name := fmt.Sprintf("%s%02d.%s", words[s.below(len(words))], i%files, extensions[s.below(len(extensions))])
		return file{path: filepath.Join(leaves[i/files], name), size: list[i], seed: s.Uint64()}
	}
	return p
}

// make4k makes 4k-1000, a push that is over in the time of a few round trips:
// over a slow link, what limits it is how often one end waits for the other.
func make4k(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	list := slices.Repeat([]int64{4096}, int(scaled(1000, scale)))
	return grouped(seed, list, 100, random{}).make(ctx, dir)
}

// makeFlat makes flat-1m: what a directory costs that does not fit into a page
// of anything.
func makeFlat(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	n := scaled(1_000_000, scale)
	list := sizes(seed, n, n*256, 0.5)
	return plan{files: n, content: newProse(), file: func(i int64) file {
		return file{path: fmt.Sprintf("entry-%07d.txt", i), size: list[i], seed: uint64(*newStream(seed, uint64(i)))}
	}}.make(ctx, dir)
}

// makeDeep makes deep: equally many directories in each level, each below one
// of the level above.
func makeDeep(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	const levels, size = 30, 1024
	n := scaled(10_000, scale)
	p := plan{files: n, content: newProse()}
	s := newStream(seed, 'd')
	var above, level []string
	for i := range n {
		if i*levels/n != (i-1)*levels/n {
			above, level = level, nil
		}
		name := fmt.Sprintf("dir%04d", i)
		if len(above) > 0 {
			name = filepath.Join(above[s.below(len(above))], name)
		}
		level = append(level, name)
		p.dirs = append(p.dirs, name)
	}
	p.file = func(i int64) file {
		return file{path: filepath.Join(p.dirs[i], "file.txt"), size: size, seed: uint64(*newStream(seed, uint64(i)))}
	}
	return p.make(ctx, dir)
}

// makeVersions makes the first state of versions.
func makeVersions(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	n := scaled(4000, scale)
	return source(seed, sizes(seed, n, n*8192, 1.0)).make(ctx, dir)
}

// makeDuplicates makes duplicates. Behind inserted bytes only a chunking that
// looks at the content finds what is repeated.
func makeDuplicates(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	pairs := scaled(500, scale)
	list := sizes(seed, pairs, scaled(512<<20, scale), 1.5)
	twice := make([]int64, 2*pairs)
	for i := range twice {
		twice[i] = list[i/2]
	}
	p := grouped(seed, twice, 20, random{})
	single := p.file
	p.file = func(i int64) file {
		f := single(i)
		f.seed = single(i &^ 1).seed
		if i%4 == 3 {
			f.prefix = 1 + int64(newStream(seed, uint64(i), 'p').below(4096))
			f.size += f.prefix
		}
		return f
	}
	return p.make(ctx, dir)
}

// makeDiff makes diff-10k, a tree to be compared.
func makeDiff(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	n := scaled(10_000, scale)
	return grouped(seed, sizes(seed, n, n*4096, 0.5), 100, random{}).make(ctx, dir)
}

// makeBig makes big-10g. Its segments are written on all cores.
func makeBig(ctx context.Context, dir string, seed uint64, scale float64) (Size, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return Size{}, err
	}
	size := scaled(10<<30, scale)
	path := filepath.Join(dir, "big.bin")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return Size{}, err
	}
	defer f.Close()
	if err := writeSegments(ctx, f, size, seed); err != nil {
		return Size{}, err
	}
	if err := f.Close(); err != nil {
		return Size{}, err
	}
	if err := setTime(path, time.Unix(date, 0)); err != nil {
		return Size{}, err
	}
	return Size{Files: 1, Bytes: size}, setTime(dir, time.Unix(date, 0))
}

// writeSegments writes size random bytes to f.
func writeSegments(ctx context.Context, f *os.File, size int64, seed uint64) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			buf := make([]byte, segment)
			for {
				off := (next.Add(1) - 1) * segment
				if off >= size {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				b := buf[:min(segment, size-off)]
				newStream(seed, uint64(off/segment)).fill(b)
				if _, err := f.WriteAt(b, off); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
