package hub

import (
	"context"
	"fmt"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// Diff implements [api.Hub].
func (h *Hub) Diff(ctx context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
	if err := h.enter(); err != nil {
		return api.DiffAnswer{}, err
	}
	defer h.leave()
	answer, err := h.diff(ctx, &req)
	return answer, wire(err)
}

func (h *Hub) diff(ctx context.Context, req *api.DiffRequest) (api.DiffAnswer, error) {
	s, v, err := h.find(ctx, req.Session, api.RightWrite)
	if err != nil {
		return api.DiffAnswer{}, err
	}
	asks := len(req.Edits) == 0 && len(req.Ask) > 0
	if err := s.begin(func(from api.State) api.State { return afterDiff(from, asks) }); err != nil {
		return api.DiffAnswer{}, err
	}
	defer s.done()
	if err := h.writable(); err != nil {
		return api.DiffAnswer{}, err
	}
	raw, err := h.encodePart(req)
	if err != nil {
		return api.DiffAnswer{}, err
	}
	added, err := h.admitStaged(ctx, s, v, addition{part: req.Part, usage: addedBy(req.Edits)})
	if err != nil {
		return api.DiffAnswer{}, err
	}
	defer added()
	sizes, err := h.sizes(ctx, v.id, req.Names())
	if err != nil {
		return api.DiffAnswer{}, err
	}
	if err := h.checkContents(ctx, v.id, req.Edits, sizes); err != nil {
		return api.DiffAnswer{}, fmt.Errorf("part %d: %w", req.Part, err)
	}
	missing := absent(sizes)
	conflicts, err := h.conflictsSoFar(ctx, s, v, req.Edits)
	if err != nil {
		return api.DiffAnswer{}, err
	}
	lacking := missing[:len(missing)-len(req.Ask)]
	if err := h.stagePart(s, req, raw, lacking); err != nil {
		return api.DiffAnswer{}, err
	}
	s.publishNamed(missing)
	return api.DiffAnswer{Missing: missing, Conflicts: conflicts}, nil
}

func absent(sizes []int) []bool {
	missing := make([]bool, len(sizes))
	for i, size := range sizes {
		missing[i] = size == cas.Absent
	}
	return missing
}

// encodePart returns a part's binary form without what it asks beside its edits, after
// checking all that can be checked of a part alone.
func (h *Hub) encodePart(req *api.DiffRequest) ([]byte, error) {
	limits := h.limits
	switch {
	case req.Part < 0 || req.Part >= limits.Parts:
		return nil, refuse(api.ErrTooLarge, "part %d is not below %d", req.Part, limits.Parts)
	case len(req.Ask) > limits.Blobs:
		return nil, refuse(api.ErrTooLarge, "part %d asks for %d blobs, more than %d", req.Part, len(req.Ask), limits.Blobs)
	}
	if err := checkEdits("part", req.Edits, limits.Edits); err != nil {
		return nil, err
	}
	raw, err := (&api.DiffRequest{Session: req.Session, Part: req.Part, Edits: req.Edits}).Append(nil)
	if err != nil {
		return nil, refuse(api.ErrInvalid, "part %d: %v", req.Part, err)
	}
	if int64(len(raw)) > limits.Part {
		return nil, refuse(api.ErrTooLarge, "part %d has %d bytes, more than %d", req.Part, len(raw), limits.Part)
	}
	return raw, nil
}

// checkEdits refuses edits that are too many, not in order, or not valid.
func checkEdits(what string, edits []api.Edit, limit int) error {
	if len(edits) > limit {
		return refuse(api.ErrTooLarge, "%s: %d edits, more than %d", what, len(edits), limit)
	}
	for i, e := range edits {
		if i > 0 && merkle.Compare(edits[i-1].Path, e.Path) >= 0 {
			return refuse(api.ErrInvalid, "%s: edit of %q does not come after %q", what, e.Path, edits[i-1].Path)
		}
		if err := checkEdit(e); err != nil {
			return refuse(api.ErrInvalid, "%s: edit of %q: %v", what, e.Path, err)
		}
	}
	return nil
}

func checkEdit(e api.Edit) error {
	if err := manifest.CheckPath(e.Path); err != nil || e.New == nil {
		return err
	}
	if len(e.New.Ext) == 0 {
		return e.New.Validate()
	}
	_, err := e.New.Encode() // which also bounds the attributes
	return err
}

// conflictsSoFar returns the paths of the edits that conflict with the head, path by
// path. Whether the tree stays a tree is seen at the commit, with all edits.
func (h *Hub) conflictsSoFar(ctx context.Context, s *session, v *volume, edits []api.Edit) ([]string, error) {
	seen, err := h.rootsOf(v.id, s.seen())
	if err != nil {
		return nil, err
	}
	d := newDecider(ctx, h.nodes(v.id), h.headOf(v).Root, seen)
	if d.news, err = h.newsOf(s); err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range edits {
		dec, err := d.merge(e)
		if err != nil {
			return nil, err
		}
		if dec.fate == conflicted {
			paths = append(paths, e.Path)
		}
	}
	return paths, nil
}

// stagePart keeps a part, durably, in place of the former of its number. A request that
// only asks stages nothing.
func (h *Hub) stagePart(s *session, req *api.DiffRequest, raw []byte, lacking []bool) error {
	s.stage.Lock()
	defer s.stage.Unlock()
	rec, stored := s.record()
	if ended(rec.State) {
		return refuse(api.ErrNoSession, "session %v has ended; start again", s.id)
	}
	if len(req.Edits) == 0 && len(req.Ask) > 0 {
		return nil
	}
	if err := h.room(); err != nil {
		return err
	}
	old := s.part(req.Part)
	writes := slicesOf(partKey(s.id, req.Part), raw)
	n := len(writes)
	if old != nil {
		for i := n; i < old.slices; i++ {
			writes = append(writes, kv{key: sliceKey(partKey(s.id, req.Part), i)})
		}
	}
	if !stored {
		w, err := put(slotKey(s.slot), rec)
		if err != nil {
			return err
		}
		writes = append(writes, w)
	}
	if err := h.meta.write(writes...); err != nil {
		return err
	}
	s.track(req.Part, &part{slices: n, adds: addedBy(req.Edits), lacking: lacking})
	return nil
}

// loadPart returns the edits of a staged part.
func (h *Hub) loadPart(id api.SessionID, n int) ([]api.Edit, error) {
	raw, err := h.meta.getSlices(partKey(id, n))
	if err != nil {
		return nil, err
	}
	req, err := api.DecodeDiffRequest(raw)
	if err != nil {
		return nil, err
	}
	return req.Edits, nil
}

// Upload implements [api.Hub].
func (h *Hub) Upload(ctx context.Context, id api.SessionID, blobs []cas.Blob) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	return wire(h.upload(ctx, id, blobs))
}

func (h *Hub) upload(ctx context.Context, id api.SessionID, blobs []cas.Blob) error {
	s, v, err := h.find(ctx, id, api.RightWrite)
	if err != nil {
		return err
	}
	if err := s.begin(func(api.State) api.State { return api.TransferringFiles }); err != nil {
		return err
	}
	defer s.done()
	if err := h.keep(s); err != nil {
		return err
	}
	added, err := h.admitStaged(ctx, s, v, addition{part: noPart, bytes: sizeOf(blobs)})
	if err != nil {
		return err
	}
	defer added()
	s.publishUpload(len(blobs))
	if err := h.put(ctx, v.id, blobs); err != nil {
		return err
	}
	s.progress(blobs)
	return nil
}

// keep stores the session, so that a client that uploads finds it after a crash of the hub.
func (h *Hub) keep(s *session) error {
	if _, stored := s.record(); stored {
		return nil
	}
	s.stage.Lock()
	defer s.stage.Unlock()
	rec, stored := s.record()
	if stored || ended(rec.State) {
		return nil
	}
	w, err := put(slotKey(s.slot), rec)
	if err != nil {
		return err
	}
	if err := h.meta.write(w); err != nil {
		return err
	}
	s.kept()
	return nil
}
