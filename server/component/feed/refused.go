package feed

import (
	"time"

	"dfs/server/events"
)

// gatherTime is for how long refusals are gathered before an event tells of them.
const gatherTime = 10 * time.Second

// kindOf returns what is the same in refusals that are gathered in one event: few, whatever a caller does.
func kindOf(r events.RequestRefused) events.RequestRefused {
	return events.RequestRefused{Code: r.Code, Status: r.Status, Anonymous: true}
}

// gather takes a refusal to those that an event will tell of, and reports whether it did: the first of its kind for some
// time is an event of its own.
func (f *Feed) gather(r events.RequestRefused) bool {
	kind := kindOf(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.refused[kind]
	if g == nil {
		g = new(events.RequestRefused)
		f.refused[kind] = g
		f.tellLater(kind)
		return false
	}
	if g.Count > 0 && g.Route != r.Route {
		r.Route = ""
	}
	r.Count = g.Count + 1
	*g = r
	return true
}

// tellLater has what is gathered until then told, and again what is gathered after that, until there is nothing.
func (f *Feed) tellLater(kind events.RequestRefused) {
	time.AfterFunc(gatherTime, func() {
		if r, ok := f.gathered(kind); ok {
			f.add(r)
			f.tellLater(kind)
		}
	})
}

// gathered takes what is gathered of a kind. Without anything the next of the kind is the first again.
func (f *Feed) gathered(kind events.RequestRefused) (events.RequestRefused, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.refused[kind]
	if g == nil || g.Count == 0 {
		delete(f.refused, kind)
		return events.RequestRefused{}, false
	}
	r := *g
	*g = events.RequestRefused{}
	return r, true
}

// addGathered tells what is gathered still.
func (f *Feed) addGathered() {
	f.mu.Lock()
	rest := make([]events.RequestRefused, 0, len(f.refused))
	for _, r := range f.refused {
		if r.Count > 0 {
			rest = append(rest, *r)
		}
	}
	clear(f.refused)
	f.mu.Unlock()
	for _, r := range rest {
		f.add(r)
	}
}
