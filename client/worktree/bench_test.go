//go:build linux

package worktree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dfs/manifest"
)

// BenchmarkScan scans 100,000 files in 5,000 directories; its figures are of one entry.
func BenchmarkScan(b *testing.B) {
	dir := memoryDirIn(b, os.Getenv("DFS_BENCH_DIR"))
	r := openTest(b, dir)
	for d := range 5000 {
		sub := filepath.Join(dir, fmt.Sprint("dir", d/100), fmt.Sprint("dir", d%100))
		must(b, os.MkdirAll(sub, 0o777))
		for f := range 20 {
			must(b, os.WriteFile(filepath.Join(sub, fmt.Sprint("some file ", f)), nil, 0o666))
		}
	}
	for _, jobs := range []int{1, 2, 4} {
		b.Run(fmt.Sprint("jobs=", jobs), func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; {
				for _, err := range r.Scan(b.Context(), ScanOptions{Jobs: jobs}) {
					must(b, err)
					if n++; n >= b.N {
						break
					}
				}
			}
		})
	}
}

// memoryDirIn is a temporary directory in a given place, else in memory.
func memoryDirIn(b *testing.B, place string) string {
	if place == "" {
		return memoryDir(b)
	}
	dir, err := os.MkdirTemp(place, "worktree")
	must(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// benchRecord has the size of a small file's.
func benchRecord(i int) Record {
	return Record{
		Path: fmt.Sprintf("some/directory%05d/file number %02d", i/20, i%20), Size: 3000, Ino: uint64(i) + 1<<20,
		Mtime: manifest.Time{Sec: 1700000000, Nsec: 123456789}, Ctime: manifest.Time{Sec: 1700000000, Nsec: 123456789},
		Value: []byte(strings.Repeat("v", 60)),
	}
}

// Figures of the index's benchmarks are of one record.
func BenchmarkIndexAdd(b *testing.B) {
	ix := openIndex(b, memoryDir(b))
	rec := benchRecord(1)
	b.ReportAllocs()
	for b.Loop() {
		must(b, ix.Add(rec))
	}
}

func filledIndex(b *testing.B, n int) (*Index, []string) {
	b.Helper()
	ix := openIndex(b, memoryDir(b))
	paths := make([]string, n)
	for i := range n {
		rec := benchRecord(i)
		paths[i] = rec.Path
		must(b, ix.Add(rec))
	}
	return ix, paths
}

func BenchmarkIndexMerge(b *testing.B) {
	ix, _ := filledIndex(b, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	ix.mu.Lock()
	defer ix.mu.Unlock()
	must(b, ix.merge())
}

func BenchmarkIndexFind(b *testing.B) {
	ix, paths := filledIndex(b, 100000)
	ix.mu.Lock()
	must(b, ix.merge())
	ix.mu.Unlock()
	b.ReportAllocs()
	for n := 0; n < b.N; {
		c := ix.Cursor()
		for _, p := range paths {
			if _, ok := c.Find(p); !ok {
				b.Fatal(p)
			}
			if n++; n >= b.N {
				break
			}
		}
	}
}

// BenchmarkApply makes files of 3 KiB, 20 a directory; its figures are of one file.
func BenchmarkApply(b *testing.B) {
	dir := memoryDirIn(b, os.Getenv("DFS_BENCH_DIR"))
	r := openTest(b, dir)
	a := r.Apply()
	data := make([]byte, 3<<10)
	m := fileOf(string(data), 0o644, manifest.Time{Sec: 1700000000})
	b.ReportAllocs()
	for i := range b.N {
		sub := fmt.Sprint("dir", i/20)
		if i%20 == 0 {
			must(b, a.Directory(sub, &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755, Mtime: m.Mtime}, nil))
		}
		temp, err := a.File(fmt.Sprint(sub, "/file", i%20), m, nil)
		must(b, err)
		_, err = temp.WriteAt(data, 0)
		must(b, err)
		must(b, temp.Done())
		if i%4000 == 3999 {
			_, _, err := a.Flush(b.Context())
			must(b, err)
		}
	}
	finish(b, a)
}
