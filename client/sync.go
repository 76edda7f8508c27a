package client

import (
	"context"
	"errors"
	"slices"

	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// maxRounds bounds how often a sync begins again: because something was changed here while it
// ran, because the head moved while a conflict was being settled, or because other files are ignored now.
const maxRounds = 5

// errChanging is why a path is left to the next sync.
var errChanging = errors.New("changed here while this sync ran; left to the next one")

// Sync sends the directory's changes to the hub, settles what conflicts by cfg.Conflict, and
// brings the hub's changes to the directory. All that was changed here is on the hub before
// anything is replaced. What conflicts and is not settled stays as it is on both sides. A
// Result may come with an error and then tells how far the run came; to run again is safe.
func Sync(ctx context.Context, cfg Config) (*Result, error) {
	r, err := open(ctx, cfg, "sync")
	if err != nil {
		return nil, err
	}
	defer r.close()
	if cfg.DryRun {
		err = r.foretell(ctx)
		r.over(ctx, err)
		return r.finish(), err
	}
	s := &syncing{r: r, total: r.result, strategy: reconcile.Strategy(cfg.Conflict)}
	s.total.Pushed, s.total.Pulled = new(Counts), new(Counts)
	again := true
	for n := 0; n < maxRounds && again && err == nil; n++ {
		again, err = s.round(ctx)
	}
	if err == nil {
		err = r.withdraw(ctx)
		s.join(new(Counts))
	}
	if err == nil && again {
		s.giveUp()
	}
	r.over(ctx, err)
	return s.finish(), err
}

// syncing is a sync at work: rounds of a push, what settles conflicts, and a pull.
type syncing struct {
	r         *run
	strategy  reconcile.Strategy
	total     *Result
	conflicts map[string]struct{} // of the present round
}

// round makes both sides the same, and reports whether something came up meanwhile that another
// round is for.
func (s *syncing) round(ctx context.Context) (again bool, err error) {
	s.conflicts, s.total.Waits = map[string]struct{}{}, nil
	s.r.clashes = s.conflicts
	if s.r.ended {
		if err := s.r.begin(ctx); err != nil {
			return false, err
		}
	}
	err = s.r.pushAgain(ctx)
	s.join(s.total.Pushed)
	s.r.meter.fill(&s.total.Summary)
	if err != nil {
		return false, err
	}
	moved, err := s.settle(ctx)
	if err != nil {
		return false, err
	}
	due, err := s.due()
	if err != nil {
		return moved, err
	}
	if !due {
		err = s.r.tidy(ctx)
		s.join(s.total.Pulled)
		return moved, err
	}
	err = s.pull(ctx)
	s.join(s.total.Pulled)
	return moved || s.r.reruled || len(s.r.unsent) > 0, err
}

// giveUp says that the last round left something to do: the paths are problems, but for those that conflict.
func (s *syncing) giveUp() {
	s.total.Unfinished = true
	for _, path := range union(nil, s.r.unsent) {
		if _, ok := s.conflicts[path]; !ok {
			s.r.problem(path, errChanging)
		}
	}
	s.join(new(Counts))
}

// due reports whether there is something to pull. Else this is where both sides stand.
func (s *syncing) due() (bool, error) {
	base, err := replica.OpenBase(s.r.cfg.Dir)
	if err != nil {
		return false, err
	}
	defer base.Close()
	if base.Pending > 0 || base.Snapshot != s.r.session.Head.Snapshot {
		return true, nil
	}
	s.r.stand(s.r.session.Head, base.Seen)
	return false, nil
}

func (s *syncing) pull(ctx context.Context) error {
	if s.r.ended {
		if err := s.r.begin(ctx); err != nil {
			return err
		}
	}
	s.r.unsent, s.r.reruled = nil, false
	if err := s.r.pull(ctx); err != nil {
		return err
	}
	s.r.conclude(ctx)
	return nil
}

// settle settles what conflicted in this round's push by the strategy. moved says that something
// changed on the hub meanwhile.
func (s *syncing) settle(ctx context.Context) (moved bool, err error) {
	if s.strategy == "" || s.strategy == reconcile.Manual || len(s.conflicts) == 0 {
		return false, nil
	}
	list, err := s.r.listConflicts(ctx, api.ConflictsRequest{Replica: s.r.id.Replica})
	if err != nil {
		return false, err
	}
	list = slices.DeleteFunc(list, func(c api.Conflict) bool {
		_, ok := s.conflicts[c.Path]
		return !ok
	})
	if err := s.r.fillBases(list); err != nil {
		return false, err
	}
	above, err := s.r.walls(list)
	if err != nil {
		return false, err
	}
	times, err := s.r.times(list, above)
	if err != nil {
		return false, err
	}
	s.r.meter.enter(Committing, 0, 0)
	settled, err := s.r.settleAll(ctx, rulings(list, s.strategy.Settle(list, above, times)))
	for _, c := range settled {
		delete(s.conflicts, c.Path)
	}
	s.join(s.total.Pushed)
	if errors.Is(err, api.ErrMoved) {
		return true, nil
	}
	return false, err
}

// join takes what a phase of the run did into the whole, its counts into those of its side too,
// and leaves an empty result for the next.
func (s *syncing) join(side *Counts) {
	t, phase := s.total, s.r.result
	if phase == t {
		return
	}
	t.Added, side.Added = t.Added+phase.Added, side.Added+phase.Added
	t.Modified, side.Modified = t.Modified+phase.Modified, side.Modified+phase.Modified
	t.Deleted, side.Deleted = t.Deleted+phase.Deleted, side.Deleted+phase.Deleted
	t.Moved, side.Moved = t.Moved+phase.Moved, side.Moved+phase.Moved
	t.Settled += phase.Settled
	t.Merged = t.Merged || phase.Merged
	t.Ignored = max(t.Ignored, phase.Ignored)
	t.Hub, t.Volume = phase.Hub, phase.Volume
	if !phase.Snapshot.IsZero() {
		t.Snapshot, t.Root, t.Seen = phase.Snapshot, phase.Root, phase.Seen
	}
	for _, p := range phase.Problems {
		if !slices.ContainsFunc(t.Problems, func(q Problem) bool { return q.Path == p.Path }) {
			t.Problems = append(t.Problems, p)
		}
	}
	t.Skipped = union(t.Skipped, phase.Skipped)
	t.Nested = union(t.Nested, phase.Nested)
	t.Kept = union(t.Kept, phase.Kept)
	for _, path := range phase.Conflicts {
		s.conflicts[path] = struct{}{}
	}
	t.Waits = append(t.Waits, phase.Waits...)
	s.r.clearResult()
}

// union returns the paths of both lists, sorted.
func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.SortFunc(all, merkle.Compare)
	return slices.Compact(all)
}

