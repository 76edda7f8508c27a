package hub

import (
	"context"
	"fmt"
	"iter"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// Commit implements [api.Hub].
func (h *Hub) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	if err := h.enter(); err != nil {
		return api.CommitAnswer{}, err
	}
	defer h.leave()
	answer, err := h.commit(ctx, &req)
	return answer, wire(err)
}

func (h *Hub) commit(ctx context.Context, req *api.CommitRequest) (api.CommitAnswer, error) {
	if err := h.mayUse(ctx, req.Session); err != nil {
		return api.CommitAnswer{}, err
	}
	if answer, ok, err := h.answered(req); ok || err != nil {
		return answer, err
	}
	s, v, err := h.find(ctx, req.Session, api.RightWrite)
	if err != nil {
		return api.CommitAnswer{}, err
	}
	if err := v.acquire(ctx); err != nil {
		return api.CommitAnswer{}, err
	}
	defer v.release()
	defer h.endPromise(v)
	// The same request may have waited for the lock beside this one.
	if answer, ok, err := h.answered(req); ok || err != nil {
		return answer, err
	}
	if err := s.seal(); err != nil {
		return api.CommitAnswer{}, err
	}
	defer s.unseal()
	c := &commit{h: h, s: s, v: v, req: req, src: h.nodes(v.id), was: h.standOf(v), began: h.now()}
	return c.run(ctx)
}

// commit is one commit under way. It goes over the edits twice, decoding one part
// at a time: first it decides what becomes of each, then it edits the tree.
type commit struct {
	h    *Hub
	s    *session
	v    *volume
	req  *api.CommitRequest
	was  stand // of the volume, before
	src  merkle.Source
	d    *decider
	time time.Time
	open map[string]conflictName // the replica's open conflicts, by path
	done []string                // the paths of those that its edits settle

	growth growth    // of the head
	usage  api.Usage // of the new head

	opened  []api.Conflict // by path
	settled []settling

	began time.Time
	tally tally
}

func (c *commit) run(ctx context.Context) (api.CommitAnswer, error) {
	if err := c.check(); err != nil {
		return api.CommitAnswer{}, err
	}
	if err := c.checkSettle(ctx); err != nil {
		return api.CommitAnswer{}, err
	}
	added, err := c.h.admitStaged(ctx, c.s, c.v, addition{part: noPart, bytes: sizeOf(c.req.Blobs)})
	if err != nil {
		return api.CommitAnswer{}, err
	}
	defer added()
	c.s.publishUpload(len(c.req.Blobs))
	if err := c.h.put(ctx, c.v.id, c.req.Blobs); err != nil {
		return api.CommitAnswer{}, err
	}
	c.s.progress(c.req.Blobs)
	if err := c.decide(ctx); err != nil {
		return api.CommitAnswer{}, err
	}
	if err := c.checkSettled(); err != nil {
		return api.CommitAnswer{}, err
	}
	c.s.applying()
	c.time = c.h.now()
	if err := c.loadOpen(); err != nil {
		return api.CommitAnswer{}, err
	}
	if err := c.conflicts(); err != nil {
		return api.CommitAnswer{}, err
	}
	head, err := c.apply(ctx)
	if err != nil {
		return api.CommitAnswer{}, err
	}
	if err := c.settleByEdits(ctx); err != nil {
		return api.CommitAnswer{}, err
	}
	answer := api.CommitAnswer{Head: head, Merged: c.merged(), Kept: c.d.kept, Conflicts: c.opened}
	return answer, c.record(ctx, &answer)
}

// loadOpen finds the replica's open conflicts.
func (c *commit) loadOpen() error {
	open, err := c.h.openConflicts(c.v.id, c.s.slot.replica)
	c.open = make(map[string]conflictName, len(open))
	for _, o := range open {
		c.open[o.path] = o
	}
	return err
}

