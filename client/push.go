package client

import (
	"cmp"
	"context"
	"fmt"
	"path"

	"dfs/cas"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// Push sends the directory's changes to the hub, as one snapshot. What others
// changed stays; where both changed a path differently the head keeps its version and
// the hub keeps this one as a conflict. Nothing in the directory but .dfs is
// altered. When Push returns without an error the snapshot is durable on the
// hub. A Result may come with an error and then tells how far the run came.
func Push(ctx context.Context, cfg Config) (*Result, error) {
	r, err := open(ctx, cfg, "push")
	if err != nil {
		return nil, err
	}
	defer r.close()
	err = r.pushAgain(ctx)
	if err == nil && !cfg.DryRun {
		err = r.withdraw(ctx)
	}
	r.over(ctx, err)
	return r.finish(), err
}

// push is one attempt: survey, transfer, commit, base.
func (r *run) push(ctx context.Context, assume bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.reset()
	base, seen, done, err := r.outgoing(ctx)
	if err != nil {
		return err
	}
	defer done()
	p, err := newPusher(ctx, r)
	if err != nil {
		return err
	}
	defer p.spool.Abort()
	if err := r.limit(r.cfg.Paths); err != nil {
		return p.failed(err)
	}
	s := survey{r: r, hasher: newHasher(r, p.out(), p.flush), local: true, resend: !r.cfg.DryRun, assume: assume}
	if p.send != nil {
		s.hasher.expects = p.send.expects
	}
	if err := s.each(ctx, base, p.visit); err != nil {
		return p.failed(err)
	}
	if err := r.index.Save(); err != nil {
		return p.failed(err)
	}
	if err := p.spool.Seal(); err != nil {
		return p.failed(err)
	}
	if r.cfg.DryRun {
		r.stand(r.session.Head, seen)
		return cmp.Or(p.checkDeletions(), r.listChanges())
	}
	if err := p.checkDeletions(); err != nil {
		return p.failed(err)
	}
	if err := r.noteMounts(); err != nil {
		return p.failed(err)
	}
	if err := p.commit(ctx); err != nil {
		return err
	}
	if err := p.countMoves(); err != nil {
		return err
	}
	return r.settle()
}

// pusher collects a push's edits: to the hub in parts, and to a spool from which the
// new base is made.
type pusher struct {
	r     *run
	send  *sender
	spool *replica.Writer
	// touched are the directories in which an entry changed; passengers are
	// directories whose mtime alone differs, which travels with such a change.
	touched    map[string]struct{}
	passengers []api.Edit
	edits      int
	rejected   map[string]struct{} // paths of edits that the hub did not take
}

func newPusher(ctx context.Context, r *run) (*pusher, error) {
	spool, err := replica.NewSpool(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	p := &pusher{r: r, spool: spool, touched: map[string]struct{}{}}
	if !r.cfg.DryRun {
		p.send = newSender(ctx, r)
	}
	return p, nil
}

func (p *pusher) flush() {
	if p.send != nil {
		p.send.flush()
	}
}

func (p *pusher) out() func(piece) error {
	if p.send == nil {
		return nil
	}
	return p.send.blob
}

// failed ends the sending and returns why the survey ended: err, or the
// sender's error, which stops the survey.
func (p *pusher) failed(err error) error {
	if p.send == nil {
		return err
	}
	if sent := p.send.group.Wait(); sent != nil {
		return sent
	}
	return err
}

// visit turns what is found at a path into an edit.
func (p *pusher) visit(f *found) error {
	if f.err != nil {
		p.r.problem(f.path, f.err)
	}
	if f.unknown {
		return nil
	}
	var value []byte
	if f.local != nil {
		var err error
		if value, err = f.local.Encode(); err != nil {
			p.r.problem(f.path, err)
			return nil
		}
	}
	if equalValues(value, f.base) {
		if f.local != nil && f.local.Kind != manifest.Directory {
			p.r.meter.unchanged.Add(1)
		}
		return nil
	}
	if !equalValues(f.remote, f.base) { // pending
		same, err := sameVersion(f.remote, f.local)
		if err != nil {
			return err
		}
		if same {
			return p.adopt(f)
		}
	}
	edit := api.Edit{Path: f.path, New: f.local}
	if f.base != nil {
		edit.Base = cas.Sum(f.base)
		rides, err := mtimeAlone(f.base, f.local)
		if err != nil {
			return err
		}
		if rides {
			p.passengers = append(p.passengers, edit)
			return nil
		}
	}
	if err := manifest.CheckPath(f.path); err != nil {
		p.r.problem(f.path, err)
		return nil
	}
	return p.add(edit, f.base, value)
}

func (p *pusher) add(edit api.Edit, base, value []byte) error {
	p.edits++
	p.touched[path.Dir(edit.Path)] = struct{}{}
	if err := p.r.tell(Local, edit.Path, base, value); err != nil {
		return err
	}
	if err := p.spool.Add(replica.Record{Path: edit.Path, Base: base, Remote: value}); err != nil {
		return err
	}
	if p.send == nil {
		return nil
	}
	return p.send.edit(edit)
}

// mtimeAlone reports whether both are directories that differ in their mtime only.
func mtimeAlone(base []byte, local *manifest.Manifest) (bool, error) {
	if base == nil || local == nil || local.Kind != manifest.Directory {
		return false, nil
	}
	b, err := manifest.Decode(base)
	if err != nil {
		return false, err
	}
	b.Mtime = local.Mtime
	return manifest.Equal(b, local), nil
}

// commit seals the session with what was collected and moves the base.
func (p *pusher) commit(ctx context.Context) error {
	rest, err := p.send.finish()
	defer rest.done()
	if err != nil {
		return err
	}
	base, err := replica.OpenBase(p.r.cfg.Dir)
	if err != nil {
		return err
	}
	defer base.Close()
	if p.edits == 0 {
		return p.nothing(ctx, base.Seen)
	}
	p.r.meter.enter(Committing, 0, 0)
	riders, err := p.riders(p.r.session.Limits.Edits - len(rest.edits))
	if err != nil {
		return err
	}
	defer riders.Abort()
	w, err := p.foresee(base, riders)
	if err != nil {
		return err
	}
	defer w.Abort()
	req := api.CommitRequest{
		Session: p.r.session.Session, Key: replica.NewID(), Parts: rest.parts,
		Edits: mergeEdits(rest.edits, p.passengers), Blobs: rest.blobs, Seen: base.Snapshot, Message: p.r.cfg.Message,
	}
	seen := base.Seen
	if seen.Snapshot.IsZero() && p.r.session.Head.Root == seen.Root {
		req.Seen = p.r.session.Head.Snapshot
	}
	if base.Pending == 0 {
		req.Expect = w.Root
	}
	answer, err := p.r.conn.Commit(ctx, req)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	p.r.committed(answer.Head)
	return p.settle(ctx, w, riders, answer)
}

// nothing ends a push without edits. A replica that has seen nothing takes note of an empty volume's
// first snapshot.
func (p *pusher) nothing(ctx context.Context, seen replica.Seen) error {
	head := p.r.session.Head
	if seen.Snapshot.IsZero() && head.Root == seen.Root {
		seen = replica.Seen{Snapshot: head.Snapshot, Seq: head.Seq, Root: head.Root}
		p.r.stand(head, seen)
		return p.r.fetch(ctx, head, nil, nil)
	}
	p.r.stand(head, seen)
	return nil
}

// riders drops the passengers without a change directly inside, and those beyond what
// the commit takes: such directories keep their mtime on the hub until a change
// inside takes it along. It returns a spool of all edits, riders included.
func (p *pusher) riders(most int) (*replica.Writer, error) {
	kept := p.passengers[:0]
	for _, e := range p.passengers {
		if _, ok := p.touched[e.Path]; ok && len(kept) < most {
			kept = append(kept, e)
		}
	}
	p.passengers = kept
	edits, err := p.spool.Reread()
	if err != nil {
		return nil, err
	}
	defer edits.Close()
	all, err := replica.NewSpool(p.r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := addRiders(all, edits, kept); err != nil {
		all.Abort()
		return nil, err
	}
	return all, nil
}

func addRiders(all *replica.Writer, edits *replica.Reader, riders []api.Edit) error {
	c := recordCursor(edits)
	for c.err == nil {
		switch {
		case len(riders) > 0 && (!c.ok || merkle.Compare(riders[0].Path, c.cur.Path) < 0):
			value, err := riders[0].New.Encode()
			if err != nil {
				return err
			}
			if err := all.Add(replica.Record{Path: riders[0].Path, Remote: value}); err != nil {
				return err
			}
			riders = riders[1:]
		case c.ok:
			if err := all.Add(c.cur); err != nil {
				return err
			}
			c.step()
		default:
			return all.Seal()
		}
	}
	return c.err
}

// foresee writes the base as it will be if the hub takes all edits and the head is
// what the base file has seen.
func (p *pusher) foresee(base *replica.Reader, all *replica.Writer) (*replica.Writer, error) {
	edits, err := all.Reread()
	if err != nil {
		return nil, err
	}
	defer edits.Close()
	w, err := replica.NewWriter(p.r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := advance(w, base, edits, nil, nil, nil); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// settle moves the base to what the hub answered.
func (p *pusher) settle(ctx context.Context, w *replica.Writer, all *replica.Writer, answer api.CommitAnswer) error {
	p.r.result.Merged = answer.Merged
	seen := replica.Seen{Snapshot: answer.Head.Snapshot, Seq: answer.Head.Seq, Root: answer.Head.Root}
	if !answer.Merged {
		p.r.stand(answer.Head, seen)
		return w.Commit(seen)
	}
	rejected := map[string]struct{}{}
	for _, c := range answer.Conflicts {
		rejected[c.Path] = struct{}{}
		p.r.result.Conflicts = append(p.r.result.Conflicts, c.Path)
	}
	for _, path := range answer.Kept {
		rejected[path] = struct{}{}
	}
	p.r.result.Kept = append(p.r.result.Kept, answer.Kept...)
	p.rejected = rejected
	if err := p.uncount(all, rejected); err != nil {
		return err
	}
	edits, err := all.Reread()
	if err != nil {
		return err
	}
	defer edits.Close()
	p.r.stand(answer.Head, seen)
	return p.r.fetch(ctx, answer.Head, edits, rejected)
}

// uncount takes back what was counted for edits that the hub did not take.
func (p *pusher) uncount(all *replica.Writer, rejected map[string]struct{}) error {
	if len(rejected) == 0 {
		return nil
	}
	return eachRecord(all, func(rec replica.Record) error {
		if _, no := rejected[rec.Path]; !no {
			return nil
		}
		return p.r.tally(rec.Base, rec.Remote, -1)
	})
}

// mergeEdits merges two ascending lists of edits.
func mergeEdits(a, b []api.Edit) []api.Edit {
	out := make([]api.Edit, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if merkle.Compare(a[0].Path, b[0].Path) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