// finish completes the result of all rounds. What the directory holds was counted by the last push.
func (s *syncing) finish() *Result {
	seen := s.total.Summary
	for path := range s.conflicts {
		s.total.Conflicts = append(s.total.Conflicts, path)
	}
	slices.SortFunc(s.total.Conflicts, merkle.Compare)
	s.total.Waits = slices.DeleteFunc(s.total.Waits, func(w Wait) bool {
		_, itself := s.conflicts[w.Path]
		return itself
	})
	for _, l := range s.r.leftovers {
		s.total.Skipped = append(s.total.Skipped, string(l))
	}
	s.r.result = s.total
	res := s.r.finish()
	res.FilesScanned, res.BytesScanned, res.Unchanged = seen.FilesScanned, seen.BytesScanned, seen.Unchanged
	return res
}

// leaves notes that a pull left a path here with another version than the hub's, which is for a push.
func (r *run) leaves(path string, plan reconcile.Plan, local, remote *manifest.Manifest) {
	result := local
	if plan.Action == reconcile.Apply || plan.Action == reconcile.Restore {
		result = plan.Result
	}
	if r.clashes != nil && !manifest.Equal(result, remote) && !(isDirectory(result) && isDirectory(remote)) {
		r.unsent = append(r.unsent, path)
	}
}

// collides notes that a pull met a conflict. If the push before it did not, what is here is for another.
func (r *run) collides(f *found) {
	if _, known := r.clashes[f.path]; !known && f.local != nil && r.handed(f.path) {
		r.unsent = append(r.unsent, f.path)
	}
}

// handed reports whether a push of this run looks at path.
func (r *run) handed(path string) bool {
	return len(r.cfg.Paths) == 0 || slices.ContainsFunc(r.cfg.Paths, func(p string) bool { return p == path || below(path, p) })
}
