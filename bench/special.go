package bench

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"dfs/bench/measure"
	"dfs/bench/report"
	"dfs/bench/workload"
)

// specials are the measurements that are no transfers of a workload, by name.
func specials() map[string]work {
	return map[string]work{
		"big-edits":      {measure: (*run).bigEdits},
		"one-of-many":    {measure: (*run).oneOfMany},
		"killed-push":    {measure: (*run).killedPush, silent: true}, // it is counted in each round
		"versions-space": {measure: (*run).versionsSpace},
		"crash-open":     {measure: (*run).crashOpen, silent: true},
		"syncs":          {measure: (*run).syncs, silent: true},
		"streams":        {measure: (*run).streams},
		"churn":          {measure: (*run).churns},
		"commit":         {measure: (*run).commit},
		"tree-diff":      {measure: (*run).treeDiff},
	}
}

// eachRound is once in each round, with a new source and a new hub.
func (r *run) eachRound(name string, fn func(d *dfsTool, blank report.Record) error) error {
	for round := range r.Rounds {
		err := r.once(name, func(d *dfsTool, blank report.Record) error {
			blank.Run = round
			return fn(d, blank)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// once makes dfs with its source of a workload, pushed once, for what follows.
func (r *run) once(name string, fn func(d *dfsTool, blank report.Record) error) error {
	return r.onceAt(name, r.Scale, fn)
}

// onceAt is once at a scale of its own.
func (r *run) onceAt(name string, scale float64, fn func(d *dfsTool, blank report.Record) error) error {
	w, ok := workload.Named(name)
	if !ok {
		return fmt.Errorf("workload %q is not known", name)
	}
	size, err := w.Make(r.ctx, r.ownSource(), r.Seed, scale)
	if err != nil {
		return err
	}
	defer measure.Discard(r.ownSource())
	d := newDfs(r)
	if err := d.begin(); err != nil {
		return err
	}
	defer d.end()
	return fn(d, report.Record{Workload: name, Files: size.Files, Bytes: size.Bytes, Tool: "dfs"})
}

// killedPush kills a first push when it is about half done, and measures the one that goes on, in
// each round.
func (r *run) killedPush() error {
	return r.eachRound("1k-1gib", func(d *dfsTool, blank report.Record) error {
		if d.hub.proxy == nil {
			if err := d.hub.connect(r); err != nil {
				return err
			}
		}
		argv := r.command(nil, "push", d.from, "--volume", "v", "--hub", d.hub.url)
		cmd := exec.CommandContext(r.ctx, argv[0], argv[1:]...)
		cmd.Env = r.env()
		measure.EndWithUs(cmd)
		if err := cmd.Start(); err != nil {
			return err
		}
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		if err := d.hub.reached(r.ctx, blank.Bytes/2, ended); err != nil {
			return err
		}
		cmd.Process.Kill()
		<-ended
		return r.timed(d, report.OpResumed, blank, pushing)
	})
}

// reached returns when so many bytes went to the hub, or the push has ended.
func (h *hub) reached(ctx context.Context, bytes int64, ended <-chan struct{}) error {
	for h.proxy.Counts().Sent < bytes {
		select {
		case <-time.After(time.Millisecond):
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// crashOpen kills a hub after a push and measures how long the next one takes to be ready, in each
// round.
func (r *run) crashOpen() error {
	return r.eachRound("small-100k", func(d *dfsTool, blank report.Record) error {
		if err := d.push(&report.Record{}); err != nil {
			return err
		}
		d.hub.cmd.Process.Kill()
		d.hub.cmd.Wait()
		if err := r.settle(); err != nil {
			return err
		}
		began := time.Now()
		var err error
		if d.hub, err = r.startHub(d.data); err != nil {
			return err
		}
		blank.Operation, blank.Wall = "hub ready after kill -9", time.Since(began).Seconds()
		return r.add(blank)
	})
}
