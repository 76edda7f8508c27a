package bench

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"dfs/bench/measure"
	"dfs/bench/report"
	"dfs/bench/workload"
	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/manifest"
	"dfs/merkle"
)

// diffing is for how long a diff is repeated, at least.
const diffing = 500 * time.Millisecond

// treeDiff measures what it costs to find 1 % of changes: in a directory of 10,000 files, where
// the files must be looked at, and in Merkle trees alone, of 10,000 and of 1,000,000 entries.
func (r *run) treeDiff() error {
	err := r.once("diff-10k", func(d *dfsTool, blank report.Record) error {
		if err := d.push(&report.Record{}); err != nil {
			return err
		}
		if _, err := workload.Churn(r.ctx, d.from, r.Seed, 0); err != nil {
			return err
		}
		blank.Workload = "tree-diff"
		for blank.Run = range r.Rounds {
			if err := r.timed(d, report.OpChangedStatus, blank, contestant.status); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || r.counting { // no wire is in what follows
		return err
	}
	for round := range r.Rounds {
		for _, n := range turn([]float64{10_000, 1_000_000}, round) {
			if err := r.merkleDiff(max(1, int(n*r.Scale)), round); err != nil {
				return err
			}
		}
	}
	return nil
}

// merkleDiff measures a diff of two trees of n entries, in this process and from memory.
func (r *run) merkleDiff(n, round int) error {
	rec := report.Record{Workload: "tree-diff", Operation: fmt.Sprintf("%s, %d entries", report.OpMerkleDiff, n), Tool: "dfs", Files: int64(n), Run: round}
	p, err := newPair(r.ctx, n, r.Seed)
	if err != nil {
		return err
	}
	if rec.Bytes, err = p.reads(r.ctx); err != nil {
		return err
	}
	allocated, err := p.allocates(r.ctx)
	if err != nil {
		return err
	}
	rec.Note = fmt.Sprintf("%d changes; a diff allocates %.1f MiB; memory is that of the process, with both trees in it", p.changes, float64(allocated)/(1<<20))
	if err := r.settle(); err != nil {
		return err
	}
	debug.FreeOSMemory() // what building left behind
	times := 0.0
	watch := measure.Start(os.Getpid())
	err = r.asSelf(&rec, func() error {
		began := time.Now()
		for times == 0 || time.Since(began) < diffing {
			if err := p.diff(r.ctx); err != nil {
				return err
			}
			times++
		}
		rec.Wall = time.Since(began).Seconds() / times
		return nil
	})
	_, _, rec.PeakAnon, _ = watch.Stop()
	if err != nil {
		return err
	}
	rec.User /= times
	rec.Sys /= times
	return r.add(rec)
}

// pair is two trees in memory, of which the new has other values for 1 % of the entries.
type pair struct {
	source   merkle.Source
	old, new cas.ID
	changes  int
}

// newPair makes trees of n entries: files in directories of 100, with manifests of one chunk.
func newPair(ctx context.Context, n int, seed uint64) (*pair, error) {
	store := new(cas.Mem)
	p := &pair{source: merkle.StoreSource{Store: store, Scope: cas.Everything()}, changes: max(1, n/100)}
	put := func(b cas.Blob) error { return store.Put(ctx, cas.VolumeID{}, []cas.Blob{b}) }
	changed := make([]bool, n)
	for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(n)[:p.changes] {
		changed[i] = true
	}
	var err error
	if p.old, err = merkle.Build(entries(make([]bool, n), seed), put); err != nil {
		return nil, err
	}
	p.new, err = merkle.Build(entries(changed, seed), put)
	return p, err
}

// entries yields as many entries as changed is long, where it says so with other content.
func entries(changed []bool, seed uint64) iter.Seq2[merkle.Entry, error] {
	return func(yield func(merkle.Entry, error) bool) {
		for i, other := range changed {
			m := manifest.Manifest{
				Kind: manifest.File, Mode: 0o644, Mtime: manifest.Time{Sec: int64(i)}, Size: 4096, Profile: chunker.Profile1,
				Runs: []manifest.Run{{ID: cas.Sum(fmt.Append(nil, seed, i, other)), Size: 4096, Count: 1}},
			}
			value, err := m.Encode()
			if !yield(merkle.Entry{Path: fmt.Sprintf("d%06d/f%08d.bin", i/100, i), Value: value}, err) {
				return
			}
		}
	}
}

// diff finds the changes.
func (p *pair) diff(ctx context.Context) error {
	found := 0
	for _, err := range merkle.Diff(ctx, p.source, p.old, p.new) {
		if err != nil {
			return err
		}
		found++
	}
	if found != p.changes {
		return fmt.Errorf("%d changes found of %d", found, p.changes)
	}
	return nil
}

// reads returns the bytes of the nodes that a diff reads.
func (p *pair) reads(ctx context.Context) (total int64, err error) {
	counted := *p
	counted.source = counting{p.source, &total}
	return total, counted.diff(ctx)
}

// counting is a source that adds up the bytes of the nodes that it gives.
type counting struct {
	merkle.Source
	total *int64
}

func (c counting) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	return c.Source.Nodes(ctx, ids, func(b cas.Blob) error {
		*c.total += int64(b.Size())
		return fn(b)
	})
}

// allocates returns the bytes that a diff allocates, freed meanwhile or not.
func (p *pair) allocates(ctx context.Context) (uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := p.diff(ctx)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}
