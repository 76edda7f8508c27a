package client

import (
	"context"
	"fmt"

	"dfs/cas/chunker"
	"dfs/client/replica"
	"dfs/manifest"
)

// outlook is what a pull is about to do.
type outlook struct {
	deletions
	bytes   int64 // to be written, less those of what is replaced
	entries int64 // to be made
}

// outlook looks ahead and stops a pull that would delete too much, or does not fit on
// the disk. The base file tells at least what is to be done, since the directory may have some
// of it already; only if that is too much is it found out exactly.
func (r *run) outlook(ctx context.Context) (*outlook, error) {
	o := new(outlook)
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	for {
		rec, ok, err := base.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if err := o.record(rec); err != nil {
			return nil, err
		}
	}
	o.count = int64(len(o.gone)) // where contents come to this replica may not want them
	if r.cfg.DryRun || r.checkPull(o) == nil {
		return o, nil
	}
	return o, r.measure(ctx, o.base)
}

// record takes in a record of the base file.
func (o *outlook) record(rec replica.Record) error {
	old, err := decode(rec.Base)
	if err != nil {
		return err
	}
	if old != nil && old.Kind != manifest.Directory {
		o.base++
	}
	if !rec.Pending() {
		return nil
	}
	new, err := decode(rec.Remote)
	if err != nil {
		return err
	}
	n, err := o.write(nil, old, new)
	if err != nil {
		return err
	}
	return o.add(rec.Path, rec.Base, rec.Remote, n)
}

// write takes in what it takes to turn old into new; nil is absent. It returns the bytes that are
// written for new. Without an assembler, which reads pages, holes of very large files count.
func (o *outlook) write(a *assembler, old, new *manifest.Manifest) (int64, error) {
	switch {
	case new == nil || new.Kind == manifest.Directory && old != nil:
		return 0, nil
	case old == nil:
		o.entries++
	case manifest.SameContent(old, new):
		return 0, nil
	default:
		o.bytes -= int64(old.Size)
	}
	n, err := a.stored(new)
	o.bytes += n
	return n, err
}

// stored returns how many bytes of a file's content take space: all but the holes.
func (a *assembler) stored(m *manifest.Manifest) (int64, error) {
	size := int64(m.Size)
	if a == nil && !m.Pages.IsZero() {
		return size, nil
	}
	var source manifest.Source
	if a != nil {
		var err error
		if source, err = a.pages(target{m: m}); err != nil {
			return 0, err
		}
	}
	for run, err := range manifest.Runs(context.Background(), m, source) {
		if err != nil {
			return 0, err
		}
		if run.ID == chunker.ZeroID() {
			size -= int64(run.Bytes())
		}
	}
	return size, nil
}

// measure goes through a pull without doing anything, and stops it if it is too much.
func (r *run) measure(ctx context.Context, files int64) error {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer base.Close()
	p := newPuller(ctx, r)
	p.plan = &outlook{deletions: deletions{base: files}}
	err = (&survey{r: r, hasher: newHasher(r, nil, func() {}), remote: true}).each(p.asm.ctx, base, p.visit)
	if err = p.finish(err); err != nil {
		return err
	}
	r.reset()
	r.stand(r.session.Head, base.Seen)
	p.plan.settle()
	return r.checkPull(p.plan)
}

// checkPull returns why a pull with that outlook must not be, or nil.
func (r *run) checkPull(o *outlook) error {
	if err := o.check(r, Remote); err != nil {
		return err
	}
	mounts, err := replica.Mounts(r.cfg.Dir)
	if err != nil || len(mounts) > 0 { // what goes where is not known
		return err
	}
	bytes, entries, err := r.root.Space()
	if err != nil {
		return err
	}
	need := o.bytes
	if replica.StableInodes(r.cfg.Dir) { // else what moved is copied
		need -= o.moved
	}
	if need > bytes {
		return fmt.Errorf("%s: the hub's changes need %d bytes more, and the file system has %d free; nothing was changed. Make room and pull again", r.cfg.Dir, need, bytes)
	}
	if o.entries > entries {
		return fmt.Errorf("%s: the hub's changes need %d files more, and the file system has room for %d; nothing was changed. Make room and pull again", r.cfg.Dir, o.entries, entries)
	}
	return nil
}
