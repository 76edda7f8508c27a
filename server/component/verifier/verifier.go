// Package verifier reads some of what each new snapshot brought once more from a hub's store, and raises an
// alarm for what does not match its ID. It reads soon after the commit, so it finds what the hub, its store and its
// memory do wrong rather than what a disk forgets over the years, and only a sample of a large snapshot.
package verifier

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
	"dfs/server/events"
)

// A Hub gives back what it has stored. In both methods it says nothing on its bus.
type Hub interface {
	// Recompare is Changes of an [api.Hub].
	Recompare(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error]
	// Reread is Blobs of an [api.Hub].
	Reread(ctx context.Context, v cas.VolumeID, refs []cas.Ref, fn func(cas.Blob) error) error
}

// Options bound the work. The zero Options are the defaults.
type Options struct {
	Sample int   // blobs of a snapshot; 0: 64. Of a large file they are one chunk and the pages above it
	Rate   int64 // bytes a second; 0: 4 MiB
}

const (
	defaultSample = 64
	defaultRate   = 4 << 20
	changeCost    = 256 // bytes that looking at a change counts for
)

// A Verifier verifies one snapshot after the other.
type Verifier struct {
	hub    Hub
	bus    *events.Bus
	sample int
	pace   pace
}

// New returns a verifier of a hub, which publishes what it found on the bus.
func New(hub Hub, bus *events.Bus, opts Options) *Verifier {
	v := &Verifier{hub: hub, bus: bus, sample: opts.Sample, pace: pace{rate: opts.Rate}}
	if v.sample == 0 {
		v.sample = defaultSample
	}
	if v.pace.rate == 0 {
		v.pace.rate = defaultRate
	}
	return v
}

// Run verifies the snapshots that s brings until that or ctx ends. Those that come while it is busy wait in s, as
// far as that holds them, and of the others is said how many they are.
func (v *Verifier) Run(ctx context.Context, s *events.Subscription) {
	events.Each(ctx, s, func(e events.Event) {
		switch e := e.(type) {
		case events.SnapshotCommitted:
			v.verify(ctx, e)
		case events.Lost:
			v.bus.Publish(events.SnapshotsUnverified{Snapshots: e.Count, At: time.Now().UTC()})
		}
	})
}

// suspect is a blob to read again, and a file that it is of.
type suspect struct {
	path string
	ref  cas.Ref
}

// verification is the verification of one snapshot.
type verification struct {
	*Verifier
	of     events.SnapshotCommitted
	result events.BlobsVerified
}

func (v *Verifier) verify(ctx context.Context, e events.SnapshotCommitted) {
	w := &verification{Verifier: v, of: e, result: events.BlobsVerified{Volume: e.Volume, Snapshot: e.Snapshot}}
	sample, err := w.choose(ctx)
	if err != nil {
		if stopped(err) {
			return
		}
		w.alarm(suspect{ref: cas.Ref{Kind: cas.Node}}, err)
	}
	for _, s := range sample {
		if !w.read(ctx, s) {
			return
		}
	}
	w.result.At = time.Now().UTC()
	v.bus.Publish(w.result)
}

// stopped reports whether err says nothing about what is stored: the hub or the verifier is being stopped.
func stopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, api.ErrBusy) || errors.Is(err, api.ErrNotFound)
}

// choose returns a sample of the blobs that the snapshot's changes name, each as likely as any other.
func (w *verification) choose(ctx context.Context) (sample []suspect, err error) {
	seen := 0
	req := api.ChangesRequest{Volume: w.of.Volume, From: w.of.Parent, To: w.of.Snapshot}
	for c, err := range w.hub.Recompare(ctx, req) {
		if err != nil {
			return sample, err
		}
		if err := w.pace.spend(ctx, changeCost); err != nil {
			return nil, err
		}
		for _, ref := range api.EditNames([]api.Edit{{Path: c.Path, New: c.New}}) {
			seen++
			if len(sample) < w.sample {
				sample = append(sample, suspect{c.Path, ref})
			} else if i := rand.IntN(seen); i < w.sample {
				sample[i] = suspect{c.Path, ref}
			}
		}
	}
	return sample, nil
}

// read reads a blob, and of what a page names one blob more, down to a chunk. It reports whether to go on.
func (w *verification) read(ctx context.Context, s suspect) bool {
	for more := true; more; {
		next, size := cas.Ref{}, 0
		err := w.hub.Reread(ctx, w.of.Volume, []cas.Ref{s.ref}, func(b cas.Blob) (err error) {
			size = b.Size()
			next, err = below(b)
			return err
		})
		if err != nil && stopped(err) {
			return false
		}
		w.result.Blobs++
		w.result.Bytes += int64(size)
		if err != nil {
			w.alarm(s, err)
		}
		if w.pace.spend(ctx, int64(size)) != nil {
			return false
		}
		more = err == nil && next != cas.Ref{}
		s.ref = next
	}
	return true
}

// below returns a blob that b names, none where it is no page.
func below(b cas.Blob) (cas.Ref, error) {
	if b.Ref().Kind != cas.Page {
		return cas.Ref{}, nil
	}
	page, err := manifest.DecodePage(b.Plain())
	if err != nil {
		return cas.Ref{}, err
	}
	names := page.Names()
	return names[rand.IntN(len(names))], nil
}

func (w *verification) alarm(s suspect, err error) {
	w.result.Damaged++
	w.bus.Publish(events.BlobDamaged{
		Volume: w.of.Volume, Snapshot: w.of.Snapshot, Path: api.Path(s.path),
		Kind: s.ref.Kind.String(), Blob: s.ref.ID, Code: api.AsError(err).Code, Detail: err.Error(), At: time.Now().UTC(),
	})
}

// pace bounds how much is read in a second.
type pace struct {
	rate int64 // bytes a second
	due  time.Time
}

// spend waits, after n bytes were read, until more may be.
func (p *pace) spend(ctx context.Context, n int64) error {
	const granule = 20 * time.Millisecond
	now := time.Now()
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	wait := p.due.Sub(now)
	if wait < granule {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
