package client

import (
	"path"
	"slices"

	"dfs/client/replica"
)

// A move is a path that vanished and one that appeared with its content, both of a file or
// symlink. Each path is of one move at most; of several that have one content those of
// equal names belong together, then those that come first.

// contents counts moves. The zero contents is empty.
type contents struct {
	gone, come   []uint64 // by contentKey: of the paths that vanished, and that appeared
	stays, fails []uint64 // of those that were noted and did not vanish or appear after all
}

// note takes in a path that had old and becomes new; nil is absent. n is 1, or -1 to take
// that back.
func (c *contents) note(old, new []byte, n int64) error {
	if (old == nil) == (new == nil) {
		return nil
	}
	value, list := old, &c.gone
	switch {
	case old == nil && n > 0:
		value, list = new, &c.come
	case old == nil:
		value, list = new, &c.fails
	case n < 0:
		list = &c.stays
	}
	key, err := contentKey(value)
	if err == nil && key != 0 {
		*list = append(*list, key)
	}
	return err
}

// moves returns how many moves there are, and their contents.
func (c *contents) moves() (count int64, keys map[uint64]struct{}) {
	gone, come := without(c.gone, c.stays), without(c.come, c.fails)
	keys = map[uint64]struct{}{}
	for len(gone) > 0 && len(come) > 0 {
		switch g := gone[0]; {
		case g < come[0]:
			gone = gone[1:]
		case g > come[0]:
			come = come[1:]
		default:
			count++
			keys[g] = struct{}{}
			gone, come = gone[1:], come[1:]
		}
	}
	return count, keys
}

// without returns what is in all and not in less, each as often as it is there more often, sorted.
func without(all, less []uint64) []uint64 {
	slices.Sort(all)
	slices.Sort(less)
	var left []uint64
	if len(less) == 0 {
		return all
	}
	for _, key := range all {
		for len(less) > 0 && less[0] < key {
			less = less[1:]
		}
		if len(less) > 0 && less[0] == key {
			less = less[1:]
			continue
		}
		left = append(left, key)
	}
	return left
}

// places are the paths that a content leaves and those that it comes to, in path order.
type places struct{ gone, come []string }

// match adds the moves of a content to from: new path → old path.
func (p *places) match(from map[string]string) {
	byName := map[string][]int{}
	for i, old := range p.gone {
		byName[path.Base(old)] = append(byName[path.Base(old)], i)
	}
	taken := make([]bool, len(p.gone))
	var rest []string
	for _, new := range p.come {
		same := byName[path.Base(new)]
		if len(same) == 0 {
			rest = append(rest, new)
			continue
		}
		byName[path.Base(new)] = same[1:]
		taken[same[0]] = true
		from[new] = p.gone[same[0]]
	}
	next := 0
	for _, new := range rest {
		for next < len(taken) && taken[next] {
			next++
		}
		if next == len(taken) {
			return
		}
		taken[next] = true
		from[new] = p.gone[next]
	}
}

// matchAll returns the moves of all contents: new path → old path.
func matchAll(all map[uint64]*places) map[string]string {
	from := map[string]string{}
	for _, p := range all {
		p.match(from)
	}
	return from
}

// placesOf returns the places of a content, of those that keys has; nil where it has not.
func placesOf(all map[uint64]*places, keys map[uint64]struct{}, value []byte) (*places, error) {
	key, err := contentKey(value)
	if err != nil || key == 0 {
		return nil, err
	}
	if _, ok := keys[key]; !ok {
		return nil, nil
	}
	if all[key] == nil {
		all[key] = new(places)
	}
	return all[key], nil
}

// took counts moves that so far were counted as a path added and one deleted.
func (s *Summary) took(moves int64) {
	s.Moved += moves
	s.Added -= moves
	s.Deleted -= moves
}

// countMoves counts the moves among the changes that were counted, if those are noted.
func (r *run) countMoves() {
	if r.moves != nil {
		count, _ := r.moves.moves()
		r.result.took(count)
	}
}

// countMoves counts the moves among the edits of a push, but for those that the hub did not take.
func (p *pusher) countMoves() error {
	if p.r.result.Added == 0 || p.r.result.Deleted == 0 {
		return nil
	}
	p.r.moves = new(contents)
	err := eachRecord(p.spool, func(rec replica.Record) error {
		if _, no := p.rejected[rec.Path]; no {
			return nil
		}
		return p.r.moves.note(rec.Base, rec.Remote, 1)
	})
	p.r.countMoves()
	return err
}

// eachRecord calls visit with each record of a sealed spool, valid during the call.
func eachRecord(w *replica.Writer, visit func(replica.Record) error) error {
	in, err := w.Reread()
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		rec, ok, err := in.Next()
		if err != nil || !ok {
			return err
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
}
