package client

import (
	"context"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
)

// maxRelocated is the most files that a pull renames; what moved besides is copied.
const maxRelocated = 1 << 20

// relocation is which files a pull makes by renaming another that it is to remove or replace, so
// that the file stays the same one and no byte of it is written. What is to be made, and what
// is to go, wait until both are decided: the survey comes by each in path order.
type relocation struct {
	from, to map[string]string // new path → old path, and back
	waiting  map[string]*waiting
	order    []string          // of those waiting
	onward   map[string]string // of those from and to which that are done: old path → new path
	cycles   []target          // of each ring of paths whose files change places, one that begins it
}

// waiting is a target with what the directory has there.
type waiting struct {
	target
	local *manifest.Manifest
}

// relocations returns what the base file says that moved on the hub; nil: nothing, or it is not to be
// done. Where inode numbers mean nothing moves are only counted.
func (r *run) relocations(ctx context.Context, base *replica.Reader) (*relocation, error) {
	if base.Pending < 2 || r.cfg.DryRun {
		return nil, nil
	}
	var c contents
	err := r.eachPending(ctx, func(rec replica.Record) (err error) {
		if c.gone, err = appendKey(c.gone, rec.Base); err == nil {
			c.come, err = appendKey(c.come, rec.Remote)
		}
		return err
	})
	count, keys := c.moves()
	if err != nil || count == 0 {
		return nil, err
	}
	r.moves = new(contents)
	l := &relocation{from: map[string]string{}, to: map[string]string{}, waiting: map[string]*waiting{}, onward: map[string]string{}}
	if count <= maxRelocated && replica.StableInodes(r.cfg.Dir) {
		l.from, err = r.matchPending(ctx, keys)
	}
	for path, old := range l.from {
		l.to[old] = path
	}
	return l, err
}

// matchPending returns which pending path has the content that another loses: new path → old path.
func (r *run) matchPending(ctx context.Context, keys map[uint64]struct{}) (map[string]string, error) {
	all := map[uint64]*places{}
	err := r.eachPending(ctx, func(rec replica.Record) error {
		gone, err := placesOf(all, keys, rec.Base)
		if err != nil {
			return err
		}
		come, err := placesOf(all, keys, rec.Remote)
		if err != nil || gone == come { // only its attributes changed
			return err
		}
		if gone != nil {
			gone.gone = append(gone.gone, rec.Path)
		}
		if come != nil {
			come.come = append(come.come, rec.Path)
		}
		return err
	})
	return matchAll(all), err
}

// appendKey appends the key of a content, where there is one.
func appendKey(keys []uint64, value []byte) ([]uint64, error) {
	key, err := contentKey(value)
	if err != nil || key == 0 {
		return keys, err
	}
	return append(keys, key), nil
}

// eachPending calls visit with the pending records of the base file, valid during the call.
func (r *run) eachPending(ctx context.Context, visit func(replica.Record) error) error {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer base.Close()
	for ctx.Err() == nil {
		rec, ok, err := base.Next()
		if err != nil || !ok {
			return err
		}
		if !rec.Pending() {
			continue
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// takes reports whether t waits for what becomes of another path.
func (l *relocation) takes(t target, local *manifest.Manifest) bool {
	if l == nil {
		return false
	}
	w := &waiting{t, local}
	if !l.arrives(w) && !l.leaves(w) {
		return false
	}
	l.waiting[t.path] = w
	l.order = append(l.order, t.path)
	return true
}

// arrives reports whether a file of another path may become w.
func (l *relocation) arrives(w *waiting) bool {
	if _, ok := l.from[w.path]; !ok || w.m == nil || w.m.Kind != manifest.File {
		return false
	}
	return w.local == nil || w.local.Kind != manifest.Directory && !manifest.SameContent(w.local, w.m)
}

// leaves reports whether the file of w may become that of another path. What has other
// names stays with them.
func (l *relocation) leaves(w *waiting) bool {
	if _, ok := l.to[w.path]; !ok || w.local == nil || w.local.Kind != manifest.File || w.entry.Linked {
		return false
	}
	return w.m == nil || w.m.Kind != manifest.Directory && !manifest.SameContent(w.local, w.m)
}

// settle decides which files are renamed, and tells the applier. mount returns where the file
// system of a path begins.
func (l *relocation) settle(apply *worktree.Applier, mount func(path string) string) {
	arrivals := map[string]struct{}{}
	for _, path := range l.order {
		w := l.waiting[path]
		if !l.arrives(w) {
			continue
		}
		old := l.waiting[l.from[path]]
		if old != nil && l.leaves(old) && manifest.SameContent(old.local, w.m) && mount(old.path) == mount(path) {
			l.onward[old.path] = path
			arrivals[path] = struct{}{}
		}
	}
	begun := l.rings(arrivals)
	for old, path := range l.onward {
		w := l.waiting[path]
		expect := w.entry
		if _, first := begun[path]; first {
			expect = nil // it has left by then
		}
		apply.Onward(old, path, w.m, expect)
	}
}

// rings finds a path of each ring of moves, whose file is taken away first.
func (l *relocation) rings(arrivals map[string]struct{}) map[string]struct{} {
	begun, seen := map[string]struct{}{}, map[string]struct{}{}
	for _, path := range l.order {
		at := path
		for {
			_, known := seen[at]
			next, goes := l.onward[at]
			_, comes := arrivals[at]
			seen[at] = struct{}{}
			if known || !goes || !comes {
				break
			}
			if at = next; at == path {
				begun[path] = struct{}{}
				l.cycles = append(l.cycles, target{path: path, entry: l.waiting[path].entry})
				break
			}
		}
	}
	return begun
}

// arrived reports whether a file is to be renamed to path.
func (l *relocation) arrived(path string) bool {
	old, ok := l.from[path]
	return ok && l.onward[old] == path
}

// relocate has made what waited: what is not renamed as it is without relocations.
func (p *puller) relocate() error {
	l := p.moves
	if l == nil {
		return nil
	}
	l.settle(p.apply, p.r.sight.mountOf)
	p.moves = nil // so that make makes
	defer func() { p.moves = l }()
	for _, path := range l.order {
		w := l.waiting[path]
		if to, ok := l.onward[path]; ok && !w.old.Empty() {
			p.asm.carries(to, w.old)
		}
		local := w.local
		w.local = nil // there may be many
		if l.arrived(path) {
			continue
		}
		if err := p.make(w.target, local); err != nil {
			return err
		}
		if w.m == nil {
			delete(l.waiting, path)
		}
	}
	l.from, l.to, l.order, l.onward = nil, nil, nil, nil
	return nil
}

// turn begins the rings, after all other changes, and leaves what could not be renamed to
// be made like any other file.
func (p *puller) turn() {
	l := p.moves
	if l == nil {
		return
	}
	for _, t := range l.cycles {
		if p.apply.Remove(t.path, t.entry) == nil {
			l.waiting[t.path].entry = nil
		}
	}
	for _, path := range p.apply.Stranded() {
		p.late = append(p.late, l.waiting[path].target)
	}
}
