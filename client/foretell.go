package client

import (
	"context"
	"fmt"
	"sync"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/server/api"
)

// foretell tells what a sync would do, and changes nothing: which paths go which way, and how many
// bytes of content cross the wire.
func (r *run) foretell(ctx context.Context) error {
	r.reset()
	fresh, seen, err := r.foreseen(ctx)
	if err != nil {
		return err
	}
	defer fresh.Abort()
	base, err := fresh.Reread()
	if err != nil {
		return err
	}
	defer base.Close()
	f := &forecast{r: r, seen: seen, asker: &asker{r: r, ctx: ctx, known: map[cas.Ref]struct{}{}}, up: new(Counts), down: new(Counts), walls: map[string]*manifest.Manifest{}, fading: map[string]*fading{}}
	if err := f.countBase(fresh); err != nil {
		return err
	}
	f.puller = newPuller(ctx, r)
	f.puller.plan = new(outlook) // it applies nothing
	s := survey{r: r, hasher: newHasher(r, f.asker.add, func() {}), local: true, remote: true, resend: true, assume: true}
	if err = s.each(ctx, base, f.visit); err == nil {
		err = f.settle(ctx)
	}
	if err = f.puller.finish(err); err == nil {
		err = f.asker.ask()
	}
	if err != nil {
		return err
	}
	if err := r.index.Save(); err != nil {
		return err
	}
	return f.conclude()
}

// forecast is a sync that only looks.
type forecast struct {
	r         *run
	asker     *asker
	seen      replica.Seen
	puller    *puller           // of which only what it knows of blocked paths and of chunks is used
	head      api.Way[struct{}] // to what was visited last, as the head will be
	clashes   []clash
	walls     map[string]*manifest.Manifest // what the head has, and is no directory, where there is one here
	settled   []Change                      // that settling them makes
	fading    map[string]*fading
	up, down  *Counts
	deletions [2]deletions // on the hub, and here
	local     *localChunks
	fetched   map[cas.ID]uint32 // chunks that no local file seen so far has, and their sizes
	chunks    int64             // that are to come
	bytes     int64             // of them
}

// countBase counts the files of the base, of which deletions are a share.
func (f *forecast) countBase(fresh *replica.Writer) error {
	return eachRecord(fresh, func(rec replica.Record) error {
		file, err := isFile(rec.Base)
		if file {
			f.deletions[0].base++
			f.deletions[1].base++
		}
		return err
	})
}

// conclude completes the result, and stops what would delete too much.
func (f *forecast) conclude() error {
	r := f.r
	if err := f.countFetched(); err != nil {
		return err
	}
	r.stand(r.session.Head, f.seen)
	r.result.Pushed, r.result.Pulled = f.up, f.down
	r.result.BytesUp, r.result.BytesDown = f.asker.bytes, f.bytes
	r.meter.chunks.Store(f.asker.chunks + f.chunks)
	r.meter.bytesNew.Store(f.asker.bytes + f.bytes)
	if err := f.list(); err != nil {
		return err
	}
	f.sortChanges()
	for i, side := range []Side{Local, Remote} {
		f.deletions[i].settle()
		if err := f.deletions[i].check(r, side); err != nil {
			return err
		}
	}
	return nil
}

// list makes the changes the result, with moves counted as such.
func (f *forecast) list() error {
	return f.r.eachLogged(func(c loggedChange) error {
		if instead, ok := f.stayed(c.Change); ok {
			f.r.result.Changes = append(f.r.result.Changes, instead...)
			return nil
		}
		f.r.result.Changes = append(f.r.result.Changes, c.Change)
		if c.Op != Moved {
			return nil
		}
		counts := f.up
		if c.Side == Remote {
			counts = f.down
		}
		counts.Added, counts.Deleted, counts.Moved = counts.Added-1, counts.Deleted-1, counts.Moved+1
		f.r.result.took(1)
		return nil
	})
}

// visit tells what a sync would make of one path.
func (f *forecast) visit(p *found) error {
	if p.err != nil {
		f.r.problem(p.path, p.err)
	}
	if p.unknown {
		return nil
	}
	base, remote, err := p.versions()
	if err != nil {
		return err
	}
	if remote != nil && !isDirectory(remote) && isDirectory(p.local) {
		f.walls[p.path] = remote
	}
	o := reconcile.Run(reconcile.ModeSync, base, p.local, remote)
	_, here := f.puller.above(p)
	f.head.Reach(p.path)
	_, there := f.head.Parents()
	if o.Local != nil && !here || o.Remote != nil && !there {
		o = reconcile.Outcome{Local: p.local, Remote: remote, Conflict: true}
	}
	if err := f.sends(p, base, !o.Conflict && !o.Kept); err != nil {
		return err
	}
	if o.Conflict {
		f.clash(p, base, remote)
	}
	f.puller.noteAs(p, o.Local)
	f.head.Note(api.Step[struct{}]{Path: p.path, Standing: api.StandingOf(o.Remote)})
	f.remains(p.path, o.Local != nil, o.Remote != nil)
	switch {
	case o.Conflict:
		return nil
	case o.Local == nil && o.Remote == nil:
		f.fades(p, remote)
	case o.Kept:
		f.r.result.Kept = append(f.r.result.Kept, p.path)
	}
	was := remote
	if was == nil && o.Remote != nil {
		was = base // what was deleted there and comes back
	}
	if err := f.tell(Local, f.up, p.path, was, o.Remote); err != nil {
		return err
	}
	if err := f.tell(Remote, f.down, p.path, p.local, o.Local); err != nil {
		return err
	}
	return f.fetch(p, o.Local)
}

