package client

import (
	"errors"
	"fmt"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// part is a run of chunks of an output.
type part struct {
	out *output
	off int64
	run manifest.Run
}

// window is what is fetched in one request.
type window struct {
	parts map[cas.ID][]part
	refs  []cas.Ref
	count int
	bytes int64
}

func newWindow() *window { return &window{parts: map[cas.ID][]part{}} }

// fetch writes all parts of a window.
func (a *assembler) fetch(w *window) error {
	local, err := a.locate()
	if err != nil {
		return err
	}
	refs := w.refs[:0]
	copier := local.copier()
	defer copier.close()
	for _, ref := range w.refs {
		if data, ok := copier.chunk(ref.ID); ok {
			if err := a.write(w.parts[ref.ID], data); err != nil {
				return err
			}
			continue
		}
		refs = append(refs, ref)
	}
	return a.receive(w, refs)
}

// receive has the chunks come from the hub. One that does not come as it should is asked for
// once more; then the files that need it are left out.
func (a *assembler) receive(w *window, refs []cas.Ref) error {
	var again cas.Ref
	for len(refs) > 0 {
		var own error // not the hub's
		err := a.r.conn.Blobs(a.ctx, a.r.blobs(refs), func(b cas.Blob) error {
			refs = refs[1:]
			a.r.meter.chunks.Add(1)
			a.r.meter.bytesNew.Add(int64(b.Size()))
			own = a.write(w.parts[b.ID()], b.Plain())
			return own
		})
		switch {
		case err == nil:
			return nil
		case own != nil || !damaged(err):
			return err
		case refs[0] != again:
			again = refs[0]
			continue
		}
		for _, p := range w.parts[again.ID] {
			p.out.fail(fmt.Errorf("did not come whole from the hub: %w", err))
			if err := a.done(p.out); err != nil {
				return err
			}
		}
		refs = refs[1:]
	}
	return nil
}

// blobs asks for what a pull needs.
func (r *run) blobs(refs []cas.Ref) api.BlobsRequest {
	return api.BlobsRequest{Volume: r.binding.VolumeID, Refs: refs, Session: r.pulling()}
}

// damaged reports whether the hub is there and a blob is not, or is not what it should be.
func damaged(err error) bool {
	if err == nil {
		return false
	}
	var frame *api.DamageError
	return errors.Is(err, cas.ErrCorrupt) || errors.Is(err, cas.ErrNotFound) || errors.As(err, &frame)
}
