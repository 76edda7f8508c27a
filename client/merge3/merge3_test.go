package merge3

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// words makes a text of words: each a line, but that "." ends the text without
// a line feed after the word before.
func words(s string) []byte {
	if s, cut := strings.CutSuffix(s, " ."); cut {
		return []byte(strings.ReplaceAll(s, " ", "\n"))
	}
	if s == "" {
		return nil
	}
	return []byte(strings.ReplaceAll(s, " ", "\n") + "\n")
}

const conflict = "conflict"

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct{ base, ours, theirs, want string }{
		"nothing":                          {"", "", "", ""},
		"unchanged":                        {"a b c", "a b c", "a b c", "a b c"},
		"only ours":                        {"a b c", "a x c", "a b c", "a x c"},
		"only theirs":                      {"a b c", "a b c", "a x c", "a x c"},
		"apart":                            {"a b c d e", "x b c d e", "a b c d y", "x b c d y"},
		"a line between":                   {"a b c", "x b c", "a b y", "x b y"},
		"neighbours":                       {"a b", "x b", "a y", conflict},
		"the same line":                    {"a b c", "a x c", "a y c", conflict},
		"the same change":                  {"a b c d e", "a x c d e", "a x c d y", "a x c d y"},
		"the same, and more of it":         {"a b c d", "a x y d", "a x c d", conflict},
		"added at the same place":          {"a b", "a x b", "a y b", conflict},
		"the same added at one place":      {"a b", "a x b", "a x b", "a x b"},
		"added before and behind a line":   {"a b c", "a x b c", "a b y c", "a x b y c"},
		"added before what is changed":     {"a b c", "a x b c", "a y c", conflict},
		"deleted and changed":              {"a b c", "a c", "a y c", conflict},
		"deleted by both":                  {"a b c d", "a c d", "a d", conflict},
		"the same deleted":                 {"a b c d", "a c d", "a c d", "a c d"},
		"deleted beside what is deleted":   {"a b c d", "a c d", "a b d", conflict},
		"all deleted by one":               {"a b c", "", "a b c", ""},
		"all deleted, one changed":         {"a b c", "", "a b x", conflict},
		"both begin":                       {"", "a", "b", conflict},
		"both begin alike":                 {"", "a b", "a b", "a b"},
		"line feed added at the end":       {"a b c .", "a b c", "x b c .", "x b c"},
		"line feed removed at the end":     {"a b c", "a b c .", "x b c", "x b c ."},
		"last line and its line feed":      {"a b .", "a b", "a x .", conflict},
		"appended to an unfinished line":   {"a b .", "a b c .", "x b .", conflict},
		"appended, and changed above":      {"a b c .", "a b c d .", "x b c .", "x b c d ."},
		"carriage return of another line":  {"a b c", "a\r b c", "a b x", "a\r b x"},
		"carriage return of the same line": {"a b c", "a b\r c", "a x c", conflict},
		"all line ends against one line":   {"a b c", "a\r b\r c\r", "a x c", conflict},
		"one line less of many alike":      {"a a a a b", "a a a b", "a a a a x", conflict},
		"one line more of many alike":      {"a a a a b c", "a a a a a b c", "a a a a b x", "a a a a a b x"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, c.base, c.ours, c.theirs, c.want)
			check(t, c.base, c.theirs, c.ours, c.want)
		})
	}
}

func check(t *testing.T, base, ours, theirs, want string) {
	t.Helper()
	got, clean := Merge(words(base), words(ours), words(theirs))
	if clean != (want != conflict) || clean && !bytes.Equal(got, words(want)) || !clean && got != nil {
		t.Errorf("%q, %q, %q: %q, %v, want %q", base, ours, theirs, got, clean, want)
	}
}

func TestMergeTakesText(t *testing.T) {
	nul := []byte("a\x00\nb\n")
	for name, c := range map[string][3][]byte{
		"base":   {nul, words("a b"), words("a b")},
		"ours":   {words("a b"), nul, words("a b")},
		"theirs": {words("a b"), words("a b"), nul},
	} {
		if merged, clean := Merge(c[0], c[1], c[2]); clean || merged != nil {
			t.Errorf("with a NUL in %s: %q, %v", name, merged, clean)
		}
	}
}

func TestIsText(t *testing.T) {
	at := func(i int) []byte { return append(bytes.Repeat([]byte{'x'}, i), 0) }
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"empty": {nil, true}, "text": {[]byte("a\r\n\xff"), true}, "NUL": {[]byte{0}, false},
		"NUL in the 8,000th byte": {at(7999), false}, "NUL behind it": {at(8000), true},
	} {
		if got := IsText(c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMergeSharesNothing(t *testing.T) {
	base, ours := words("a b c"), words("a b c d")
	for _, c := range [][3][]byte{{base, ours, base}, {base, base, ours}, {base, ours, ours}, {base, base, base}} {
		merged, _ := Merge(c[0], c[1], c[2])
		want := bytes.Clone(merged)
		for _, b := range c {
			for i := range b {
				b[i] ^= 1
			}
			for i := range b {
				if !bytes.Equal(merged, want) {
					t.Fatal("the result shares memory with an argument")
				}
				b[i] ^= 1
			}
		}
	}
}

// TestBounds merges what is just inside and just outside of the bounds.
func TestBounds(t *testing.T) {
	long := bytes.Repeat([]byte("x"), MaxSize)
	many := bytes.Repeat([]byte("\n"), maxLines)
	for name, full := range map[string][]byte{"bytes": long, "lines": many} {
		if merged, clean := Merge(nil, full, nil); !clean || !bytes.Equal(merged, full) {
			t.Errorf("%s at the bound do not merge", name)
		}
		over := append(bytes.Clone(full), '\n')
		for i := range 3 {
			var texts [3][]byte
			texts[i] = over
			if _, clean := Merge(texts[0], texts[1], texts[2]); clean {
				t.Errorf("%s above the bound in text %d merge", name, i)
			}
		}
		diff := Unified("a", "b", full, over)
		if got, err := apply(full, diff); err != nil || !bytes.Equal(got, over) {
			t.Errorf("the diff of %s above the bound does not apply: %v", name, err)
		}
		if diff := Unified("a", "b", over, slices.Concat([]byte("a\n"), over, []byte("b\n"))); bytes.Count(diff, []byte("\n@@ ")) != 1 {
			t.Errorf("the diff of %s above the bound is not one hunk", name)
		}
	}
}