// check refuses a request that breaks a limit or lacks parts.
func (c *commit) check() error {
	limits := c.h.limits
	switch {
	case c.req.Key.IsZero():
		return refuse(api.ErrInvalid, "commit: key is zero")
	case len(c.req.Message) > limits.Message:
		return refuse(api.ErrTooLarge, "commit: message of %d bytes, more than %d", len(c.req.Message), limits.Message)
	case !api.IsNote(c.req.Message):
		return refuse(api.ErrInvalid, "commit: message %.64q is not UTF-8 without secrets and control characters but line breaks and tabs", c.req.Message)
	case c.req.Parts < 0 || c.req.Parts > limits.Parts:
		return refuse(api.ErrTooLarge, "commit: %d parts, more than %d", c.req.Parts, limits.Parts)
	}
	if n := c.s.staged(); n < c.req.Parts {
		return refuse(api.ErrInvalid, "commit: part %d of %d is not staged", n, c.req.Parts)
	}
	if err := checkSettlements(c.req.Settle, limits.Edits); err != nil {
		return err
	}
	return checkEdits("commit", c.req.Edits, limits.Edits)
}

// edits yields all edits in path order: those of the staged parts, merged with the
// request's own. visit, unless nil, is first called for the edits of each part, and for the
// request's as part number Parts.
func (c *commit) edits(visit func(n int, edits []api.Edit) error) iter.Seq2[api.Edit, error] {
	return func(yield func(api.Edit, error) bool) {
		own, err := c.req.Edits, error(nil)
		if visit != nil {
			err = visit(c.req.Parts, own)
		}
		for n := 0; n < c.req.Parts && err == nil; n++ {
			var part []api.Edit
			if part, err = c.h.loadPart(c.s.id, n); err == nil && visit != nil {
				err = visit(n, part)
			}
			for i := 0; i < len(part) && err == nil; i++ {
				for len(own) > 0 && merkle.Compare(own[0].Path, part[i].Path) < 0 {
					if !yield(own[0], nil) {
						return
					}
					own = own[1:]
				}
				if !yield(part[i], nil) {
					return
				}
			}
		}
		if err != nil {
			yield(api.Edit{}, err)
			return
		}
		for _, e := range own {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// decide is the first pass.
func (c *commit) decide(ctx context.Context) error {
	seen, err := c.h.rootsOf(c.v.id, c.req.Seen, c.s.seen())
	if err != nil {
		return err
	}
	c.d = newDecider(ctx, c.src, c.was.head.Root, seen)
	if len(c.req.Settle) == 0 { // else the edits are decisions about the head's versions
		if c.d.news, err = c.h.newsOf(c.s); err != nil {
			return err
		}
	}
	var missing []cas.Ref
	lookup := func(n int, edits []api.Edit) (err error) {
		missing, err = c.lookup(ctx, n, edits, missing)
		return err
	}
	last := ""
	for e, err := range c.edits(lookup) {
		if err != nil {
			return err
		}
		if last != "" && merkle.Compare(e.Path, last) <= 0 {
			return refuse(api.ErrInvalid, "commit: edit of %q does not come after %q", e.Path, last)
		}
		if err := c.d.add(e); err != nil {
			return err
		}
		last = e.Path
	}
	if len(missing) > 0 {
		return &api.Error{Code: api.ErrIncomplete.Code, Missing: missing,
			Message: fmt.Sprintf("commit: %d or more blobs that the edits name are missing, such as %v", len(missing), missing[0])}
	}
	return c.d.finish()
}

// apply is the second pass: it makes the new tree and its snapshot durable and
// returns the head to be.
func (c *commit) apply(ctx context.Context) (api.Head, error) {
	w := &nodeWriter{ctx: ctx, h: c.h, volume: c.v.id}
	root, err := merkle.Edit(ctx, c.src, c.was.head.Root, c.changes(ctx), w.put)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		c.usage = c.growth.of(c.h.usageOf(c.v))
		err = c.h.admitHead(ctx, c.v, c.usage)
	}
	if err != nil {
		return api.Head{}, err
	}
	if !c.merged() && !c.req.Expect.IsZero() && root != c.req.Expect {
		return api.Head{}, refuse(api.ErrRoot, "commit: the new root is %v, not %v", root, c.req.Expect)
	}
	head := c.was.head
	if root != head.Root {
		if head, err = c.h.putSnapshot(ctx, &manifest.Snapshot{
			Volume: c.v.id, Seq: head.Seq + 1, Root: root, Parents: []cas.ID{head.Snapshot},
			Client: c.s.client(), Replica: c.s.slot.replica, Time: timeOf(c.time), Message: c.req.Message,
		}); err != nil {
			return api.Head{}, err
		}
	}
	if root != c.was.head.Root || len(c.d.clashes) > 0 {
		err = c.h.barrier(ctx)
	}
	return head, err
}

// merged reports whether the new tree is not what the replica alone would have.
func (c *commit) merged() bool { return c.d.special || c.was.head.Snapshot != c.req.Seen }

// changes yields the changes of the head, and notes which conflicts they settle and what the
// head grows by.
func (c *commit) changes(ctx context.Context) iter.Seq2[merkle.Change, error] {
	return func(yield func(merkle.Change, error) bool) {
		n, extra := 0, c.d.extra
		heads := merkle.NewCursor(ctx, c.src, c.was.head.Root)
		besides := func() bool {
			change, err := extra[0], c.grow(heads, extra[0])
			extra = extra[1:]
			return yield(change, err) && err == nil
		}
		for e, err := range c.edits(nil) {
			if err != nil {
				yield(merkle.Change{}, err)
				return
			}
			for len(extra) > 0 && merkle.Compare(extra[0].Path, e.Path) <= 0 {
				if !besides() {
					return
				}
			}
			fate, before := c.d.fates[n], c.d.before[n]
			n++
			c.note(e.Path, fate)
			if fate != applied {
				continue
			}
			c.tally.add(e.New)
			c.growth.add(before.usage(), usageOf(e.New))
			change, err := toChange(e)
			if !yield(change, err) || err != nil {
				return
			}
		}
		for len(extra) > 0 {
			if !besides() {
				return
			}
		}
	}
}

// grow takes note of a change that is no edit.
func (c *commit) grow(heads *merkle.Cursor, change merkle.Change) error {
	before, _, err := lookup(heads, change.Path)
	if err != nil {
		return err
	}
	after, err := decodeEntry(change.Path, change.New)
	c.growth.add(usageOf(before), usageOf(after))
	return err
}

func toChange(e api.Edit) (merkle.Change, error) {
	change := merkle.Change{Path: e.Path}
	if e.New == nil {
		return change, nil
	}
	var err error
	if change.New, err = e.New.Encode(); err != nil {
		err = fmt.Errorf("edit of %q: %w", e.Path, err)
	}
	return change, err
}

// note takes note of path when the head has the replica's version now and a conflict is open there.
func (c *commit) note(path string, f fate) {
	if len(c.open) == 0 || f != applied && f != already && f != merged {
		return
	}
	if _, ok := c.open[path]; ok {
		c.done = append(c.done, path)
	}
}

// record makes the answer and all that it says durable at once, and takes it into effect.
func (c *commit) record(ctx context.Context, answer *api.CommitAnswer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before, core, err := c.h.answerWrites(c.req, answer)
	if err != nil {
		return err
	}
	conflicts, closing, err := c.conflictWrites()
	if err != nil {
		return err
	}
	before = append(before, conflicts...)
	last := c.was.settled + uint64(len(c.settled))
	if answer.Head != c.was.head || last != c.was.settled {
		writes, err := headWrites(c.v, answer.Head, last, c.usage)
		if err != nil {
			return err
		}
		core = append(core, writes...)
	}
	rec, outdated := c.s.finished(c.req.Key)
	closed, err := put(slotKey(c.s.slot), rec)
	if err != nil {
		return err
	}
	after, err := c.h.answerDeletes(outdated)
	if err != nil {
		return err
	}
	after = append(append(after, closing...), c.s.partDeletes()...)
	if err := c.h.meta.writeAll(before, append(core, closed), after); err != nil {
		return err
	}
	c.h.redeem(c.v, c.s.brings()+addedBy(c.req.Edits).Bytes)
	c.h.setStand(c.v, stand{head: answer.Head, usage: c.usage, settled: last, open: c.openAfter()})
	c.publish(answer)
	c.s.close(rec)
	return nil
}
