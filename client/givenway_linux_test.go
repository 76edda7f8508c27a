package client_test

import (
	"os"
	"path/filepath"
	"testing"

	"dfs/client"
)

// TestResolvedAfterGivingWay: a replica that conflicts gives way, pulls the head's version, and then has the
// conflict, which is still open, settled with what was its own. That is what all get: the version that it
// pulled is no edit.
func TestResolvedAfterGivingWay(t *testing.T) {
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(a, "one")
	mustPush(t, config(h, a))
	mustPull(t, config(h, b))
	write(a, "of a")
	mustPush(t, config(h, a))
	write(b, "of b, longer")
	if res, err := client.Push(t.Context(), config(h, b)); err != nil || len(res.Conflicts) != 1 {
		t.Fatalf("push: %+v, %v", res, err)
	}
	if err := os.Remove(filepath.Join(b, "f")); err != nil {
		t.Fatal(err)
	}
	mustPull(t, config(h, b))
	if _, err := client.Resolve(t.Context(), config(h, b), client.Resolution{Names: []string{"f"}, Take: "ours"}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{b, a, b} {
		if res, err := client.Sync(t.Context(), config(h, dir)); err != nil || len(res.Conflicts) > 0 {
			t.Fatalf("sync: %+v, %v", res, err)
		}
	}
	for _, dir := range []string{a, b} {
		if data, _ := fileData(content(t, dir)["f"]); data != "of b, longer" {
			t.Errorf("%s has %q", filepath.Base(dir), data)
		}
	}
}
