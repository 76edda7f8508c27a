package bench

import (
	"fmt"
	"os"
	"path/filepath"

	"dfs/bench/measure"
	"dfs/bench/report"
	"dfs/bench/workload"
)

// contestant is a tool that brings a tree to a store and back.
type contestant interface {
	name() string
	// begin makes a new, empty store; end stops what runs and puts all away.
	begin() error
	end() error
	// push, pull and status do what their names say, timed, and fill in a record. Status is
	// false where the tool has no such command.
	push(rec *report.Record) error
	pull(rec *report.Record) error
	status(rec *report.Record) (bool, error)
}

// transfers measures a workload: pushes and pulls, of everything, of nothing, and of what churn changed.
func (r *run) transfers(w workload.Workload) error {
	r.logf("%s: %s", w.Name, w.Doc)
	all, err := r.contestants(w)
	if err != nil {
		return err
	}
	for round := range r.Rounds {
		if err := r.round(w, turn(all, round), round); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) round(w workload.Workload, all []contestant, round int) error {
	size, err := r.makeSources(w)
	if err != nil {
		return err
	}
	blank := report.Record{Workload: w.Name, Files: size.Files, Bytes: size.Bytes, Run: round}
	defer func() {
		for _, c := range all {
			c.end()
		}
		measure.Discard(r.source())
		measure.Discard(r.ownSource())
	}()
	for _, c := range all {
		if err := c.begin(); err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
	}
	steps := []struct {
		name   string
		before func() error
		do     func(contestant, *report.Record) (bool, error)
	}{
		{report.OpPush, nil, pushing},
		{report.OpUnchanged, nil, pushing},
		{report.OpStatus, nil, contestant.status},
		{report.OpPull, nil, pulling},
		{report.OpPushChurn, r.churn, pushing},
		{report.OpPullChurn, nil, pulling},
	}
	for _, step := range steps {
		if step.before != nil {
			if err := step.before(); err != nil {
				return err
			}
		}
		for _, c := range all {
			if err := r.timed(c, step.name, blank, step.do); err != nil {
				return err
			}
		}
	}
	return nil
}

func pushing(c contestant, rec *report.Record) (bool, error) { return true, c.push(rec) }
func pulling(c contestant, rec *report.Record) (bool, error) { return true, c.pull(rec) }

// timed measures one operation of one tool.
func (r *run) timed(c contestant, operation string, rec report.Record, do func(contestant, *report.Record) (bool, error)) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	rec.Operation, rec.Tool = operation, c.name()
	ok, err := do(c, &rec)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.name(), operation, err)
	}
	if !ok {
		return nil
	}
	return r.add(rec)
}

// ownSource is dfs's copy of the source.
func (r *run) ownSource() string { return filepath.Join(r.Work, "source-dfs") }

// makeSources generates the tree twice, from the same seed.
func (r *run) makeSources(w workload.Workload) (size workload.Size, err error) {
	for _, dir := range []string{r.source(), r.ownSource()} {
		if size, err = w.Make(r.ctx, dir, r.Seed, r.Scale); err != nil {
			return size, err
		}
	}
	return size, nil
}

// churn changes both sources alike. They are new each round, so it is the first churn of each.
func (r *run) churn() error {
	for _, dir := range []string{r.source(), r.ownSource()} {
		if _, err := workload.Churn(r.ctx, dir, r.Seed, 0); err != nil {
			return err
		}
	}
	return nil
}

// fresh makes an empty directory, with those above it, in place of one that is put away.
func fresh(dir string) error {
	if err := measure.Discard(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
