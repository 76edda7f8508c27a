package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/merge3"
	"dfs/client/reconcile"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// A Settling is what a strategy would make of a conflict.
type Settling struct {
	Path string
	Take string // the strategy's name
	Copy string // the path that the replica's version would get; empty: none
}

// clash is a conflict that a sync would meet.
type clash struct {
	api.Conflict
	found *found
	above string // what stands above it at the head, and is no directory
	under string // and here; then Ours is nil, for nothing is here
}

// clash takes in a conflict at p.
func (f *forecast) clash(p *found, base, remote *manifest.Manifest) {
	f.clashes = append(f.clashes, clash{
		Conflict: api.Conflict{Path: p.path, Replica: f.r.id.Replica, Client: f.r.cfg.Host, Base: base, Ours: p.local, Theirs: remote, Open: true},
		found:    p, above: wall(&f.head), under: wall(&f.puller.way),
	})
}

// wall returns what on the way is no directory, "" where everything is.
func wall[T any](way *api.Way[T]) string {
	for _, s := range way.Steps() {
		if s.Standing == api.NotDirectory {
			return s.Path
		}
	}
	return ""
}

// settle tells what the strategy would make of the conflicts. The hub gives a conflict the time at which it is
// recorded, which a copy's name has; here one that is not recorded yet has the present.
func (f *forecast) settle(ctx context.Context) error {
	strategy := reconcile.Strategy(f.r.cfg.Conflict)
	if strategy == "" || strategy == reconcile.Manual || len(f.clashes) == 0 {
		for _, c := range f.clashes {
			f.stays(&c)
		}
		return nil
	}
	if err := f.date(ctx); err != nil {
		return err
	}
	above := map[string]string{}
	var list []api.Conflict
	for _, c := range f.clashes {
		if above[c.Path] = c.above; c.Ours != nil {
			list = append(list, c.Conflict)
		}
	}
	decisions := strategy.Settle(list, func(path string) string { return above[path] }, f.times())
	becomes := map[string]api.Standing{}
	for _, c := range f.clashes {
		d := reconcile.Decision{}
		switch {
		case c.Ours != nil:
			d, decisions = decisions[0], decisions[1:]
		case becomes[c.under] == api.IsDirectory: // what was in its way has gone aside
			if err := f.become(&c, Remote, f.down, nil, c.Theirs, c.Path); err != nil {
				return err
			}
			continue
		}
		settled, err := f.take(ctx, &c, d)
		if err != nil {
			return fmt.Errorf("conflict at %q: %w", c.Path, err)
		}
		if !settled {
			f.stays(&c)
			continue
		}
		becomes[c.Path] = api.StandingOf(d.Result)
	}
	return nil
}

// stays notes a clash that is not settled. Where what is above it here conflicts, it waits for that.
func (f *forecast) stays(c *clash) {
	r := f.r.result
	if c.under != "" && slices.Contains(r.Conflicts, c.under) {
		r.Waits = append(r.Waits, Wait{Path: c.Path, For: c.under})
		return
	}
	r.Conflicts = append(r.Conflicts, c.Path)
}

// times returns the times of what the head will have where conflicts are about a directory.
func (f *forecast) times() reconcile.Times {
	at := map[string]*reconcile.Newest{}
	for path, m := range f.walls {
		at[path] = new(reconcile.Newest)
		at[path].Add(m)
	}
	for _, c := range f.clashes {
		for _, path := range []string{c.Path, c.under} {
			if at[path] == nil {
				at[path] = new(reconcile.Newest)
			}
			if c.Theirs != nil && f.walls[path] == nil {
				at[path].Add(c.Theirs)
			}
		}
	}
	return func(path string) (manifest.Time, bool) {
		n := at[path]
		if n == nil {
			return manifest.Time{}, false
		}
		return n.Time, n.Any
	}
}

