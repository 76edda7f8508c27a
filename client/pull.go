package client

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"

	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/client/worktree/ignore"
	"dfs/manifest"
	"dfs/server/api"
)

// Pull brings the hub's changes to the directory. What was changed here stays; where
// both changed a path differently it is reported and left alone. Nothing goes to
// the hub. When Pull returns without an error all that it applied is durable. A
// Result may come with an error and then tells how far the run came; to run again is
// safe and goes on from there.
func Pull(ctx context.Context, cfg Config) (*Result, error) {
	r, err := open(ctx, cfg, "pull")
	if err != nil {
		return nil, err
	}
	defer r.close()
	err = r.pull(ctx)
	if err == nil && !cfg.DryRun {
		r.conclude(ctx)
		err = r.withdraw(ctx)
	}
	r.over(ctx, err)
	return r.finish(), err
}

func (r *run) pull(ctx context.Context) error {
	r.reset()
	r.meter.enter(Fetching, 0, 0)
	base, done, err := r.incoming(ctx)
	if err != nil {
		return err
	}
	defer done()
	r.stand(r.session.Head, base.Seen)
	if base.Pending == 0 && base.Ignored == 0 {
		return nil
	}
	if err := r.limitPull(ctx, base); err != nil {
		return err
	}
	o, err := r.outlook(ctx)
	if err != nil {
		return err
	}
	r.meter.enter(Applying, 0, 0)
	moves, err := r.relocations(ctx, base)
	if err != nil {
		return err
	}
	p := newPuller(ctx, r)
	p.moves = moves
	if r.cfg.DryRun {
		p.plan = &outlook{deletions: deletions{base: o.base}}
	}
	err = (&survey{r: r, hasher: newHasher(r, nil, func() {}), remote: true}).each(p.asm.ctx, base, p.visit)
	if err = p.finish(err); err != nil {
		return err
	}
	if err := r.index.Save(); err != nil {
		return err
	}
	if r.cfg.DryRun {
		p.plan.settle()
		return cmp.Or(r.checkPull(p.plan), r.listChanges())
	}
	if err := r.noteMounts(); err != nil {
		return err
	}
	if err := p.moveBase(); err != nil {
		return err
	}
	r.countMoves()
	return r.settle()
}

// incoming returns the base file with what the hub changed: fetched, or with DryRun
// in a temporary file. done releases it.
func (r *run) incoming(ctx context.Context) (base *replica.Reader, done func(), err error) {
	if !r.cfg.DryRun {
		if err := r.absorb(ctx); err != nil {
			return nil, nil, err
		}
		if err := r.fetch(ctx, r.session.Head, nil, nil); err != nil {
			return nil, nil, err
		}
		base, err = replica.OpenBase(r.cfg.Dir)
		return base, func() { base.Close() }, err
	}
	fresh, _, err := r.foreseen(ctx)
	if err != nil {
		return nil, nil, err
	}
	if base, err = fresh.Reread(); err != nil {
		fresh.Abort()
		return nil, nil, err
	}
	return base, func() { base.Close(); fresh.Abort() }, nil
}

// foreseen writes the base with what the hub changed to a temporary file, and returns what the replica has seen.
func (r *run) foreseen(ctx context.Context) (*replica.Writer, replica.Seen, error) {
	old, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, replica.Seen{}, err
	}
	defer old.Close()
	fresh, err := r.preview(ctx, old)
	return fresh, old.Seen, err
}

// puller decides about what is found and has it applied: new content and
// attributes as they come, in path order; then removals, innermost first; then
// what takes a removed directory's place.
type puller struct {
	r        *run
	apply    *worktree.Applier
	asm      *assembler
	way      api.Way[[]byte]     // to what was visited last, as the directory will be, with the hub's manifests
	held     map[string]struct{} // paths whose base stays
	failed   map[string]struct{} // of these, those whose change was announced
	restored map[string]struct{} // paths that were deleted here and come back
	clashes  map[string]struct{} // paths that conflict
	removals []target
	late     []target
	moves    *relocation // nil: no file is renamed
	plan     *outlook    // not nil: only what would be done is of interest
}

// target is a path that is to become m (nil: absent) where entry stands now (nil: nothing).
type target struct {
	path  string
	m     *manifest.Manifest
	entry *worktree.Entry
	old   worktree.Runs // what the index has of a large file there
}

func newPuller(ctx context.Context, r *run) *puller {
	p := &puller{r: r, held: map[string]struct{}{}, failed: map[string]struct{}{}, restored: map[string]struct{}{}, clashes: map[string]struct{}{}}
	p.apply = r.root.Apply()
	p.asm = newAssembler(ctx, r, p.apply)
	return p
}

// visit decides about one path.
func (p *puller) visit(f *found) error {
	base, remote, err := f.versions()
	if err != nil {
		return err
	}
	if f.ignored {
		p.held[f.path] = struct{}{}
		return nil
	}
	if f.unknown {
		if f.err == nil {
			f.err = errors.New("the hub changed it, but it cannot be read here")
		}
		p.hold(f.path, f.err)
		return nil
	}
	plan := reconcile.Pull(base, f.local, remote)
	absent, ok := p.above(f)
	blocked := plan.Result != nil && !ok
	if blocked {
		plan = reconcile.Plan{Action: reconcile.Conflict}
	}
	defer p.note(f, plan)
	if blocked && p.waitsAbove(f.path) {
		return nil
	}
	if plan.Action == reconcile.Conflict {
		p.r.collides(f)
		p.conflicts(f.path)
		return nil
	}
	p.r.leaves(f.path, plan, f.local, remote)
	switch plan.Action {
	case reconcile.Keep:
		p.r.result.Kept = append(p.r.result.Kept, f.path)
		return nil
	case reconcile.Nothing, reconcile.Advance:
		return nil
	case reconcile.Restore:
		p.restored[f.path] = struct{}{}
		p.r.result.Kept = append(p.r.result.Kept, f.path)
	}
	if err := p.announce(f, plan.Result, remote); err != nil || p.plan != nil {
		return err
	}
	if plan.Result != nil && !p.restore(f, absent) {
		return nil
	}
	p.r.reruled = p.r.reruled || path.Base(f.path) == ignore.FileName
	return p.make(target{f.path, plan.Result, f.entry, f.old}, f.local)
}

