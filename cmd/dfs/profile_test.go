package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProfileAsTold: each line is answered when the files of the one before are there.
func TestProfileAsTold(t *testing.T) {
	dir := t.TempDir()
	a, b, none := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "none", "c")
	var out bytes.Buffer
	profileAsTold(strings.NewReader(strings.Join([]string{a, b, "", none, "", ""}, "\n")), &out)
	answers := strings.Split(out.String(), "\n")
	for i, want := range []string{"profiling " + a, "profiling " + b, "profiling ", "open " + none, "profiling "} {
		if i >= len(answers) || !strings.HasPrefix(answers[i], want) {
			t.Fatalf("answers %q, want %q at %d", answers, want, i)
		}
	}
	for _, path := range []string{a + ".cpu", a + ".mem", b + ".cpu", b + ".mem"} {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}
