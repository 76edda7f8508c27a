package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"dfs/cas"
	"dfs/server/api"
)

// Blobs implements [api.Hub].
func (h *Hub) Blobs(ctx context.Context, req api.BlobsRequest, fn func(cas.Blob) error) error {
	return h.fetch(ctx, api.OpBlobs, sessionQuery(req.Session), req.Refs, fn, func(rest []cas.Ref) []byte {
		return (&api.BlobsRequest{Volume: req.Volume, Refs: rest}).Append(nil)
	})
}

// Nodes implements [api.Hub].
func (h *Hub) Nodes(ctx context.Context, v cas.VolumeID, ids []cas.ID, fn func(cas.Blob) error) error {
	refs := make([]cas.Ref, len(ids))
	for i, id := range ids {
		refs[i] = cas.Ref{Kind: cas.Node, ID: id}
	}
	return h.fetch(ctx, api.OpNodes, nil, refs, fn, func(rest []cas.Ref) []byte {
		return (&api.NodesRequest{Volume: v, IDs: ids[len(ids)-len(rest):]}).Append(nil)
	})
}

// fetch calls fn for each ref in order, once. After a cut it asks for the rest.
func (h *Hub) fetch(ctx context.Context, op api.Op, query url.Values, refs []cas.Ref, fn func(cas.Blob) error, ask func(rest []cas.Ref) []byte) error {
	return h.persist(ctx, func() (moved bool, err error) {
		before := len(refs)
		p := framesPayload(ask(refs), nil)
		err = h.send(ctx, op, query, p, func(resp *http.Response) error {
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
			return refs, &transient{err: fmt.Errorf("%v: answered %v instead of %v", op, head.Ref, refs[0]), damaged: true}
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

// messages calls fn for each message of an answer, valid until fn returns, until fn wants no more.
func (h *Hub) messages(frames *api.FrameReader, op api.Op, fn func(msg []byte) (more bool, err error)) error {
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
			return fmt.Errorf("%s: %v: answered %v", h.base, op, head.Ref)
		}
		if msg, err = frames.Message(head, msg[:0]); err != nil {
			return inTransit(err)
		}
		if more, err := fn(msg); err != nil || !more {
			return err
		}
	}
}
