package remote

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// Changes implements [api.Hub]. What waits for a head asks in pieces, each shorter than the
// time after which a silent connection is cut.
func (h *Hub) Changes(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	return func(yield func(api.Change, error) bool) {
		w := changesWalk{hub: h, ctx: ctx, req: req, to: req.To, until: time.Now().Add(min(req.Wait, api.MaxWait)), yield: yield}
		err := w.run()
		for err == nil && w.waits() {
			w.to = cas.ID{}
			err = w.run()
		}
		if err != nil && !w.stopped {
			yield(api.Change{}, err)
		}
	}
}

// A changesWalk yields changes over as many requests as it takes. After the
// first answer the request names the snapshot to which it leads, so that all
// answers are parts of one sequence.
type changesWalk struct {
	hub     *Hub
	ctx     context.Context
	req     api.ChangesRequest
	to      cas.ID    // where the sequence leads; zero: not known yet
	settled uint64    // the latest settlement, where it is asked for
	until   time.Time // when a head that is From is not waited for any more
	yield   func(api.Change, error) bool
	last    api.Change
	done    uint64 // changes yielded
	stopped bool   // yield wants no more
}

func (w *changesWalk) run() error {
	return w.hub.persist(w.ctx, func() (bool, error) {
		before := w.done
		err := w.attempt()
		return w.done > before, err
	})
}

// waits reports whether the head is still From, and is to be waited for.
func (w *changesWalk) waits() bool {
	if w.req.Heard != nil && w.settled > *w.req.Heard {
		return false
	}
	return w.req.To.IsZero() && w.to == w.req.From && time.Now().Before(w.until)
}

func (w *changesWalk) attempt() error {
	query := volumeQuery(w.req.Volume)
	if !w.req.From.IsZero() {
		query.Set("from", w.req.From.String())
	}
	if !w.to.IsZero() {
		query.Set("to", w.to.String())
	} else if wait := min(time.Until(w.until), w.hub.piece()); wait > 0 {
		query.Set("wait", wait.String())
	}
	if w.req.Heard != nil {
		query.Set("heard", strconv.FormatUint(*w.req.Heard, 10))
	}
	if !w.req.Session.IsZero() {
		query.Set("session", w.req.Session.String())
	}
	if w.done > 0 {
		query.Set("skip", strconv.FormatUint(w.done, 10))
	}
	return w.hub.send(w.ctx, api.OpChanges, query, nil, func(resp *http.Response) error {
		to, err := cas.ParseID(resp.Header.Get(api.HeaderSnapshot))
		if err != nil || !w.to.IsZero() && to != w.to {
			return fmt.Errorf("%s: changes: answer leads to snapshot %q", w.hub.base, resp.Header.Get(api.HeaderSnapshot))
		}
		if w.req.Heard != nil {
			if w.settled, err = strconv.ParseUint(resp.Header.Get(api.HeaderSettled), 10, 64); err != nil {
				return fmt.Errorf("%s: changes: the latest settlement: %w", w.hub.base, err)
			}
		}
		w.to = to
		return w.hub.messages(api.NewFrameReader(resp.Body), api.OpChanges, w.take)
	})
}

func (w *changesWalk) take(msg []byte) (more bool, err error) {
	run, err := api.DecodeChanges(msg)
	if err != nil {
		return false, fmt.Errorf("%s: %w", w.hub.base, err)
	}
	for _, c := range run {
		if w.done > 0 && c.Compare(&w.last) <= 0 {
			return false, &transient{err: fmt.Errorf("changes: %q comes after %q", c.Path, w.last.Path), damaged: true}
		}
		w.last = c
		w.done++
		if !w.yield(c, nil) {
			w.stopped = true
			return false, nil
		}
	}
	return true, nil
}

// piece returns how long a request may wait for a head.
func (h *Hub) piece() time.Duration {
	if !h.answered.Load() {
		return min(h.opts.First, h.opts.Stall) / 2
	}
	return h.opts.Stall / 2
}

// Conflicts implements [api.Hub].
func (h *Hub) Conflicts(ctx context.Context, req api.ConflictsRequest) iter.Seq2[api.Conflict, error] {
	return func(yield func(api.Conflict, error) bool) {
		w := conflictsWalk{hub: h, ctx: ctx, req: req, yield: yield}
		err := h.persist(ctx, func() (bool, error) {
			before := w.done
			err := w.attempt()
			return w.done > before, err
		})
		if err != nil && !w.stopped {
			yield(api.Conflict{}, err)
		}
	}
}

// A conflictsWalk yields conflicts over as many requests as it takes. Each goes on at the
// path of the last conflict, and what does not come after that one is left out.
type conflictsWalk struct {
	hub     *Hub
	ctx     context.Context
	req     api.ConflictsRequest
	yield   func(api.Conflict, error) bool
	last    api.Conflict
	done    uint64 // conflicts yielded
	stopped bool   // yield wants no more
}

func (w *conflictsWalk) attempt() error {
	query := volumeQuery(w.req.Volume)
	if !w.req.Replica.IsZero() {
		query.Set("replica", w.req.Replica.String())
	}
	if w.req.All {
		query.Set("all", "true")
	}
	if w.req.After > 0 {
		query.Set("after", strconv.FormatUint(w.req.After, 10))
	}
	if w.req.ID != "" {
		query.Set("id", w.req.ID)
	}
	if w.done > 0 {
		query.Set("from", w.last.Path)
	}
	return w.hub.send(w.ctx, api.OpConflicts, query, nil, func(resp *http.Response) error {
		return w.hub.messages(api.NewFrameReader(resp.Body), api.OpConflicts, w.take)
	})
}

func (w *conflictsWalk) take(msg []byte) (more bool, err error) {
	run, err := api.DecodeConflicts(msg)
	if err != nil {
		return false, fmt.Errorf("%s: %w", w.hub.base, err)
	}
	for _, c := range run {
		if w.done > 0 && c.Compare(&w.last) <= 0 {
			continue
		}
		w.last = c
		w.done++
		if !w.yield(c, nil) {
			w.stopped = true
			return false, nil
		}
	}
	return true, nil
}
