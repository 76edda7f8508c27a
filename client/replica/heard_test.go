package replica

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHeard(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	want := func(what string, number uint64) {
		t.Helper()
		if got, err := Heard(root); got != number || err != nil {
			t.Errorf("%s: %d, %v", what, got, err)
		}
	}
	want("none", 0)
	for _, number := range []uint64{7, 1 << 60, 3} {
		if err := SetHeard(root, number); err != nil {
			t.Fatal(err)
		}
		want("as set", number)
	}
	if err := DropBase(root); err != nil {
		t.Fatal(err)
	}
	want("without a base", 0)
	if err := DropBase(root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, Dir, heardName), []byte(`{"version":2,"settled":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Heard(root); err == nil {
		t.Error("a newer format passes")
	}
}
