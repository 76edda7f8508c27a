package merge3

// hunk says that the lines a0 to before a1 of one text are the lines b0 to
// before b1 of another. Between two hunks of a comparison lies at least one line.
type hunk struct{ a0, a1, b0, b1 int }

// budget counts steps down. One that was spent stays spent.
type budget struct{ left int }

func (b *budget) spend(steps int) { b.left -= steps }

func (b *budget) spent() bool { return b.left < 0 }

// diff returns the hunks that make a into b, in order. Their lines were
// classified together, into that many classes. When the budget is spent before
// the end, the hunks are coarser than they could be, and still right.
func diff(a, b text, classes int, steps *budget) []hunk {
	from, to := newPruned(a.classes), newPruned(b.classes)
	start, end := commonEnds(a.classes, b.classes)
	inA, inB := count(a.classes, classes), count(b.classes, classes)
	from.prune(start, len(a.classes)-end, inB)
	to.prune(start, len(b.classes)-end, inA)
	newSearch(from, to, steps).compare(box{0, len(from.kept), 0, len(to.kept)}, false)
	slide(from, to, steps)
	slide(to, from, steps)
	return hunks(from.changed, to.changed)
}

// commonEnds returns how many lines at the start are equal, and how many of the
// others at the end.
func commonEnds(a, b []int32) (start, end int) {
	shorter := min(len(a), len(b))
	for start < shorter && a[start] == b[start] {
		start++
	}
	for end < shorter-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return start, end
}

// count returns how many lines there are of each class.
func count(lines []int32, classes int) []int32 {
	n := make([]int32, classes)
	for _, class := range lines {
		n[class]++
	}
	return n
}

// hunks reads the hunks from the lines that are marked as changed.
func hunks(a, b []bool) (found []hunk) {
	for i, j := 0, 0; ; i, j = i+1, j+1 {
		h := hunk{a0: i, b0: j}
		for i < len(a) && a[i] {
			i++
		}
		for j < len(b) && b[j] {
			j++
		}
		if h.a1, h.b1 = i, j; h.a0 < i || h.b0 < j {
			found = append(found, h)
		}
		if i == len(a) {
			return found
		}
	}
}

// pruned is a text as the search sees it: without the lines that are set aside.
type pruned struct {
	lines   []int32 // the classes of all lines
	changed []bool  // whether the other text has no counterpart for the line
	kept    []int32 // the lines to search
	classes []int32 // and their classes
}

func newPruned(lines []int32) *pruned {
	return &pruned{lines: lines, changed: make([]bool, len(lines))}
}

// What a line has in the other text.
const (
	none = iota // nothing equal
	some
	many // so many equal lines that each tells little
)

// prune chooses from the lines start to before end which to search for, and
// marks the others as changed. others counts the lines of the other text.
func (p *pruned) prune(start, end int, others []int32) {
	const most = 1024
	limit := int32(min(roughRoot(len(p.lines)), most))
	matches := make([]byte, end-start)
	for i := range matches {
		switch n := others[p.lines[start+i]]; {
		case n >= limit:
			matches[i] = many
		case n > 0:
			matches[i] = some
		}
	}
	p.kept, p.classes = make([]int32, 0, len(matches)), make([]int32, 0, len(matches))
	for i, m := range matches {
		line := start + i
		if m == none || m == many && amongUnmatched(matches, i) {
			p.changed[line] = true
			continue
		}
		p.kept = append(p.kept, int32(line))
		p.classes = append(p.classes, p.lines[line])
	}
}

// amongUnmatched reports whether line i, which has many matches, lies in a run
// of lines with none or many of which more than three quarters have none, some
// of them before it and some after.
func amongUnmatched(matches []byte, i int) bool {
	const window = 100
	run := func(step int) (unmatched, multiple int) {
		for r := 1; r <= window; r++ {
			j := i + step*r
			if j < 0 || j >= len(matches) || matches[j] == some {
				break
			}
			if matches[j] == none {
				unmatched++
			} else {
				multiple++
			}
		}
		return unmatched, multiple
	}
	before, multipleBefore := run(-1)
	if before == 0 {
		return false
	}
	after, multipleAfter := run(1)
	// git counts line i once for either direction.
	return after > 0 && 3*(multipleBefore+multipleAfter+2) < before+after
}

// roughRoot returns the square root of n to a factor of two: a power of two.
func roughRoot(n int) int {
	root := 1
	for ; n > 0; n >>= 2 {
		root <<= 1
	}
	return root
}
