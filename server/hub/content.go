package hub

import (
	"context"
	"fmt"
	"slices"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// lookup appends the blobs that the edits of part n name and the hub lacks to
// missing, up to its bound, and refuses edits that are not true of those that it has. It looks
// only at what was not there when the part was staged: the rest was true then.
func (c *commit) lookup(ctx context.Context, n int, edits []api.Edit, missing []cas.Ref) ([]cas.Ref, error) {
	refs := api.EditNames(edits)
	p := c.s.part(n)
	known := n < c.req.Parts && len(p.lacking) == len(refs)
	var ask []cas.Ref
	for i, ref := range refs {
		if !known || p.lacking[i] {
			ask = append(ask, ref)
		}
	}
	got, err := c.h.sizes(ctx, c.v.id, ask)
	if err != nil {
		return nil, err
	}
	sizes := make([]int, len(refs))
	for i, ref := range refs {
		sizes[i] = cas.Absent
		if known && !p.lacking[i] {
			continue
		}
		sizes[i], got = got[0], got[1:]
		if sizes[i] == cas.Absent && len(missing) < api.MaxMissing && !slices.Contains(missing, ref) {
			missing = append(missing, ref)
		}
	}
	if err := c.h.checkContents(ctx, c.v.id, edits, sizes); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return missing, nil
}

// checkContents refuses edits whose manifests are not true of the blobs that they name. sizes are those of
// what [api.EditNames] lists; what is absent is not looked at. A page that v has is true itself, with
// all below it, so of a content in pages only the root is read.
func (h *Hub) checkContents(ctx context.Context, v cas.VolumeID, edits []api.Edit, sizes []int) error {
	var paged []api.Edit
	var roots []cas.Ref
	for _, e := range edits {
		if e.New == nil {
			continue
		}
		n := len(e.New.Runs)
		if err := checkRuns(e.New.Runs, sizes[:n]); err != nil {
			return fmt.Errorf("edit of %q: %w", e.Path, err)
		}
		sizes = sizes[n:]
		if e.New.Pages.IsZero() {
			continue
		}
		if sizes[0] != cas.Absent {
			paged, roots = append(paged, e), append(roots, cas.Ref{Kind: cas.Page, ID: e.New.Pages})
		}
		sizes = sizes[1:]
	}
	return h.pages(ctx, own(v), roots, func(i int, root *manifest.Page) error {
		if err := root.CheckRoot(paged[i].New.Size); err != nil {
			return refuse(api.ErrInvalid, "edit of %q: %v: %v", paged[i].Path, roots[i], err)
		}
		return nil
	})
}

// checkPage refuses a page that is not true of what it names, which is v's own: its chunks have these sizes, and
// its pages are true themselves.
func (h *Hub) checkPage(ctx context.Context, v cas.VolumeID, page *manifest.Page, sizes []int) error {
	if page.Level == 0 {
		return checkRuns(page.Runs, sizes)
	}
	names := page.Names()
	var last cas.ID // chunk of the child before
	return h.pages(ctx, own(v), names, func(i int, child *manifest.Page) error {
		if err := page.CheckChild(i, child); err != nil {
			return refuse(api.ErrInvalid, "%v: %v", names[i], err)
		}
		first, err := h.edge(ctx, v, child, false)
		if err != nil {
			return err
		}
		if first == last {
			return refuse(api.ErrInvalid, "%v: begins with the chunk that the page before it ends with", names[i])
		}
		last, err = h.edge(ctx, v, child, true)
		return err
	})
}

// edge returns the first or the last chunk that a page of v's lists, itself or by its pages.
func (h *Hub) edge(ctx context.Context, v cas.VolumeID, page *manifest.Page, last bool) (cas.ID, error) {
	for {
		names, at := page.Names(), 0
		if last {
			at = len(names) - 1
		}
		if page.Level == 0 {
			return names[at].ID, nil
		}
		err := h.pages(ctx, own(v), names[at:at+1], func(_ int, child *manifest.Page) error {
			page = child
			return nil
		})
		if err != nil {
			return cas.ID{}, err
		}
	}
}

// checkRuns refuses runs whose chunks are there with other sizes.
func checkRuns(runs []manifest.Run, sizes []int) error {
	for i, run := range runs {
		if size := sizes[i]; size != cas.Absent && size != int(run.Size) {
			return refuse(api.ErrInvalid, "%v has %d bytes, not %d", cas.Ref{Kind: cas.Chunk, ID: run.ID}, size, run.Size)
		}
	}
	return nil
}

// pages calls fn for each of the pages in order, with its number.
func (h *Hub) pages(ctx context.Context, scope cas.Scope, refs []cas.Ref, fn func(int, *manifest.Page) error) error {
	i := 0
	return h.store.Get(ctx, scope, refs, func(b cas.Blob) error {
		page, err := manifest.DecodePage(b.Plain())
		if err != nil {
			return fmt.Errorf("%v: %w", refs[i], err)
		}
		i++
		return fn(i-1, page)
	})
}
