package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// memoryDir is a temporary directory in memory, where the system has that.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "workload")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// look returns the size of the tree dir and the hash of its names, kinds,
// times and contents.
func look(t testing.TB, dir string) (size Size, sum string) {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %s %d\n", strings.TrimPrefix(path, dir), info.Mode(), info.ModTime().UnixNano())
		if d.IsDir() {
			if path != dir {
				size.Dirs++
			}
			return nil
		}
		data, err := os.ReadFile(path)
		size.Files++
		size.Bytes += int64(len(data))
		h.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size, hex.EncodeToString(h.Sum(nil))
}

// create1 makes the workload name and returns its directory.
func create1(t testing.TB, name string, seed uint64, scale float64) (string, Size) {
	t.Helper()
	w, ok := Named(name)
	if !ok {
		t.Fatalf("no workload %s", name)
	}
	dir := filepath.Join(memoryDir(t), "tree")
	size, err := w.Make(t.Context(), dir, seed, scale)
	if err != nil {
		t.Fatal(err)
	}
	return dir, size
}

// TestMake holds each workload to its size and to its seed.
func TestMake(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		scale float64
		want  Size
	}{
		"1k-1gib":      {0.01, Size{10, 1, 1024 * mib / 100}},
		"1k-1gib-half": {0.01, Size{10, 1, 1024 * mib / 100}},
		"small-100k":   {0.01, Size{1000, 51, 1000 * 3072}},
		"4k-1000":      {0.2, Size{200, 2, 200 * 4096}},
		"flat-1m":      {0.001, Size{1000, 0, 256_000}},
		"deep":         {0.01, Size{100, 100, 102_400}},
		"big-10g":      {0.001, Size{1, 0, 1024 * mib / 100}},
		"versions":     {0.01, Size{40, 3, 40 * 8192}},
		"duplicates":   {0.01, Size{10, 1, 1024 * mib / 100}},
		"diff-10k":     {0.01, Size{100, 1, 400 << 10}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, told := create1(t, name, 1, c.scale)
			size, first := look(t, dir)
			if size != told {
				t.Errorf("Make says %v, the tree is %v", told, size)
			}
			if size.Files != c.want.Files || size.Dirs != c.want.Dirs || math.Abs(float64(size.Bytes-c.want.Bytes)) > float64(c.want.Bytes)/10 {
				t.Errorf("size %v, want about %v", size, c.want)
			}
			again, _ := create1(t, name, 1, c.scale)
			if _, sum := look(t, again); sum != first {
				t.Error("the same seed made another tree")
			}
			other, _ := create1(t, name, 2, c.scale)
			if _, sum := look(t, other); sum == first {
				t.Error("another seed made the same tree")
			}
		})
	}
}

// TestAll holds names to be unique and known to Named, and refuses a directory
// that exists.
func TestAll(t *testing.T) {
	seen := make(map[string]bool)
	for _, w := range All() {
		if seen[w.Name] || w.Doc == "" {
			t.Errorf("%s: named twice, or without a Doc", w.Name)
		}
		seen[w.Name] = true
		if _, err := w.Make(t.Context(), t.TempDir(), 1, 0.0001); err == nil {
			t.Errorf("%s was made over a directory that exists", w.Name)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d workloads", len(seen))
	}
	if _, ok := Named("none"); ok {
		t.Error("a workload named none")
	}
}

// Test4kSizes holds every file of 4k-1000 to its size.
func Test4kSizes(t *testing.T) {
	dir, _ := create1(t, "4k-1000", 1, 0.1)
	for name, data := range contents(t, dir) {
		if len(data) != 4096 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
	}
}

func TestDeepLevels(t *testing.T) {
	dir, _ := create1(t, "deep", 1, 0.01)
	var deepest int
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			deepest = max(deepest, strings.Count(strings.TrimPrefix(path, dir), string(filepath.Separator)))
		}
		return err
	})
	if deepest != 30 {
		t.Errorf("%d levels, want 30", deepest)
	}
}
