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

const (
	scanDirs = 5000
	scanLen  = 20 // files in each
	scanned  = scanDirs*scanLen + scanDirs + scanDirs/100
)

// scanTree makes 100,000 empty files in 5,000 directories.
func scanTree(b *testing.B) *Root {
	b.Helper()
	dir := memoryDirIn(b, os.Getenv("DFS_BENCH_DIR"))
	r := openTest(b, dir)
	for d := range scanDirs {
		sub := filepath.Join(dir, fmt.Sprint("dir", d/100), fmt.Sprint("dir", d%100))
		must(b, os.MkdirAll(sub, 0o777))
		for f := range scanLen {
			must(b, os.WriteFile(filepath.Join(sub, fmt.Sprint("some file ", f)), nil, 0o666))
		}
	}
	return r
}

// per reports the time of each of n items that every round of a benchmark has.
func per(b *testing.B, n int, what string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/"+what)
}

// BenchmarkScan scans 100,000 files.
func BenchmarkScan(b *testing.B) {
	r := scanTree(b)
	for _, jobs := range []int{1, 2, 4} {
		b.Run(fmt.Sprint("jobs=", jobs), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range r.Scan(b.Context(), ScanOptions{Jobs: jobs}) {
					must(b, err)
					n++
				}
				if n != scanned {
					b.Fatalf("%d entries, not %d", n, scanned)
				}
			}
			per(b, scanned, "entry")
		})
	}
}

// BenchmarkScanUnchanged scans 100,000 files and finds each in the index as it is on disk.
func BenchmarkScanUnchanged(b *testing.B) {
	r := scanTree(b)
	ix := openIndex(b, memoryDir(b))
	value := []byte(strings.Repeat("v", 60))
	for e, err := range r.Scan(b.Context(), ScanOptions{}) {
		must(b, err)
		if e.Kind == manifest.File {
			must(b, ix.Add(NewRecord(e, manifest.Time{Sec: 1 << 40}, value)))
		}
	}
	mergeNow(b, ix)
	b.ReportAllocs()
	for b.Loop() {
		c, clean := ix.Cursor(), 0
		for e, err := range r.Scan(b.Context(), ScanOptions{}) {
			must(b, err)
			if e.Kind != manifest.File {
				continue
			}
			if rec, ok := c.Find(e.Path); ok && rec.Clean(e) {
				clean++
			}
		}
		if clean != scanDirs*scanLen {
			b.Fatalf("%d files unchanged", clean)
		}
	}
	per(b, scanDirs*scanLen, "file")
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

// BenchmarkIndexAdd is of one record.
func BenchmarkIndexAdd(b *testing.B) {
	ix := openIndex(b, memoryDir(b))
	rec := benchRecord(1)
	b.ReportAllocs()
	for b.Loop() {
		must(b, ix.Add(rec))
	}
}

const indexed = 100_000

func filledIndex(b *testing.B) (*Index, []string) {
	b.Helper()
	ix := openIndex(b, memoryDir(b))
	paths := make([]string, indexed)
	for i := range paths {
		rec := benchRecord(i)
		paths[i] = rec.Path
		must(b, ix.Add(rec))
	}
	return ix, paths
}

func mergeNow(b *testing.B, ix *Index) {
	b.Helper()
	ix.mu.Lock()
	defer ix.mu.Unlock()
	must(b, ix.merge())
}

// BenchmarkIndexMerge merges a journal of 100,000 records, or of one, into the sorted file.
func BenchmarkIndexMerge(b *testing.B) {
	b.Run("journal=all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			ix, _ := filledIndex(b)
			b.StartTimer()
			mergeNow(b, ix)
			b.StopTimer()
			must(b, ix.Close())
			b.StartTimer()
		}
		per(b, indexed, "record")
	})
	b.Run("journal=1", func(b *testing.B) {
		ix, _ := filledIndex(b)
		mergeNow(b, ix)
		b.ReportAllocs()
		for b.Loop() {
			must(b, ix.Add(benchRecord(indexed/2)))
			mergeNow(b, ix)
		}
		per(b, indexed, "record")
	})
}

// BenchmarkIndexFind looks for all of 100,000 records.
func BenchmarkIndexFind(b *testing.B) {
	ix, paths := filledIndex(b)
	mergeNow(b, ix)
	b.ReportAllocs()
	for b.Loop() {
		c := ix.Cursor()
		for _, p := range paths {
			if _, ok := c.Find(p); !ok {
				b.Fatal(p)
			}
		}
	}
	per(b, indexed, "record")
}

// BenchmarkIndexOpen opens an index with a journal of 100,000 records.
func BenchmarkIndexOpen(b *testing.B) {
	dir := memoryDir(b)
	ix := openIndex(b, dir)
	for i := range indexed {
		must(b, ix.Add(benchRecord(i)))
	}
	must(b, ix.Close())
	b.ReportAllocs()
	for b.Loop() {
		ix, err := OpenIndex(dir)
		must(b, err)
		must(b, ix.Close())
	}
	per(b, indexed, "record")
}

const appliedDirs, appliedFiles = 50, 1000

// BenchmarkApply makes 1,000 files of 3 KiB, 20 a directory, from empty to durable.
func BenchmarkApply(b *testing.B) {
	dir := memoryDirIn(b, os.Getenv("DFS_BENCH_DIR"))
	r := openTest(b, dir)
	data := make([]byte, 3<<10)
	m := fileOf(string(data), 0o644, manifest.Time{Sec: 1700000000})
	d := &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755, Mtime: m.Mtime}
	b.SetBytes(appliedFiles * int64(len(data)))
	b.ReportAllocs()
	for round := 0; b.Loop(); round++ {
		a := r.Apply()
		top := fmt.Sprint("round", round)
		must(b, a.Directory(top, d, nil))
		for i := range appliedFiles {
			sub := fmt.Sprint(top, "/dir", i/(appliedFiles/appliedDirs))
			if i%(appliedFiles/appliedDirs) == 0 {
				must(b, a.Directory(sub, d, nil))
			}
			temp, err := a.File(fmt.Sprint(sub, "/file", i), m, nil)
			must(b, err)
			_, err = temp.WriteAt(data, 0)
			must(b, err)
			must(b, temp.Done())
		}
		finish(b, a)
		b.StopTimer()
		must(b, os.RemoveAll(filepath.Join(dir, top)))
		b.StartTimer()
	}
	per(b, appliedFiles, "file")
}
