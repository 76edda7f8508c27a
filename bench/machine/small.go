package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// SmallBytes is the size of the files that Open, Stat and Create of [Limits] are about.
const SmallBytes = 4 << 10

const (
	perFolder = 1000 // files of a directory
	perBatch  = 4000 // files made between two syncs of the file system
)

// small measures what files cost that are small: makes them anew for each of three
// runs, so many in each, and opens and stats those of the last. All cores work,
// each in directories of its own. The files are left in dir.
func (l *Limits) small(ctx context.Context, dir string, files int) error {
	cores := runtime.GOMAXPROCS(0)
	var made []folder
	runs := 0
	create, err := median(ctx, func(ctx context.Context) (int64, error) {
		runs++
		var err error
		made, err = create(ctx, filepath.Join(dir, fmt.Sprint("run", runs)), files)
		return int64(files), err
	})
	if err != nil {
		return err
	}
	over := func(what func(folder) error) (float64, error) {
		return median(ctx, func(ctx context.Context) (int64, error) {
			start := time.Now()
			n := int64(0)
			for time.Since(start) < time.Second/10 { // once is too short to be told
				if err := parallel(ctx, made, what); err != nil {
					return n, err
				}
				n += int64(files)
			}
			return n, nil
		})
	}
	open, err := over(folder.read)
	if err != nil {
		return err
	}
	stat, err := over(folder.stat)
	l.Open, l.Stat, l.Create = open/float64(cores), stat/float64(cores), create
	return err
}

// folder is a directory with small files of known names.
type folder struct {
	path  string
	names []string
}

// folders returns directories below dir for so many files, at least one a core.
func folders(dir string, files int) (all []folder) {
	n := max(runtime.GOMAXPROCS(0), files/perFolder)
	for i := range n {
		f := folder{path: filepath.Join(dir, strconv.Itoa(i))}
		for j := range (files + n - 1 - i) / n {
			f.names = append(f.names, fmt.Sprintf("file-%05d", j))
		}
		all = append(all, f)
	}
	return all
}

// create makes files as a durable pull must: under another name, the file system
// synced once they are written, and renamed; and synced again at the end.
func create(ctx context.Context, dir string, files int) ([]folder, error) {
	all := folders(dir, files)
	for _, f := range all {
		if err := os.MkdirAll(f.path, 0o700); err != nil {
			return nil, err
		}
	}
	for batch := range slices.Chunk(all, max(runtime.GOMAXPROCS(0), perBatch/perFolder)) {
		if err := parallel(ctx, batch, folder.write); err != nil {
			return nil, err
		}
		if err := syncBelow(dir); err != nil {
			return nil, err
		}
		if err := parallel(ctx, batch, folder.rename); err != nil {
			return nil, err
		}
	}
	return all, syncBelow(dir)
}

// parallel does something with each folder, on all cores.
func parallel(ctx context.Context, all []folder, do func(folder) error) error {
	work := make(chan folder, len(all))
	for _, f := range all {
		work <- f
	}
	close(work)
	failed := make(chan error, len(all))
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for f := range work {
				err := ctx.Err()
				if err == nil {
					err = do(f)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// before is the end of the name of a file that is not in place yet.
const before = ".new"

func (f folder) write() error {
	content := make([]byte, SmallBytes)
	for i, name := range f.names {
		copy(content, name) // so that no two are the same by chance
		content[SmallBytes-1] = byte(i)
		if err := os.WriteFile(filepath.Join(f.path, name+before), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) rename() error {
	for _, name := range f.names {
		path := filepath.Join(f.path, name)
		if err := os.Rename(path+before, path); err != nil {
			return err
		}
	}
	return nil
}
