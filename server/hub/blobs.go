package hub

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// own is the scope of one volume.
func own(v cas.VolumeID) cas.Scope { return cas.Scope{Volumes: []cas.VolumeID{v}} }

// nodes returns the source of the volume's nodes.
func (h *Hub) nodes(v cas.VolumeID) merkle.Source {
	return merkle.StoreSource{Store: h.store, Scope: own(v)}
}

// sizes returns the sizes of chunks and pages as [cas.Store.Sizes] does, by what the caller's volumes have. What
// they have becomes v's own, a page together with all below it.
func (h *Hub) sizes(ctx context.Context, v cas.VolumeID, refs []cas.Ref) ([]int, error) {
	return h.sizesBelow(ctx, v, refs, math.MaxUint8+1)
}

// sizesBelow is sizes for what a page of a level names. That pages are of lower
// and lower levels bounds the depth.
func (h *Hub) sizesBelow(ctx context.Context, v cas.VolumeID, refs []cas.Ref, level int) ([]int, error) {
	var chunks, pages []cas.Ref
	for _, ref := range refs {
		switch ref.Kind {
		case cas.Chunk:
			chunks = append(chunks, ref)
		case cas.Page:
			pages = append(pages, ref)
		default:
			return nil, refuse(api.ErrInvalid, "%v is neither a chunk nor a page", ref)
		}
	}
	ofChunks, err := h.look(ctx, v, h.scope(ctx), chunks)
	if err != nil {
		return nil, err
	}
	ofPages, err := h.look(ctx, v, own(v), pages)
	if err != nil {
		return nil, err
	}
	for i, size := range ofPages {
		if size == cas.Absent {
			if ofPages[i], err = h.adopt(ctx, v, pages[i], level); err != nil {
				return nil, err
			}
		}
	}
	answer := make([]int, len(refs))
	for i, ref := range refs {
		from := &ofChunks
		if ref.Kind == cas.Page {
			from = &ofPages
		}
		answer[i], *from = (*from)[0], (*from)[1:]
	}
	return answer, nil
}

func (h *Hub) look(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref) ([]int, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	sizes, err := h.store.Sizes(ctx, v, scope, refs)
	return sizes, h.stopped(err)
}

// adopt makes a page that another volume of the caller's has v's own, after all that it
// names, and returns its size. It must be of a level below above.
func (h *Hub) adopt(ctx context.Context, v cas.VolumeID, ref cas.Ref, above int) (int, error) {
	var page *manifest.Page
	err := h.pages(ctx, h.scope(ctx), []cas.Ref{ref}, func(_ int, p *manifest.Page) error {
		page = p
		if level := int(p.Level); level >= above {
			return refuse(api.ErrInvalid, "%v: its level %d is not below its parent's, %d", ref, level, above)
		}
		return nil
	})
	if errors.Is(err, cas.ErrNotFound) {
		return cas.Absent, nil
	}
	if err != nil {
		return 0, err
	}
	sizes, err := h.sizesBelow(ctx, v, page.Names(), int(page.Level))
	if err != nil {
		return 0, err
	}
	if slices.Contains(sizes, cas.Absent) {
		return cas.Absent, nil
	}
	if err := h.checkPage(ctx, v, page, sizes); err != nil {
		return 0, fmt.Errorf("%v: %w", ref, err)
	}
	sizes, err = h.look(ctx, v, h.scope(ctx), []cas.Ref{ref})
	if err != nil {
		return 0, err
	}
	return sizes[0], nil
}

// put stores chunks and pages for v. A page goes in only when all that it names is
// there and durable, so that also after a power cut a page that is there is whole, and is as the page says.
func (h *Hub) put(ctx context.Context, v cas.VolumeID, blobs []cas.Blob) error {
	if err := h.writable(); err != nil {
		return err
	}
	var chunks, pages []cas.Blob
	for _, b := range blobs {
		switch b.Ref().Kind {
		case cas.Chunk:
			if n := b.Size(); n == 0 || n > chunker.Max {
				return refuse(api.ErrInvalid, "%v has %d bytes; a chunk has 1 to %d", b.Ref(), n, chunker.Max)
			}
			chunks = append(chunks, b)
		case cas.Page:
			pages = append(pages, b)
		default:
			return refuse(api.ErrInvalid, "%v is neither a chunk nor a page", b.Ref())
		}
	}
	if len(chunks) > 0 {
		if err := h.store.Put(ctx, v, chunks); err != nil {
			return h.stopped(err)
		}
	}
	for len(pages) > 0 {
		n, err := h.putPages(ctx, v, pages)
		if err != nil {
			return err
		}
		pages = pages[n:]
	}
	return nil
}

// putPages stores the first pages, up to one that names another of them, and returns
// their number.
func (h *Hub) putPages(ctx context.Context, v cas.VolumeID, pages []cas.Blob) (int, error) {
	var names []cas.Ref
	var decoded []*manifest.Page
	batch := make(map[cas.Ref]bool)
	for n := 0; n < len(pages); n++ {
		page, err := manifest.DecodePage(pages[n].Plain())
		if err != nil {
			return 0, refuse(api.ErrInvalid, "%v: %v", pages[n].Ref(), err)
		}
		below := page.Names()
		if namesAny(below, batch) {
			break
		}
		names, decoded = append(names, below...), append(decoded, page)
		batch[pages[n].Ref()] = true
	}
	sizes, err := h.sizes(ctx, v, names)
	if err != nil {
		return 0, err
	}
	if err := incomplete("pages name", names, sizes); err != nil {
		return 0, err
	}
	for i, page := range decoded {
		n := len(page.Runs) + len(page.Children)
		if err := h.checkPage(ctx, v, page, sizes[:n]); err != nil {
			return 0, fmt.Errorf("%v: %w", pages[i].Ref(), err)
		}
		sizes = sizes[n:]
	}
	if err := h.barrier(ctx); err != nil {
		return 0, err
	}
	n := len(decoded)
	return n, h.stopped(h.store.Put(ctx, v, pages[:n]))
}

