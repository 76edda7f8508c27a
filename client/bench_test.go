package client

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

const (
	benchFiles = 20_000
	benchDirs  = 1000
)

func benchPath(i int) string {
	return fmt.Sprintf("dir%03d/file number %02d", i/(benchFiles/benchDirs), i%(benchFiles/benchDirs))
}

// meter reports what a file costs: time since the benchmark's timer began, and allocations
// since newBenchMeter.
type benchMeter struct{ mallocs uint64 }

func newBenchMeter(b *testing.B) benchMeter {
	b.ReportAllocs()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ResetTimer()
	return benchMeter{m.Mallocs}
}

func (bm benchMeter) report(b *testing.B, items int, what string) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	n := float64(b.N) * float64(items)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/"+what)
	b.ReportMetric(float64(m.Mallocs-bm.mallocs)/n, "allocs/"+what)
}

// benchTree makes 20,000 files of size bytes in 1,000 directories.
func benchTree(b *testing.B, size int) string {
	b.Helper()
	dir := b.TempDir()
	data := make([]byte, size)
	for i := range benchFiles {
		name := filepath.Join(dir, benchPath(i))
		if i%(benchFiles/benchDirs) == 0 {
			if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		copy(data, fmt.Sprint(i))
		if err := os.WriteFile(name, data[:size], 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// benchRun is a run on dir as far as it needs no hub.
func benchRun(b testing.TB, dir string) *run {
	b.Helper()
	r := newRun(Config{Dir: dir, Jobs: 2}, "push")
	b.Cleanup(r.close)
	if err := r.openRoot(); err != nil {
		b.Fatal(err)
	}
	if err := r.root.Init(); err != nil {
		b.Fatal(err)
	}
	openBenchIndex(b, r, r.root.StateDir())
	b.Cleanup(func() { r.index.Close() })
	return r
}

// openBenchIndex gives r the index in dir in place of the one that it has.
func openBenchIndex(b testing.TB, r *run, dir string) {
	b.Helper()
	if r.index != nil {
		if err := r.index.Close(); err != nil {
			b.Fatal(err)
		}
	}
	var err error
	if r.index, err = worktree.OpenIndex(dir); err != nil {
		b.Fatal(err)
	}
}

// benchSurvey walks dir as a push does and returns how many paths differ from the base.
func benchSurvey(b testing.TB, r *run, visit func(*found) error) {
	b.Helper()
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		b.Fatal(err)
	}
	defer base.Close()
	s := survey{r: r, hasher: newHasher(r, nil, func() {}), local: true, assume: true}
	if err := s.each(b.Context(), base, visit); err != nil {
		b.Fatal(err)
	}
}

// writeBenchBase makes what the directory has the replica's base.
func writeBenchBase(b testing.TB, r *run) {
	b.Helper()
	w, err := replica.NewWriter(r.cfg.Dir)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	benchSurvey(b, r, func(f *found) error {
		value, err := f.local.Encode()
		if err != nil {
			return err
		}
		return w.Add(replica.Record{Path: f.path, Base: value, Remote: value})
	})
	if err := w.Finish(); err != nil {
		b.Fatal(err)
	}
	if err := w.Commit(replica.Seen{Root: w.Root}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSurveyNew reads all of 20,000 files of 3 KiB, as a first push does before it sends.
func BenchmarkSurveyNew(b *testing.B) {
	r := benchRun(b, benchTree(b, 3<<10))
	b.SetBytes(benchFiles * 3 << 10)
	m := newBenchMeter(b)
	for b.Loop() {
		b.StopTimer()
		openBenchIndex(b, r, b.TempDir())
		b.StartTimer()
		n := 0
		benchSurvey(b, r, func(*found) error { n++; return nil })
		if n != benchFiles+benchDirs {
			b.Fatalf("%d paths found", n)
		}
	}
	m.report(b, benchFiles, "file")
}

// BenchmarkSurveyUnchanged walks 20,000 files that are as base and index have them, as status
// and a push with nothing to do.
func BenchmarkSurveyUnchanged(b *testing.B) {
	r := benchRun(b, benchTree(b, 3))
	writeBenchBase(b, r)
	if err := r.index.Save(); err != nil {
		b.Fatal(err)
	}
	openBenchIndex(b, r, r.root.StateDir())
	m := newBenchMeter(b)
	for b.Loop() {
		n := 0
		benchSurvey(b, r, func(*found) error { n++; return nil })
		if n > 0 {
			b.Fatalf("%d paths differ", n)
		}
	}
	m.report(b, benchFiles, "file")
}

// TestUnchangedFileAllocatesNothing: what a survey of an unchanged tree allocates does not grow
// with its files, but for what it takes for each some hundred of them together.
func TestUnchangedFileAllocatesNothing(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the system is asked through a library that copies each name")
	}
	const files = 4000
	dir := t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("file number ", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := benchRun(t, dir)
	writeBenchBase(t, r)
	if err := r.index.Save(); err != nil {
		t.Fatal(err)
	}
	openBenchIndex(t, r, r.root.StateDir())
	n := testing.AllocsPerRun(5, func() {
		benchSurvey(t, r, func(f *found) error { return fmt.Errorf("%s differs", f.path) })
	})
	if n > files/4 {
		t.Errorf("%v allocations for %d files", n, files)
	}
}

// benchSpool writes records of small files, every n-th, from Base to Remote.
func benchSpool(b *testing.B, root string, every int, base, remote []byte) *replica.Writer {
	b.Helper()
	w, err := replica.NewSpool(root)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Abort)
	for i := 0; i < benchFiles; i += every {
		if err := w.Add(replica.Record{Path: benchPath(i), Base: base, Remote: remote}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Seal(); err != nil {
		b.Fatal(err)
	}
	return w
}

// BenchmarkAdvance merges a base of 20,000 records with one edit and one change in a hundred
// (or of all) into the next base, without making it durable.
func BenchmarkAdvance(b *testing.B) {
	root := b.TempDir()
	if err := os.Mkdir(filepath.Join(root, replica.Dir), 0o700); err != nil {
		b.Fatal(err)
	}
	value := func(mode uint16) *manifest.Manifest {
		return &manifest.Manifest{Kind: manifest.Directory, Mode: mode, Mtime: manifest.Time{Sec: 1700000000, Nsec: 123456789}}
	}
	encode := func(m *manifest.Manifest) []byte {
		v, err := m.Encode()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	old, edited, changed := encode(value(0o755)), encode(value(0o700)), value(0o711)
	base := benchSpool(b, root, 1, old, old)
	for _, every := range []int{100, 1} {
		edits := benchSpool(b, root, every, old, edited)
		changes := func(yield func(api.Change, error) bool) {
			for i := 0; i < benchFiles; i += every {
				if !yield(api.Change{Path: benchPath(i), New: changed}, nil) {
					return
				}
			}
		}
		b.Run(fmt.Sprint("every=", every), func(b *testing.B) {
			m := newBenchMeter(b)
			for b.Loop() {
				benchAdvance(b, root, base, edits, changes)
			}
			m.report(b, benchFiles, "record")
		})
	}
}

func benchAdvance(b *testing.B, root string, base, edits *replica.Writer, changes func(func(api.Change, error) bool)) {
	b.Helper()
	var readers [2]*replica.Reader
	for i, w := range []*replica.Writer{base, edits} {
		var err error
		if readers[i], err = w.Reread(); err != nil {
			b.Fatal(err)
		}
		defer readers[i].Close()
	}
	w, err := replica.NewWriter(root)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	if err := advance(w, readers[0], readers[1], nil, encodeChanges(changes), nil); err != nil {
		b.Fatal(err)
	}
	if w.Root == merkle.EmptyRoot() || w.Records != benchFiles {
		b.Fatalf("%d records", w.Records)
	}
}
