package bench

import (
	"errors"
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
	// stored returns the bytes that are allocated for the store when all is written.
	stored() (int64, error)
}

// transfers measures a workload: pushes and pulls, of everything, of nothing, and of what churn changed.
func (r *run) transfers(w workload.Workload) error {
	r.logf("%s: %s", w.Name, w.Doc)
	all, err := r.contestants(w)
	if err != nil {
		return err
	}
	for round := range r.Rounds {
		order := turn(all, round)
		err := r.stage(w, order, func(blank report.Record) error {
			blank.Run = round
			return r.round(order, blank)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stage makes a workload's sources and the contestants' stores, calls fn, and puts all away.
// Blank tells the workload.
func (r *run) stage(w workload.Workload, all []contestant, fn func(blank report.Record) error) error {
	size, err := r.makeSources(w)
	if err != nil {
		return err
	}
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
	return fn(report.Record{Workload: w.Name, Files: size.Files, Bytes: size.Bytes})
}

func (r *run) round(all []contestant, blank report.Record) error {
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
		if err := r.each(all, step.name, blank, step.do); err != nil {
			return err
		}
	}
	return nil
}

// each measures one operation of each tool.
func (r *run) each(all []contestant, operation string, blank report.Record, do func(contestant, *report.Record) (bool, error)) error {
	for _, c := range all {
		if err := r.timed(c, operation, blank, do); err != nil {
			return err
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

// churn is the first churn of both sources, which are new each round.
func (r *run) churn() error {
	return r.change(func(dir string) error {
		_, err := workload.Churn(r.ctx, dir, r.Seed, 0)
		return err
	})
}

// change changes both sources alike.
func (r *run) change(do func(dir string) error) error {
	return errors.Join(do(r.source()), do(r.ownSource()))
}

// fresh makes an empty directory, with those above it, in place of one that is put away.
func fresh(dir string) error {
	if err := measure.Discard(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