// sends takes in what the push deletes on the hub, whatever becomes of it there, and what the base then is:
// the pull's deletions are a share of that.
func (f *forecast) sends(p *found, base *manifest.Manifest, taken bool) error {
	was, becomes, err := encodeBoth(base, p.local)
	if err != nil {
		return err
	}
	if taken {
		f.rebase(base, p.local)
	}
	return f.deletions[0].add(p.path, was, becomes, 0)
}

// rebase counts the base anew for a path at which that becomes new.
func (f *forecast) rebase(old, new *manifest.Manifest) {
	if old != nil && !isDirectory(old) {
		f.deletions[1].base--
	}
	if new != nil && !isDirectory(new) {
		f.deletions[1].base++
	}
}

// tell notes that a path becomes new on one side. Paths ascend.
func (f *forecast) tell(side Side, counts *Counts, path string, old, new *manifest.Manifest) error {
	if manifest.Equal(old, new) {
		return nil
	}
	return f.count(side, counts, path, old, new, func(old, new []byte) error { return f.r.tell(side, path, old, new) })
}

// count counts a change of one side, which note notes.
func (f *forecast) count(side Side, counts *Counts, path string, old, new *manifest.Manifest, note func(old, new []byte) error) error {
	was, becomes, err := encodeBoth(old, new)
	if err != nil {
		return err
	}
	before := f.r.result.Summary
	if err := note(was, becomes); err != nil {
		return err
	}
	now := f.r.result.Summary
	counts.Added += now.Added - before.Added
	counts.Modified += now.Modified - before.Modified
	counts.Deleted += now.Deleted - before.Deleted
	if side == Local {
		return nil // see sends
	}
	return f.deletions[1].add(path, was, becomes, 0)
}

func encodeBoth(a, b *manifest.Manifest) (x, y []byte, err error) {
	if a != nil {
		x, err = a.Encode()
	}
	if b != nil && err == nil {
		y, err = b.Encode()
	}
	return x, y, err
}

// fetch notes the chunks of what p is to become that no local file has.
func (f *forecast) fetch(p *found, becomes *manifest.Manifest) (err error) {
	if becomes == nil || becomes.Kind != manifest.File || manifest.SameContent(p.local, becomes) {
		return nil
	}
	for run, err := range f.puller.asm.runs(target{path: p.path, m: becomes, old: p.old}) {
		if err != nil {
			return fmt.Errorf("%q: %w", p.path, err)
		}
		if err := f.fetchRun(run); err != nil {
			return err
		}
	}
	return nil
}

// fetchRun notes a chunk that no local file has.
func (f *forecast) fetchRun(run manifest.Run) (err error) {
	if f.local == nil {
		f.fetched = map[cas.ID]uint32{}
		if f.local, err = findLocal(f.r); err != nil {
			return err
		}
	}
	if run.ID != chunker.ZeroID() && !f.local.has(run.ID) {
		f.fetched[run.ID] = run.Size
	}
	return nil
}

// countFetched counts what is to come, now that the index has all files of the directory: in a sync
// the push before the pull has read them.
func (f *forecast) countFetched() error {
	if len(f.fetched) == 0 {
		return nil
	}
	local, err := findLocal(f.r)
	if err != nil {
		return err
	}
	for id, size := range f.fetched {
		if !local.has(id) {
			f.chunks++
			f.bytes += int64(size)
		}
	}
	return nil
}

// asker counts what the hub lacks of the pieces that it is given, and sends nothing. It is safe for
// concurrent use.
type asker struct {
	r      *run
	ctx    context.Context
	mu     sync.Mutex
	known  map[cas.Ref]struct{}
	refs   []cas.Ref
	sizes  []int
	chunks int64
	bytes  int64
}

// add takes over p.
func (a *asker) add(p piece) error {
	p.slab.release()
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.known[p.ref]; ok || p.ref.Kind != cas.Chunk {
		return nil
	}
	a.known[p.ref] = struct{}{}
	a.refs, a.sizes = append(a.refs, p.ref), append(a.sizes, p.size)
	if len(a.refs) < a.r.session.Limits.Blobs/2 {
		return nil
	}
	return a.ask()
}

// ask asks about what has gathered.
func (a *asker) ask() error {
	if len(a.refs) == 0 {
		return nil
	}
	answer, err := a.r.conn.Diff(a.ctx, api.DiffRequest{Session: a.r.session.Session, Ask: a.refs})
	if err != nil {
		return fmt.Errorf("diff: %w", err)
	}
	if len(answer.Missing) != len(a.refs) {
		return fmt.Errorf("diff: the hub answered for %d blobs, not %d", len(answer.Missing), len(a.refs))
	}
	for i, missing := range answer.Missing {
		if missing {
			a.chunks++
			a.bytes += int64(a.sizes[i])
		}
	}
	a.refs, a.sizes = nil, nil
	return nil
}
