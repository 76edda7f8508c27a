package merge3

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// drawText draws a text of few different lines, so that many are equal.
func drawText(t *rapid.T, label string) []byte {
	line := rapid.SampledFrom([]string{"\n", "}\n", "a\n", "b\n", "c\n", "a\r\n", "\r\n", "\ta\n"})
	text := []byte(nil)
	for _, l := range rapid.SliceOfN(line, 0, 30).Draw(t, label) {
		text = append(text, l...)
	}
	if rapid.Bool().Draw(t, label+" unfinished") {
		text = bytes.TrimSuffix(text, []byte("\n"))
	}
	return text
}

// drawEdit draws an edit of a text.
func drawEdit(t *rapid.T, label string, text []byte) []byte {
	e := editor{rand.New(rand.NewPCG(rapid.Uint64().Draw(t, label), 0))}
	return e.edit(text, e.IntN(4))
}

func TestOneSide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, x := drawText(t, "base"), drawText(t, "x")
		for _, c := range [][3][]byte{{b, b, x}, {b, x, b}, {b, x, x}} {
			if got, clean := Merge(c[0], c[1], c[2]); !clean || !bytes.Equal(got, x) {
				t.Fatalf("%q: %q, %v, want %q", c, got, clean, x)
			}
		}
	})
}

func TestSidesExchanged(t *testing.T) {
	cleanly := 0
	rapid.Check(t, func(t *rapid.T) {
		base := drawText(t, "base")
		ours, theirs := drawEdit(t, "ours", base), drawEdit(t, "theirs", base)
		one, clean := Merge(base, ours, theirs)
		other, otherClean := Merge(base, theirs, ours)
		if clean != otherClean || !bytes.Equal(one, other) {
			t.Fatalf("%q, %q, %q: %q, %v, exchanged %q, %v", base, ours, theirs, one, clean, other, otherClean)
		}
		if clean {
			cleanly++
		}
	})
	t.Logf("%d clean", cleanly)
}

// TestDistinctLines merges texts of which no two lines are equal, so that there
// is one way only to tell what was changed: between lines that both sides kept,
// one side or both alike did it.
func TestDistinctLines(t *testing.T) {
	cleanly := 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "lines")
		rarely := rapid.SampledFrom([]int{3, 8, 20}).Draw(t, "changes")
		fresh := n
		var base, ours, theirs, want []byte
		var pending [3][]byte // base, ours and theirs since the last line that both kept
		clean := true
		settle := func() {
			b, o, t := pending[0], pending[1], pending[2]
			switch {
			case bytes.Equal(o, b):
				want = append(want, t...)
			case bytes.Equal(t, b), bytes.Equal(o, t):
				want = append(want, o...)
			default:
				clean = false
			}
			pending = [3][]byte{}
		}
		add := func(text *[]byte, side, line int) {
			l := strconv.Itoa(line) + "\n"
			*text = append(*text, l...)
			pending[side] = append(pending[side], l...)
		}
		for i := range n + 1 {
			if i > 0 {
				keep := rapid.IntRange(0, rarely+1).Draw(t, "deleted by") // 2: both
				add(&base, 0, i)
				if keep != 0 && keep != 2 {
					add(&ours, 1, i)
				}
				if keep != 1 && keep != 2 {
					add(&theirs, 2, i)
				}
				if keep > 2 {
					settle()
				}
			}
			switch rapid.IntRange(0, rarely).Draw(t, "added by") {
			case 0:
				fresh++
				add(&ours, 1, fresh)
			case 1:
				fresh++
				add(&theirs, 2, fresh)
			case 2:
				fresh++
				add(&ours, 1, fresh)
				add(&theirs, 2, fresh)
			}
		}
		settle()
		got, gotClean := Merge(base, ours, theirs)
		if gotClean != clean || clean && !bytes.Equal(got, want) {
			t.Fatalf("%q, %q, %q: %q, %v, want %q, %v", base, ours, theirs, got, gotClean, want, clean)
		}
		if clean {
			cleanly++
		}
	})
	t.Logf("%d clean", cleanly)
}

func TestUnifiedApplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawText(t, "a")
		b := drawEdit(t, "b", a)
		diff := unified("a", "b", a, b, &budget{left: rapid.SampledFrom([]int{0, 10, 100, maxSteps}).Draw(t, "steps")})
		if got, err := apply(a, diff); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%q: %q, %v, want %q\n%s", a, got, err, b, diff)
		}
	})
}

// TestSmallBudget merges with too few steps, which gives the same or nothing.
func TestSmallBudget(t *testing.T) {
	spent := 0
	rapid.Check(t, func(t *rapid.T) {
		base := drawText(t, "base")
		ours, theirs := drawEdit(t, "ours", base), drawEdit(t, "theirs", base)
		want, clean := Merge(base, ours, theirs)
		steps := &budget{left: rapid.IntRange(0, 300).Draw(t, "steps")}
		got, gotClean := merge(base, ours, theirs, steps)
		if steps.spent() {
			spent++
			want, clean = nil, false
		}
		if gotClean != clean || !bytes.Equal(got, want) {
			t.Fatalf("%q, %q, %q: %q, %v, want %q, %v", base, ours, theirs, got, gotClean, want, clean)
		}
	})
	t.Logf("%d spent their budget", spent)
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), []byte("x\nb\nc\n"), []byte("a\nb\ny"))
	f.Add([]byte("a\r\nb\n"), []byte("a\nb\n"), []byte{})
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		if !IsText(base) || !IsText(ours) || !IsText(theirs) {
			if _, clean := Merge(base, ours, theirs); clean {
				t.Fatal("what is not text merges")
			}
			return
		}
		merged, clean := Merge(base, ours, theirs)
		other, otherClean := Merge(base, theirs, ours)
		if clean != otherClean || !bytes.Equal(merged, other) {
			t.Fatalf("%q, %v, exchanged %q, %v", merged, clean, other, otherClean)
		}
		if again, clean := Merge(base, ours, base); !clean || !bytes.Equal(again, ours) {
			t.Fatalf("against the base: %q, %v", again, clean)
		}
		checkLines(t, merged, base, ours, theirs)
		diff := Unified("a", "b", ours, theirs)
		if got, err := apply(ours, diff); err != nil || !bytes.Equal(got, theirs) {
			t.Fatalf("the diff makes %q, %v\n%s", got, err, diff)
		}
	})
}

// checkLines looks for lines that are in none of the sources.
func checkLines(t *testing.T, merged []byte, sources ...[]byte) {
	t.Helper()
	var known []string
	for _, source := range sources {
		for l := range bytes.Lines(source) {
			known = append(known, string(l))
		}
	}
	for l := range bytes.Lines(merged) {
		if !slices.Contains(known, string(l)) {
			t.Fatalf("%q came from nowhere", l)
		}
	}
}