// announce counts a change that is to be made here. remote is what the hub has.
func (p *puller) announce(f *found, result, remote *manifest.Manifest) error {
	var old, new []byte
	var err error
	if f.local != nil {
		if old, err = f.local.Encode(); err != nil {
			return err
		}
	}
	switch result {
	case remote:
		new = f.remote
	case nil:
	default:
		if new, err = result.Encode(); err != nil {
			return err
		}
	}
	if p.plan != nil {
		n, err := p.plan.write(p.asm, f.local, result)
		if err != nil {
			return err
		}
		if err := p.plan.add(f.path, old, new, n); err != nil {
			return err
		}
	}
	return p.r.tell(Remote, f.path, old, new)
}

// make has t applied, now or in its turn. local is what the directory has.
func (p *puller) make(t target, local *manifest.Manifest) error {
	switch {
	case p.moves.takes(t, local):
	case t.m == nil:
		p.removals = append(p.removals, t)
	case local != nil && local.Kind == manifest.Directory && t.m.Kind != manifest.Directory:
		p.late = append(p.late, t)
	case local != nil && manifest.SameContent(local, t.m) && !t.entry.Linked: // else its other names would change too
		p.change(t.path, func() error { return p.apply.Attributes(t.path, t.m, t.entry) })
	default:
		return p.create(t)
	}
	return p.apply.Err()
}

// change applies something at once; a path where that does not go well is held.
func (p *puller) change(path string, apply func() error) {
	if err := apply(); err != nil {
		p.fail(path, err)
	}
}

// fail holds a path whose change was announced.
func (p *puller) fail(path string, err error) {
	p.failed[path] = struct{}{}
	p.hold(path, err)
}

// failedBelow reports whether something failed in a directory.
func (p *puller) failedBelow(dir string) bool {
	for path := range p.failed {
		if below(path, dir) {
			return true
		}
	}
	return false
}

func (p *puller) create(t target) error {
	switch t.m.Kind {
	case manifest.Directory:
		p.change(t.path, func() error { return p.apply.Directory(t.path, t.m, t.entry) })
	case manifest.Symlink:
		p.change(t.path, func() error { return p.apply.Symlink(t.path, t.m, t.entry) })
	default:
		return p.asm.file(t)
	}
	return p.apply.Err()
}

// hold leaves a path as it is, here and in the base, and reports why.
func (p *puller) hold(path string, err error) {
	p.held[path] = struct{}{}
	p.r.problem(path, err)
}

func (p *puller) conflicts(path string) {
	p.held[path], p.clashes[path] = struct{}{}, struct{}{}
	p.r.result.Conflicts = append(p.r.result.Conflicts, path)
}

// finish completes what was begun; err is what the survey ended with.
func (p *puller) finish(err error) error {
	if err == nil && p.plan == nil {
		err = p.relocate()
	}
	if err = p.asm.wait(err); err != nil || p.plan != nil {
		p.apply.Abort()
		return err
	}
	p.take(p.asm.problems)
	if err = p.clear(); err == nil {
		slices.Reverse(p.removals)
		if err = p.remove(); err == nil {
			p.turn()
			err = p.replaceDirectories()
		}
	}
	if err != nil {
		p.apply.Abort()
		return err
	}
	applied, problems, err := p.apply.Finish(p.asm.parent)
	p.take(problems)
	if err != nil {
		return err
	}
	return p.asm.remember(applied)
}

// replaceDirectories makes what takes the place of a directory, whose
// content is removed by now, unless something is left in it.
func (p *puller) replaceDirectories() error {
	if len(p.late) == 0 {
		return nil
	}
	carried := p.asm.carried
	p.asm = newAssembler(p.asm.parent, p.r, p.apply)
	p.asm.carried = carried
	var err error
	for _, t := range p.late {
		if err = p.create(t); err != nil {
			break
		}
	}
	err = p.asm.wait(err)
	for _, problem := range p.asm.problems {
		if !errors.Is(problem.Err, worktree.ErrNotEmpty) || p.failedBelow(problem.Path) {
			p.fail(problem.Path, problem.Err)
			continue
		}
		if berr := p.blocked(problem.Path); err == nil {
			err = berr
		}
	}
	return err
}

func (p *puller) take(problems []worktree.Problem) {
	for _, problem := range problems {
		p.fail(problem.Path, problem.Err)
	}
}

// stepBase is the step after all changes are durable, before the base moves.
const stepBase worktree.Step = "base"

// moveBase makes the hub's version the base of every path that is not held.
func (p *puller) moveBase() error {
	if p.r.cfg.onStep != nil {
		p.r.cfg.onStep(stepBase, "")
	}
	var miscounted error
	err := p.r.rewrite(func(rec *replica.Record) {
		if _, failed := p.failed[rec.Path]; failed && miscounted == nil {
			was := rec.Base
			if _, ok := p.restored[rec.Path]; ok {
				was = nil
			}
			miscounted = p.r.tally(was, rec.Remote, -1)
		}
		p.r.sight.apply(rec)
		if _, held := p.held[rec.Path]; !held {
			rec.Base = rec.Remote
		}
	})
	clear(p.r.sight.marks)
	return cmp.Or(err, miscounted)
}
