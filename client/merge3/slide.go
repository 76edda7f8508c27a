package merge3

// group is a run of changed lines of a text, which may be empty: before each
// line that is not changed, and at the end, there is one.
type group struct {
	text       *pruned
	start, end int
}

func firstGroup(p *pruned) group {
	g := group{text: p}
	g.growDown()
	return g
}

func (g *group) empty() bool { return g.start == g.end }

func (g *group) growDown() {
	for g.end < len(g.text.changed) && g.text.changed[g.end] {
		g.end++
	}
}

func (g *group) growUp() {
	for g.start > 0 && g.text.changed[g.start-1] {
		g.start--
	}
}

// next goes to the group after the next unchanged line; false if there is none.
func (g *group) next() bool {
	if g.end == len(g.text.changed) {
		return false
	}
	g.start, g.end = g.end+1, g.end+1
	g.growDown()
	return true
}

// previous goes to the group before the unchanged line above.
func (g *group) previous() {
	g.start, g.end = g.start-1, g.start-1
	g.growUp()
}

// up slides the group up by a line, if the line above equals its last one, and
// takes in a group that it comes to touch.
func (g *group) up() bool {
	p := g.text
	if g.start == 0 || p.lines[g.start-1] != p.lines[g.end-1] {
		return false
	}
	g.start, g.end = g.start-1, g.end-1
	p.changed[g.start], p.changed[g.end] = true, false
	g.growUp()
	return true
}

// down is the opposite of up.
func (g *group) down() bool {
	p := g.text
	if g.end == len(p.lines) || p.lines[g.start] != p.lines[g.end] {
		return false
	}
	p.changed[g.start], p.changed[g.end] = false, true
	g.start, g.end = g.start+1, g.end+1
	g.growDown()
	return true
}

// slide moves each group of p down along equal lines: to the last place where it
// stands beside a group of other that is not empty, else as far as it goes. It
// ends early when the budget is spent.
func slide(p, other *pruned, steps *budget) {
	g, beside := firstGroup(p), firstGroup(other)
	for {
		if !g.empty() {
			settle(&g, &beside, steps)
		}
		if steps.spent() || !g.next() {
			return
		}
		beside.next()
	}
}

// settle is slide for one group; beside is the group of the other text that it
// stands beside, and goes with it.
func settle(g, beside *group, steps *budget) {
	top, meeting := 0, false // the highest place of g, and whether it met a group
	for size := -1; size != g.end-g.start; {
		size = g.end - g.start
		for g.up() {
			beside.previous()
			steps.spend(1 + beside.end - beside.start)
			if steps.spent() {
				return
			}
		}
		top, meeting = g.end, !beside.empty()
		for g.down() {
			beside.next()
			meeting = meeting || !beside.empty()
			steps.spend(1 + beside.end - beside.start)
			if steps.spent() {
				return
			}
		}
	}
	if g.end == top || !meeting {
		return
	}
	for beside.empty() {
		g.up()
		beside.previous()
	}
}
