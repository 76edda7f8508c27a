package merge3

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
)

func BenchmarkMerge(b *testing.B) {
	e := newEditor(1)
	for _, lines := range []int{100, 10_000, 500_000} {
		base := e.program(lines)
		// Edits that are apart: ours in the first half, theirs in the second.
		half := bytes.Index(base[len(base)/2:], []byte("\n\n")) + len(base)/2 + 2
		ours := append(e.edit(base[:half], 10), base[half:]...)
		theirs := append(bytes.Clone(base[:half]), e.edit(base[half:], 10)...)
		b.Run(strconv.Itoa(lines), func(b *testing.B) {
			b.SetBytes(int64(len(base)))
			b.ReportAllocs()
			clean := true
			for b.Loop() {
				_, clean = Merge(base, ours, theirs)
			}
			if lines > 100 && !clean {
				b.Error("it does not merge")
			}
		})
	}
}

func BenchmarkUnified(b *testing.B) {
	e := newEditor(1)
	for _, lines := range []int{100, 10_000} {
		base := e.program(lines)
		edited := e.edit(base, 10)
		b.Run(strconv.Itoa(lines), func(b *testing.B) {
			b.SetBytes(int64(len(base)))
			b.ReportAllocs()
			for b.Loop() {
				Unified("a", "b", base, edited)
			}
		})
	}
}

// BenchmarkHostile merges the largest texts of the worst shapes.
func BenchmarkHostile(b *testing.B) {
	for name, c := range hostile(maxLines) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			steps := &budget{left: maxSteps}
			for b.Loop() {
				*steps = budget{left: maxSteps}
				merge(c.base, c.ours, c.theirs, steps)
			}
			b.ReportMetric(float64(maxSteps-steps.left)/1e6, "Msteps")
		})
	}
}

// TestHostile spends a small budget on the worst shapes, and little more than it.
func TestHostile(t *testing.T) {
	const lines, limit = 1 << 15, 1 << 20
	for name, c := range hostile(lines) {
		steps := &budget{left: limit}
		if _, clean := merge(c.base, c.ours, c.theirs, steps); clean || !steps.spent() {
			t.Errorf("%s: clean: %v, steps left: %d", name, clean, steps.left)
		}
		if over := -steps.left; over > 8*lines {
			t.Errorf("%s: %d steps more than %d", name, over, limit)
		}
		steps = &budget{left: limit}
		diff := unified("a", "b", c.base, c.ours, steps)
		if got, err := apply(c.base, diff); err != nil || !bytes.Equal(got, c.ours) {
			t.Errorf("%s: the diff does not apply: %v", name, err)
		}
		if over := -steps.left; over > 8*lines {
			t.Errorf("%s: a diff of %d steps more than %d", name, over, limit)
		}
	}
}

// hostile returns texts of some that many lines for which a search is long.
func hostile(lines int) map[string]mergeCase {
	e := newEditor(1)
	of := func(line func(i int) int) []byte {
		var b bytes.Buffer
		for i := range lines {
			fmt.Fprintln(&b, line(i))
		}
		return b.Bytes()
	}
	chance := func(kinds int) []byte { return of(func(int) int { return e.IntN(kinds) }) }
	distinct := of(func(i int) int { return i })
	reversed := of(func(i int) int { return lines - i })
	shuffled := e.Perm(lines)
	return map[string]mergeCase{
		"two kinds by chance":     {base: chance(2), ours: chance(2), theirs: chance(2)},
		"thousand kinds":          {base: chance(1000), ours: chance(1000), theirs: chance(1000)},
		"reversed":                {base: distinct, ours: reversed, theirs: distinct},
		"shuffled":                {base: distinct, ours: of(func(i int) int { return shuffled[i] }), theirs: reversed},
		"barrier before a period": {base: barrier(lines, 1), ours: barrier(lines, 2), theirs: barrier(lines, 3)},
	}
}

// barrier is lines in another order for each n, then many of a period that
// begins elsewhere.
func barrier(lines, n int) []byte {
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintln(&b, "x", i*(2*n+1)%1000)
	}
	for i := range lines - 1000 {
		fmt.Fprintln(&b, (i+n)%2)
	}
	return b.Bytes()
}

// TestSlideBudget has groups to slide further than the budget goes.
func TestSlideBudget(t *testing.T) {
	const unchanged, limit = 10_000, 1 << 10
	p, other := newPruned(make([]int32, 2*unchanged)), newPruned(make([]int32, unchanged))
	for i := range p.changed {
		p.changed[i] = i%2 == 0
	}
	steps := &budget{left: limit}
	slide(p, other, steps)
	if !steps.spent() || steps.left < -limit {
		t.Errorf("%d steps left of %d", steps.left, limit)
	}
	changed := 0
	for _, c := range p.changed {
		if c {
			changed++
		}
	}
	if changed != unchanged {
		t.Errorf("%d lines are changed, want %d", changed, unchanged)
	}
}