// date gives the conflicts their times.
func (f *forecast) date(ctx context.Context) error {
	open, err := f.r.listConflicts(ctx, api.ConflictsRequest{Replica: f.r.id.Replica})
	if err != nil {
		return err
	}
	recorded := map[string]api.Conflict{}
	for _, c := range open {
		recorded[c.Path] = c
	}
	for i := range f.clashes {
		c := &f.clashes[i]
		c.From, c.Time = c.Base.Hash(), f.r.began
		c.ID = api.ConflictID(f.r.binding.VolumeID, c.Replica, c.Path, c.From)
		if known, ok := recorded[c.Path]; ok && known.From == c.From {
			c.ID, c.Time = known.ID, known.Time
		}
	}
	return nil
}

// take tells what a decision would do, and reports whether it settles the conflict.
func (f *forecast) take(ctx context.Context, c *clash, d reconcile.Decision) (settled bool, err error) {
	if d.Take == "" {
		return false, nil
	}
	if d.Merge {
		if d.Result, err = f.merge(ctx, c, d.Result); d.Result == nil || err != nil {
			return false, err
		}
	}
	f.rebase(c.Base, c.Ours)
	r := f.r.result
	r.Settled++
	r.Settlings = append(r.Settlings, Settling{Path: c.Path, Take: d.Take, Copy: d.Copy})
	err = f.become(c, Local, f.up, c.Theirs, d.Result, c.Path)
	if err == nil {
		err = f.become(c, Remote, f.down, c.Ours, d.Result, c.Path)
	}
	if err != nil || d.Copy == "" {
		return true, err
	}
	if err = f.become(c, Local, f.up, nil, c.Ours, d.Copy); err == nil {
		err = f.become(c, Remote, f.down, nil, c.Ours, d.Copy)
	}
	return true, err
}

// become notes that a path becomes new on one side.
func (f *forecast) become(c *clash, side Side, counts *Counts, old, new *manifest.Manifest, path string) error {
	if manifest.Equal(old, new) {
		return nil
	}
	f.remains(path, new != nil, new != nil)
	err := f.count(side, counts, path, old, new, func(old, new []byte) error {
		f.settled = append(f.settled, Change{Side: side, Op: opOf(old, new), Path: path})
		return f.r.tally(old, new, 1)
	})
	if err == nil && side == Remote && manifest.SameContent(new, c.Theirs) {
		err = f.fetch(c.found, new)
	}
	return err
}

// sortChanges puts what settling changes, and directories that stay, where they belong among the other changes.
func (f *forecast) sortChanges() {
	if len(f.settled)+len(f.fading) == 0 {
		return
	}
	changes := append(f.r.result.Changes, f.settled...)
	slices.SortStableFunc(changes, func(a, b Change) int {
		if a.Side != b.Side {
			return map[Side]int{Local: -1, Remote: 1}[a.Side]
		}
		return merkle.Compare(a.Path, b.Path)
	})
	f.r.result.Changes = changes
}

// merge completes m with the merge of the three texts, and counts its chunks. It returns nil where that is not clean.
func (f *forecast) merge(ctx context.Context, c *clash, m *manifest.Manifest) (*manifest.Manifest, error) {
	base, ok, err := f.r.text(ctx, c.Base)
	if err != nil || !ok {
		return nil, err
	}
	theirs, ok, err := f.r.text(ctx, c.Theirs)
	if err != nil || !ok {
		return nil, err
	}
	ours, err := f.r.localText(c.found.entry)
	if worktree.IsFileError(err) { // a sync would leave it out
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	merged, clean := merge3.Merge(base, ours, theirs)
	if !clean {
		return nil, nil
	}
	result := *m
	list := manifest.NewBuilder(func(cas.Blob) error { return nil })
	for cut := chunker.New(bytes.NewReader(merged)); ; {
		data, err := cut.Next(nil)
		if err == io.EOF {
			return &result, list.Finish(&result)
		}
		if err != nil {
			return nil, err
		}
		p := sealed(cas.Chunk, data, nil)
		run := manifest.Run{ID: p.ref.ID, Size: uint32(len(data)), Count: 1}
		if err := list.Add(run); err != nil {
			return nil, err
		}
		if err := f.fetchRun(run); err != nil {
			return nil, err
		}
		if err := f.asker.add(p); err != nil {
			return nil, err
		}
	}
}

// localText returns the bytes of a file of the directory.
func (r *run) localText(e *worktree.Entry) ([]byte, error) {
	f, err := r.root.OpenFile(*e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, f.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, f.Check()
}
