package main

import (
	"path/filepath"
	"testing"
)

// TestBenchPlaces: relative places are meant from where the user is, not from where what is
// measured runs; those that are not given are not asked for.
func TestBenchPlaces(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	given := &benchFlags{dir: "w", out: "result", profiles: "p/q"}
	if err := given.absolute(); err != nil {
		t.Fatal(err)
	}
	for got, name := range map[string]string{given.dir: "w", given.out: "result", given.profiles: "p/q"} {
		if want := filepath.Join(here, name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	t.Setenv("TMPDIR", "tmp")
	none := new(benchFlags)
	if err := none.absolute(); err != nil || !filepath.IsAbs(none.dir) || none.out != "" || none.profiles != "" {
		t.Errorf("%+v, %v", none, err)
	}
}
