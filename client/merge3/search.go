package merge3

import "math"

const (
	longSnake  = 20  // equal lines in a row that make a path worth following
	leastCost  = 256 // edits before a search may settle for less than the best
	worthwhile = 4   // lines got over by each edit, on a path worth following
)

// search finds the lines that two texts have in common. Lines are points on two
// axes, i in one text and j in the other; i-j is the diagonal of a point.
type search struct {
	from, to *pruned
	a, b     []int32 // the classes of the lines to search
	forward  front
	backward front
	origin   int // where in a front's reach diagonal 0 is
	maxCost  int
	steps    *budget
}

// front is how far the search came from one corner of a box.
type front struct {
	reach    []int32 // by diagonal: the i that is reached
	mid      int     // the diagonal of the corner
	min, max int     // the diagonals that were searched, every other one
}

// box is the part of both texts that is still to be compared.
type box struct{ a0, a1, b0, b1 int }

// split is a point on the path through a box. Parts that are known to cost
// little are searched to the best solution.
type split struct {
	i, j                  int
	bestBefore, bestAfter bool
}

func newSearch(from, to *pruned, steps *budget) *search {
	s := &search{from: from, to: to, a: from.classes, b: to.classes, origin: len(to.kept) + 1, steps: steps}
	diagonals := len(from.kept) + len(to.kept) + 3
	s.forward.reach = make([]int32, diagonals)
	s.backward.reach = make([]int32, diagonals)
	s.maxCost = max(roughRoot(diagonals), leastCost)
	return s
}

// compare marks the lines in x that are changed: as few as possible if best,
// else nearly so. All of them where the budget is spent.
func (s *search) compare(x box, best bool) {
	for {
		if !s.steps.spent() {
			x = s.trim(x)
		}
		if x.a0 == x.a1 || x.b0 == x.b1 || s.steps.spent() {
			mark(s.from, x.a0, x.a1)
			mark(s.to, x.b0, x.b1)
			return
		}
		at, ok := s.split(x, best)
		if !ok {
			continue
		}
		s.compare(box{x.a0, at.i, x.b0, at.j}, at.bestBefore)
		x.a0, x.b0, best = at.i, at.j, at.bestAfter
	}
}

func mark(p *pruned, start, end int) {
	for _, line := range p.kept[start:end] {
		p.changed[line] = true
	}
}

// trim takes equal ends off a box.
func (s *search) trim(x box) box {
	start, end := commonEnds(s.a[x.a0:x.a1], s.b[x.b0:x.b1])
	s.steps.spend(start + end)
	return box{x.a0 + start, x.a1 - end, x.b0 + start, x.b1 - end}
}

// split finds a point where the path from one corner of x meets that from the
// other. If not best, it settles for the end of one of the paths when that is
// promising, or when the search has become long. It is not ok when the budget
// is spent.
func (s *search) split(x box, best bool) (at split, ok bool) {
	f, b := &s.forward, &s.backward
	f.start(x.a0-x.b0, s.origin, x.a0)
	b.start(x.a1-x.b1, s.origin, x.a1)
	odd := (f.mid-b.mid)&1 != 0
	for cost := 1; ; cost++ {
		f.widen(x, s.origin, -1)
		at, met, snake := s.advance(x, odd)
		if met {
			return at, true
		}
		b.widen(x, s.origin, math.MaxInt32)
		at, met, snakeBack := s.retreat(x, !odd)
		if met {
			return at, true
		}
		if s.steps.spent() {
			return split{}, false
		}
		if best {
			continue
		}
		if cost > leastCost && (snake || snakeBack) {
			if at, ok := s.promising(x, cost); ok {
				return at, true
			}
			if at, ok := s.promisingBack(x, cost); ok {
				return at, true
			}
		}
		if cost >= s.maxCost {
			return s.furthest(x), true
		}
	}
}

// start puts the front into a corner of a box: at i on its diagonal.
func (f *front) start(diagonal, origin, i int) {
	f.mid, f.min, f.max = diagonal, diagonal, diagonal
	f.reach[origin+diagonal] = int32(i)
}

// widen lets the front reach one diagonal further on each side; where that would
// leave x, one less. outside stands for nothing being reached.
func (f *front) widen(x box, origin int, outside int32) {
	if f.min > x.a0-x.b1 {
		f.min--
		f.reach[origin+f.min-1] = outside
	} else {
		f.min++
	}
	if f.max < x.a1-x.b0 {
		f.max++
		f.reach[origin+f.max+1] = outside
	} else {
		f.max--
	}
}

