package workload

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// date is when everything in a tree was last changed, in Unix seconds.
const date = 1704067200

// A plan is a tree to be made.
type plan struct {
	dirs    []string // below the root, parents first
	files   int64
	file    func(i int64) file // called concurrently
	content content
}

// A file is one in a plan.
type file struct {
	path   string // below the root
	size   int64
	seed   uint64 // of its content
	prefix int64  // so many bytes of it are random and come before its content
}

// make makes the plan as the new directory root.
func (p plan) make(ctx context.Context, root string) (Size, error) {
	if err := os.Mkdir(root, 0o755); err != nil {
		return Size{}, err
	}
	for _, dir := range p.dirs {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return Size{}, err
		}
	}
	bytes, err := p.writeFiles(ctx, root)
	if err != nil {
		return Size{}, err
	}
	for i := len(p.dirs) - 1; i >= 0; i-- {
		if err := setTime(filepath.Join(root, p.dirs[i]), time.Unix(date, 0)); err != nil {
			return Size{}, err
		}
	}
	return Size{p.files, int64(len(p.dirs)), bytes}, setTime(root, time.Unix(date, 0))
}

// writeFiles writes the files on all cores and returns how many bytes they have.
func (p plan) writeFiles(ctx context.Context, root string) (int64, error) {
	const batch = 32
	var next, bytes atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			buf := make([]byte, segment)
			for {
				first := next.Add(batch) - batch
				if first >= p.files {
					return nil
				}
				for i := first; i < min(first+batch, p.files); i++ {
					f := p.file(i)
					if err := p.writeFile(ctx, root, f, buf); err != nil {
						return err
					}
					bytes.Add(f.size)
				}
			}
		})
	}
	err := g.Wait()
	return bytes.Load(), err
}

func (p plan) writeFile(ctx context.Context, root string, f file, buf []byte) error {
	out, err := create(filepath.Join(root, f.path))
	if err != nil {
		return err
	}
	defer out.close()
	if f.prefix > 0 {
		newStream(f.seed, 'p').fill(buf[:f.prefix])
		if err := out.write(buf[:f.prefix]); err != nil {
			return err
		}
	}
	for off, size := int64(0), f.size-f.prefix; off < size; off += segment {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(segment, size-off)]
		p.content.fill(b, newStream(f.seed, uint64(off/segment)))
		if err := out.write(b); err != nil {
			return err
		}
	}
	return out.setTime(time.Unix(date, 0))
}

// setTime gives path its modification time.
func setTime(path string, mtime time.Time) error { return os.Chtimes(path, mtime, mtime) }
