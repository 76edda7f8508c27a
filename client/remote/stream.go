package remote

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"

	"dfs/cas"
	"dfs/server/api"
)

// Blobs implements [api.Hub].
func (h *Hub) Blobs(ctx context.Context, v cas.VolumeID, refs []cas.Ref, fn func(cas.Blob) error) error {
	return h.fetch(ctx, api.OpBlobs, refs, fn, func(rest []cas.Ref) []byte {
		return (&api.BlobsRequest{Volume: v, Refs: rest}).Append(nil)
	})
}

// Nodes implements [api.Hub].
func (h *Hub) Nodes(ctx context.Context, v cas.VolumeID, ids []cas.ID, fn func(cas.Blob) error) error {
	refs := make([]cas.Ref, len(ids))
	for i, id := range ids {
		refs[i] = cas.Ref{Kind: cas.Node, ID: id}
	}
	return h.fetch(ctx, api.OpNodes, refs, fn, func(rest []cas.Ref) []byte {
		return (&api.NodesRequest{Volume: v, IDs: ids[len(ids)-len(rest):]}).Append(nil)
	})
}

// fetch calls fn for each ref in order, once. After a cut it asks for the rest.
func (h *Hub) fetch(ctx context.Context, op api.Op, refs []cas.Ref, fn func(cas.Blob) error, ask func(rest []cas.Ref) []byte) error {
	return h.persist(ctx, func() (moved bool, err error) {
		before := len(refs)
		p := framesPayload(ask(refs), nil)
		err = h.send(ctx, op, nil, p, func(resp *http.Response) error {
			refs, err = h.deliver(api.NewFrameReader(resp.Body), op, refs, fn)
			return err
		})
		return len(refs) < before, err
	})
}

// deliver reads blobs and returns the refs that did not come.
func (h *Hub) deliver(frames *api.FrameReader, op api.Op, refs []cas.Ref, fn func(cas.Blob) error) ([]cas.Ref, error) {
	var data, plain []byte
	for {
		head, err := frames.Next()
		switch {
		case len(refs) == 0:
			return nil, nil // all came and is verified; how the stream ends is of no interest
		case err == io.EOF:
			return refs, fmt.Errorf("%s: %v: answer ends before %v", h.base, op, refs[0])
		case err != nil:
			return refs, inTransit(err)
		case head.Ref != refs[0]:
			return refs, fmt.Errorf("%s: %v: answered %v instead of %v", h.base, op, head.Ref, refs[0])
		}
		data = grown(data, head.Size)
		if head.Encoding != cas.Raw {
			plain = grown(plain, head.Plain)
		}
		b, err := frames.Blob(head, data, plain)
		if err != nil {
			return refs, inTransit(err)
		}
		if err := fn(b); err != nil {
			return refs, err
		}
		refs = refs[1:]
	}
}

// grown returns a buffer of at least n bytes: buf, if it is one.
func grown(buf []byte, n int) []byte {
	const step = 64 << 10
	if len(buf) < n {
		return make([]byte, (n+step-1)/step*step)
	}
	return buf
}

// Changes implements [api.Hub].
func (h *Hub) Changes(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	return func(yield func(api.Change, error) bool) {
		w := changesWalk{hub: h, ctx: ctx, req: req, yield: yield}
		err := h.persist(ctx, func() (bool, error) {
			before := w.done
			err := w.attempt()
			return w.done > before, err
		})
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
	yield   func(api.Change, error) bool
	done    uint64 // changes yielded
	stopped bool   // yield wants no more
}

func (w *changesWalk) attempt() error {
	query := volumeQuery(w.req.Volume)
	if !w.req.From.IsZero() {
		query.Set("from", w.req.From.String())
	}
	if !w.req.To.IsZero() {
		query.Set("to", w.req.To.String())
	}
	if w.done > 0 {
		query.Set("skip", strconv.FormatUint(w.done, 10))
	}
	return w.hub.send(w.ctx, api.OpChanges, query, nil, func(resp *http.Response) error {
		to, err := cas.ParseID(resp.Header.Get(api.HeaderSnapshot))
		if err != nil || !w.req.To.IsZero() && to != w.req.To {
			return fmt.Errorf("%s: changes: answer leads to snapshot %q", w.hub.base, resp.Header.Get(api.HeaderSnapshot))
		}
		w.req.To = to
		return w.read(api.NewFrameReader(resp.Body))
	})
}

func (w *changesWalk) read(frames *api.FrameReader) error {
	var msg []byte
	for {
		head, err := frames.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return inTransit(err)
		}
		if !head.IsMessage() {
			return fmt.Errorf("%s: changes: answered %v", w.hub.base, head.Ref)
		}
		if msg, err = frames.Message(head, msg[:0]); err != nil {
			return inTransit(err)
		}
		run, err := api.DecodeChanges(msg)
		if err != nil {
			return fmt.Errorf("%s: %w", w.hub.base, err)
		}
		for _, c := range run {
			w.done++
			if !w.yield(c, nil) {
				w.stopped = true
				return nil
			}
		}
	}
}
