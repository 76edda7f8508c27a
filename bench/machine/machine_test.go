package machine

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestDescribe(t *testing.T) {
	m, err := Describe(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m.Cores < 1 || m.Go == "" || m.OS == "" {
		t.Errorf("described as %+v", m)
	}
	if runtime.GOOS == "linux" && (m.FS == "" || m.Kernel == "" || m.MemoryBytes < 1<<20) {
		t.Errorf("described as %+v", m)
	}
	t.Logf("%+v", m)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + "-none"} {
		if _, err := Describe(path); err == nil {
			t.Errorf("described the file system of %s", path)
		}
	}
}

// TestMeasure holds the limits to be measured, and to leave nothing behind but the
// small files, each in place and whole.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	const files = 50
	l, err := measure(t.Context(), dir, 5<<20, files)
	if err != nil {
		t.Fatal(err)
	}
	for name, rate := range map[string]float64{
		"read": l.Read, "SHA-256": l.SHA256, "Rabin": l.Rabin, "write and sync": l.WriteSync, "loopback": l.Loopback,
	} {
		if !(rate > 0) {
			t.Errorf("%s: %g bytes a second", name, rate)
		}
		t.Logf("%-14s %7.0f MiB/s", name, rate/(1<<20))
	}
	for name, rate := range map[string]float64{"open": l.Open, "stat": l.Stat, "create": l.Create} {
		if !(rate > 0) {
			t.Errorf("%s: %g files a second", name, rate)
		}
		t.Logf("%-14s %7.0f files/s", name, rate)
	}
	if !(l.Fsync > 0) {
		t.Errorf("fsync: %g a second", l.Fsync)
	}
	t.Logf("%-14s %7.0f syncs/s", "fsync", l.Fsync)
	left := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		left++
		info, err := d.Info()
		if err == nil && (info.Size() != SmallBytes || filepath.Ext(path) != "") {
			t.Errorf("left %s of %d bytes", path, info.Size())
		}
		return err
	})
	if err != nil || left != 3*files {
		t.Errorf("left %d small files, want those of three runs of %d: %v", left, files, err)
	}
}

// TestSmallFails holds the probes to say so when a file is missing.
func TestSmallFails(t *testing.T) {
	f := folder{t.TempDir(), []string{"none"}}
	for name, do := range map[string]func(folder) error{"read": folder.read, "rename": folder.rename} {
		if err := parallel(t.Context(), []folder{f}, do); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f.path += "-none"
	for name, do := range map[string]func(folder) error{"stat": folder.stat, "write": folder.write} {
		if err := parallel(t.Context(), []folder{f}, do); err == nil {
			t.Errorf("%s in no directory: no error", name)
		}
	}
}

func TestMeasureCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := measure(ctx, dir, 5<<20, 10); err == nil {
		t.Error("measured nevertheless")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestTouchMemory calls it with what it can and cannot get.
func TestTouchMemory(t *testing.T) {
	for _, n := range []int64{-1, 0, 1, 4096, 10_000_001} {
		TouchMemory(n)
	}
}
