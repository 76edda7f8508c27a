package client

import (
	"maps"
	"testing"

	"dfs/manifest"
)

// TestMatch pairs paths of one content: equal names first, then in order, each path once.
func TestMatch(t *testing.T) {
	for name, c := range map[string]struct {
		gone, come []string
		want       map[string]string
	}{
		"names":     {[]string{"a/x", "a/y", "a/z"}, []string{"b/1", "b/z", "b/x"}, map[string]string{"b/1": "a/y", "b/z": "a/z", "b/x": "a/x"}},
		"order":     {[]string{"a/1/f", "a/2/f"}, []string{"b/1/f", "b/2/f"}, map[string]string{"b/1/f": "a/1/f", "b/2/f": "a/2/f"}},
		"more come": {[]string{"a"}, []string{"b", "c/a", "d"}, map[string]string{"c/a": "a"}},
		"more gone": {[]string{"a", "b", "c"}, []string{"d"}, map[string]string{"d": "a"}},
		"nothing":   {nil, []string{"d"}, map[string]string{}},
	} {
		got := map[string]string{}
		(&places{c.gone, c.come}).match(got)
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestContents counts pairs of vanished and new paths, less what is taken back.
func TestContents(t *testing.T) {
	value := func(target string) []byte {
		b, err := (&manifest.Manifest{Kind: manifest.Symlink, Mode: modeBits, Target: target}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := value("a"), value("b")
	var c contents
	for _, n := range []struct {
		old, new []byte
		n        int64
	}{{a, nil, 1}, {a, nil, 1}, {nil, a, 1}, {nil, a, 1}, {nil, a, 1}, {b, nil, 1}, {nil, b, 1}, {a, b, 1}, {nil, b, -1}, {nil, a, -1}} {
		if err := c.note(n.old, n.new, n.n); err != nil {
			t.Fatal(err)
		}
	}
	if count, keys := c.moves(); count != 2 || len(keys) != 1 {
		t.Errorf("%d moves of %d contents, want 2 of 1", count, len(keys))
	}
	if err := c.note(a, nil, -1); err != nil {
		t.Fatal(err)
	}
	if count, _ := c.moves(); count != 1 {
		t.Errorf("%d moves, want 1", count)
	}
}