func namesAny(refs []cas.Ref, set map[cas.Ref]bool) bool {
	for _, ref := range refs {
		if set[ref] {
			return true
		}
	}
	return false
}

// incomplete returns an error when one of the refs is absent.
func incomplete(who string, refs []cas.Ref, sizes []int) error {
	var missing []cas.Ref
	for i, ref := range refs {
		if sizes[i] == cas.Absent && len(missing) < api.MaxMissing {
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &api.Error{Code: api.ErrIncomplete.Code, Missing: missing,
		Message: fmt.Sprintf("%s blobs that the hub lacks, such as %v", who, missing[0])}
}

// Blobs implements [api.Hub].
func (h *Hub) Blobs(ctx context.Context, req api.BlobsRequest, fn func(cas.Blob) error) error {
	for _, ref := range req.Refs {
		if ref.Kind != cas.Chunk && ref.Kind != cas.Page {
			return refuse(api.ErrInvalid, "%v is neither a chunk nor a page", ref)
		}
	}
	defer h.serve(ctx, req.Session, req.Volume, api.TransferringFiles)()
	began, bytes := h.now(), int64(0)
	err := h.read(ctx, req.Volume, req.Refs, func(b cas.Blob) error {
		bytes += int64(b.Size())
		return fn(b)
	})
	if err == nil && len(req.Refs) > 0 {
		h.publishDownload(req.Volume, len(req.Refs), bytes, began)
	}
	return err
}

// serve takes the session of a pull, if the request is of one, to a state until the returned
// function is called. That is information only: a session that is not there, or may not go
// to that state, is left alone.
func (h *Hub) serve(ctx context.Context, id api.SessionID, v cas.VolumeID, state api.State) (served func()) {
	if id.IsZero() || h.enter() != nil {
		return func() {}
	}
	defer h.leave()
	s, at, err := h.find(ctx, id, api.RightRead)
	if err != nil || at.id != v || s.begin(func(api.State) api.State { return state }) != nil {
		return func() {}
	}
	return s.served
}

// Nodes implements [api.Hub].
func (h *Hub) Nodes(ctx context.Context, v cas.VolumeID, ids []cas.ID, fn func(cas.Blob) error) error {
	refs := make([]cas.Ref, len(ids))
	for i, id := range ids {
		refs[i] = cas.Ref{Kind: cas.Node, ID: id}
	}
	return h.read(ctx, v, refs, fn)
}

func (h *Hub) read(ctx context.Context, v cas.VolumeID, refs []cas.Ref, fn func(cas.Blob) error) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	if _, err := h.reach(ctx, v, api.RightRead); err != nil {
		return err
	}
	if limit := h.limits.Blobs; len(refs) > limit {
		return refuse(api.ErrTooLarge, "%d blobs asked for, more than %d", len(refs), limit)
	}
	var failed error // of fn, which is none of ours
	err := h.store.Get(ctx, own(v), refs, func(b cas.Blob) error {
		failed = fn(b)
		return failed
	})
	if failed != nil {
		return failed
	}
	return wire(err)
}

// Changes implements [api.Hub].
func (h *Hub) Changes(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	return h.changes(ctx, req, h.publishChanges)
}

// changes is Changes that calls told at the end of a sequence that was taken to its end.
func (h *Hub) changes(ctx context.Context, req api.ChangesRequest, told func(cas.VolumeID, tally)) iter.Seq2[api.Change, error] {
	return func(yield func(api.Change, error) bool) {
		if err := h.enter(); err != nil {
			yield(api.Change{}, err)
			return
		}
		defer h.leave()
		defer h.serve(ctx, req.Session, req.Volume, api.RequestingMetadata)()
		from, to, err := h.rootsBetween(ctx, req)
		if err != nil {
			yield(api.Change{}, wire(err))
			return
		}
		var all tally
		for c, err := range merkle.Diff(ctx, h.nodes(req.Volume), from, to) {
			change := api.Change{Path: c.Path}
			if err == nil {
				change.Old, change.New, err = decodeBoth(c)
			}
			if !yield(change, wire(err)) || err != nil {
				return
			}
			all.add(change.New)
		}
		told(req.Volume, all)
	}
}

// rootsBetween returns the roots that a request compares, after the wait that it asks for.
func (h *Hub) rootsBetween(ctx context.Context, req api.ChangesRequest) (from, to cas.ID, err error) {
	v, err := h.reach(ctx, req.Volume, api.RightRead)
	if err != nil {
		return from, to, err
	}
	if req.To.IsZero() {
		if err := h.awaitHead(ctx, v, &req); err != nil {
			return from, to, err
		}
	}
	from = merkle.EmptyRoot()
	if !req.From.IsZero() {
		old, err := h.findSnapshot(v, req.From)
		if err != nil {
			return from, to, err
		}
		from = old.Root
	}
	head, err := h.findSnapshot(v, req.To)
	return from, head.Root, err
}

func decodeBoth(c merkle.Change) (before, after *manifest.Manifest, err error) {
	if c.Old != nil {
		if before, err = decodeEntry(c.Path, c.Old); err != nil {
			return nil, nil, err
		}
	}
	if c.New != nil {
		after, err = decodeEntry(c.Path, c.New)
	}
	return before, after, err
}
