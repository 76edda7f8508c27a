package workload

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// differences counts the files of a that b lacks or has otherwise, and the
// files of b that a lacks.
func differences(t *testing.T, a, b string) (changed, gone, added int64) {
	t.Helper()
	before, after := contents(t, a), contents(t, b)
	for name, data := range before {
		now, ok := after[name]
		switch {
		case !ok:
			gone++
		case now != data:
			changed++
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			added++
		}
	}
	return changed, gone, added
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := list(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// TestChurn holds rounds to what they say that they did, to about 1 %, and to
// their seed; a directory with a dot stays as it is.
func TestChurn(t *testing.T) {
	for _, name := range []string{"small-100k", "diff-10k"} {
		t.Run(name, func(t *testing.T) {
			scale := map[string]float64{"small-100k": 0.01, "diff-10k": 0.1}[name]
			before, size := create1(t, name, 1, scale)
			one, _ := create1(t, name, 1, scale)
			two, _ := create1(t, name, 1, scale)
			state := filepath.Join(one, ".dfs")
			if err := os.Mkdir(state, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(state, "id"), []byte("id"), 0o644); err != nil {
				t.Fatal(err)
			}
			for round := range 5 {
				done := churn(t, one, round)
				if again := churn(t, two, round); again != done {
					t.Fatalf("round %d did %v and, done again, %v", round, done, again)
				}
				if all := done.Edited + done.Moved + done.Deleted; all < size.Files/110 || all > size.Files/90 {
					t.Errorf("round %d changed %d of %d files", round, all, size.Files)
				}
				if round == 0 {
					changed, gone, added := differences(t, before, one)
					if changed != done.Edited || gone != done.Moved+done.Deleted || added != done.Moved {
						t.Errorf("%v: found %d changed, %d gone, %d added", done, changed, gone, added)
					}
				}
			}
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			if err := setTime(one, time.Unix(date, 0)); err != nil {
				t.Fatal(err)
			}
			if err := setTime(two, time.Unix(date, 0)); err != nil {
				t.Fatal(err)
			}
			_, first := look(t, one)
			if _, second := look(t, two); first != second {
				t.Error("the same rounds made other trees")
			}
		})
	}
}

func churn(t *testing.T, dir string, round int) Changes {
	t.Helper()
	done, err := Churn(t.Context(), dir, 9, round)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// TestChurnSmall churns a tree of one file.
func TestChurnSmall(t *testing.T) {
	dir, _ := create1(t, "flat-1m", 1, 0)
	if done := churn(t, dir, 0); done.Edited != 1 || done.Moved+done.Deleted != 0 {
		t.Errorf("did %v to one file", done)
	}
	if done, err := Churn(t.Context(), t.TempDir(), 1, 0); err != nil || done != (Changes{}) {
		t.Errorf("an empty directory: %v, %v", done, err)
	}
}

func TestNextVersion(t *testing.T) {
	const scale = 0.05
	one, size := create1(t, "versions", 3, scale)
	two, _ := create1(t, "versions", 3, scale)
	previous, _ := create1(t, "versions", 3, scale)
	for n := 2; n <= Versions; n++ {
		done, err := NextVersion(t.Context(), one, 3, n)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := NextVersion(t.Context(), two, 3, n); err != nil || again != done {
			t.Fatalf("version %d did %v and, done again, %v, %v", n, done, again, err)
		}
		if n == 2 {
			changed, gone, added := differences(t, previous, one)
			if changed != done.Edited || gone != done.Deleted+done.Moved || added != done.Added+done.Moved {
				t.Errorf("%v: found %d changed, %d gone, %d added", done, changed, gone, added)
			}
		}
	}
	last, first := look(t, one)
	if _, second := look(t, two); first != second {
		t.Error("the same versions are other trees")
	}
	if last.Files < size.Files || last.Bytes > 2*size.Bytes || last.Bytes < size.Bytes/2 {
		t.Errorf("grew from %v to %v", size, last)
	}
	for _, n := range []int{1, Versions + 1} {
		if _, err := NextVersion(t.Context(), one, 3, n); err == nil {
			t.Errorf("made version %d", n)
		}
	}
}

// TestLarge changes a file of several buffers each way.
func TestLarge(t *testing.T) {
	dir, size := create1(t, "big-10g", 1, 0.0012) // 12.3 MiB, no multiple of a buffer
	path := filepath.Join(dir, "big.bin")
	n := size.Bytes
	for _, c := range []struct {
		name   string
		change func(context.Context, string, uint64) error
		check  func(old, now []byte) bool
	}{
		{"overwrite", Overwrite, func(old, now []byte) bool {
			return old[n/2] != now[n/2] && bytes.Equal(old[:n/2], now[:n/2]) && bytes.Equal(old[n/2+1:], now[n/2+1:])
		}},
		{"insert", Insert, func(old, now []byte) bool {
			return bytes.Equal(old[:n/3], now[:n/3]) && bytes.Equal(old[n/3:], now[n/3+1:])
		}},
		{"append", Append, func(old, now []byte) bool {
			return bytes.HasPrefix(now, old) && len(now) == len(old)+1<<20
		}},
	} {
		old, now := change1(t, path, c.change)
		if !c.check(old, now) {
			t.Errorf("%s did something else", c.name)
		}
		n = int64(len(now))
		if old, now = change1(t, path, c.change); bytes.Equal(old, now) {
			t.Errorf("%s done again changed nothing", c.name)
		}
		n = int64(len(now))
	}
}

// change1 returns the content of path before and after a change, which must
// move its time.
func change1(t *testing.T, path string, change func(context.Context, string, uint64) error) (old, now []byte) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if old, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := change(t.Context(), path, 5); err != nil {
		t.Fatal(err)
	}
	if now, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().After(before.ModTime()) {
		t.Error("the modification time did not move")
	}
	return old, now
}