func (f *front) has(diagonal int) bool { return f.min <= diagonal && diagonal <= f.max }

// advance makes the forward paths longer by one edit and the equal lines after
// it. met tells whether one came to where a backward path is, which is looked
// at only if meet; snake, whether there were many equal lines.
func (s *search) advance(x box, meet bool) (at split, met, snake bool) {
	f := &s.forward
	for d := f.max; d >= f.min && !s.steps.spent(); d -= 2 {
		k := s.origin + d
		i := int(f.reach[k+1])
		if below := int(f.reach[k-1]); below >= i {
			i = below + 1
		}
		from, j := i, i-d
		for i < x.a1 && j < x.b1 && s.a[i] == s.b[j] {
			i, j = i+1, j+1
		}
		s.steps.spend(1 + i - from)
		snake = snake || i-from > longSnake
		f.reach[k] = int32(i)
		if meet && s.backward.has(d) && int(s.backward.reach[k]) <= i {
			return split{i, j, true, true}, true, snake
		}
	}
	return split{}, false, snake
}

// retreat is advance for the backward paths.
func (s *search) retreat(x box, meet bool) (at split, met, snake bool) {
	b := &s.backward
	for d := b.max; d >= b.min && !s.steps.spent(); d -= 2 {
		k := s.origin + d
		i := int(b.reach[k+1]) - 1
		if below := int(b.reach[k-1]); below <= i {
			i = below
		}
		from, j := i, i-d
		for i > x.a0 && j > x.b0 && s.a[i-1] == s.b[j-1] {
			i, j = i-1, j-1
		}
		s.steps.spend(1 + from - i)
		snake = snake || from-i > longSnake
		b.reach[k] = int32(i)
		if meet && s.forward.has(d) && i <= int(s.forward.reach[k]) {
			return split{i, j, true, true}, true, snake
		}
	}
	return split{}, false, snake
}

// promising returns the end of the forward path that came furthest from its
// corner, if that is far for its cost and many equal lines led to it.
func (s *search) promising(x box, cost int) (at split, found bool) {
	furthest := worthwhile * cost
	for d := s.forward.max; d >= s.forward.min; d -= 2 {
		i := int(s.forward.reach[s.origin+d])
		j := i - d
		far := (i - x.a0) + (j - x.b0) - distance(d, s.forward.mid)
		if far > furthest && x.a0+longSnake <= i && i < x.a1 && x.b0+longSnake <= j && j < x.b1 && s.equal(i-longSnake, j-longSnake) {
			furthest, at, found = far, split{i, j, true, false}, true
		}
	}
	return at, found
}

// promisingBack is promising for the backward paths.
func (s *search) promisingBack(x box, cost int) (at split, found bool) {
	furthest := worthwhile * cost
	for d := s.backward.max; d >= s.backward.min; d -= 2 {
		i := int(s.backward.reach[s.origin+d])
		j := i - d
		far := (x.a1 - i) + (x.b1 - j) - distance(d, s.backward.mid)
		if far > furthest && x.a0 < i && i <= x.a1-longSnake && x.b0 < j && j <= x.b1-longSnake && s.equal(i, j) {
			furthest, at, found = far, split{i, j, false, true}, true
		}
	}
	return at, found
}

func distance(d, e int) int { return max(d-e, e-d) }

// equal reports whether many lines from i and j on are equal.
func (s *search) equal(i, j int) bool {
	for k := range longSnake {
		if s.a[i+k] != s.b[j+k] {
			return false
		}
	}
	return true
}

// furthest returns the end of the path that came furthest, of all.
func (s *search) furthest(x box) split {
	ahead, aheadI := -1, -1
	for d := s.forward.max; d >= s.forward.min; d -= 2 {
		i := min(int(s.forward.reach[s.origin+d]), x.a1)
		i = min(i, x.b1+d)
		if sum := 2*i - d; sum > ahead {
			ahead, aheadI = sum, i
		}
	}
	back, backI := math.MaxInt, math.MaxInt
	for d := s.backward.max; d >= s.backward.min; d -= 2 {
		i := max(int(s.backward.reach[s.origin+d]), x.a0)
		i = max(i, x.b0+d)
		if sum := 2*i - d; sum < back {
			back, backI = sum, i
		}
	}
	if x.a1+x.b1-back < ahead-(x.a0+x.b0) {
		return split{aheadI, ahead - aheadI, true, false}
	}
	return split{backI, back - backI, false, true}
}
