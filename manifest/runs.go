package manifest

import (
	"context"
	"fmt"
	"iter"

	"dfs/cas"
)

// A Source reads blobs: it calls fn for each ref in order; a blob is valid until
// fn returns. A store under a scope and a hub under a volume are Sources.
type Source func(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error

// Runs yields the runs of m's content in order, reading pages as it goes: some
// megabytes of them are in memory at most. It checks that pages have the
// level, bytes and runs that their parents say, else the error is a [*cas.CorruptError]; after an error the sequence ends. A
// manifest that is no file has no runs. It is for valid manifests.
func Runs(ctx context.Context, m *Manifest, src Source) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		c := newCursor(m, src)
		var last Run
		for off := uint64(0); off < m.Size; {
			run, start, err := c.at(ctx, off)
			if err == nil && run.ID == last.ID {
				err = &cas.CorruptError{Ref: cas.Ref{Kind: cas.Page, ID: m.Pages}, Detail: fmt.Sprintf("the run at %d of %d bytes repeats the chunk before it", start, m.Size)}
			}
			if !yield(run, err) || err != nil {
				return
			}
			off, last = start+run.Bytes(), run
		}
	}
}

// maxFetch is the most pages that a cursor asks for at a time.
const maxFetch = 64

// cursor finds the runs of a content by offset. It keeps the pages from the root to
// where it stands; going on from there it reads ahead.
type cursor struct {
	src   Source
	root  cas.ID
	size  uint64
	stack []frame
}

// frame is a page on the way to where a cursor stands.
type frame struct {
	page       *Page
	start, end uint64 // the content that the page lists
	index      int    // the entry that the cursor stands in or before
	at         uint64 // where the entry begins
	fetched    []*Page
	from       int // the entry of fetched[0]
}

func newCursor(m *Manifest, src Source) *cursor {
	c := &cursor{src: src, root: m.Pages, size: m.Size}
	if m.Pages.IsZero() && len(m.Runs) > 0 {
		c.stack = append(c.stack, frame{page: &Page{Runs: m.Runs}, end: m.Size})
	}
	return c
}

// at returns the run that holds the byte at off, which is less than the content's
// size, and where the run begins.
func (c *cursor) at(ctx context.Context, off uint64) (Run, uint64, error) {
	for n := len(c.stack); n > 1 && !c.stack[n-1].holds(off); n-- {
		c.stack = c.stack[:n-1]
	}
	if len(c.stack) == 0 {
		if err := c.fetchRoot(ctx); err != nil {
			return Run{}, 0, err
		}
	}
	for {
		f := &c.stack[len(c.stack)-1]
		f.seek(off)
		if f.page.Level == 0 {
			return f.page.Runs[f.index], f.at, nil
		}
		page, err := f.child(ctx, c.src)
		if err != nil {
			return Run{}, 0, err
		}
		c.stack = append(c.stack, frame{page: page, start: f.at, at: f.at, end: f.at + f.page.Children[f.index].Bytes})
	}
}

// fetchRoot reads the root page and checks that it is the root of such a content.
func (c *cursor) fetchRoot(ctx context.Context) error {
	var root *Page
	err := fetchPages(ctx, c.src, []cas.ID{c.root}, func(_ int, p *Page) error {
		root = p
		return p.CheckRoot(c.size)
	})
	if err != nil {
		return err
	}
	c.stack = append(c.stack, frame{page: root, end: c.size})
	return nil
}

func (f *frame) holds(off uint64) bool { return f.start <= off && off < f.end }

// seek makes the entry that holds off the current one.
func (f *frame) seek(off uint64) {
	if off < f.at {
		f.index, f.at = 0, f.start
	}
	for {
		next := f.at
		if f.page.Level == 0 {
			next += f.page.Runs[f.index].Bytes()
		} else {
			next += f.page.Children[f.index].Bytes
		}
		if off < next {
			return
		}
		f.index, f.at = f.index+1, next
	}
}

// child returns the page of the current entry. Each time that it is asked to go on
// where the pages that it has end, it fetches four times as many.
func (f *frame) child(ctx context.Context, src Source) (*Page, error) {
	i := f.index - f.from
	if i >= 0 && i < len(f.fetched) {
		return f.fetched[i], nil
	}
	n := 1
	if i == len(f.fetched) {
		n = min(max(4*len(f.fetched), 1), maxFetch)
	}
	children := f.page.Children[f.index:min(f.index+n, len(f.page.Children))]
	ids := make([]cas.ID, len(children))
	for i, c := range children {
		ids[i] = c.ID
	}
	f.fetched, f.from = make([]*Page, 0, len(ids)), f.index
	err := fetchPages(ctx, src, ids, func(i int, p *Page) error {
		f.fetched = append(f.fetched, p)
		return f.page.CheckChild(f.index+i, p)
	})
	if err != nil {
		f.fetched = nil
		return nil, err
	}
	return f.fetched[0], nil
}

// fetchPages calls fn for each of the pages in order, with its number.
func fetchPages(ctx context.Context, src Source, ids []cas.ID, fn func(int, *Page) error) error {
	refs := make([]cas.Ref, len(ids))
	for i, id := range ids {
		refs[i] = cas.Ref{Kind: cas.Page, ID: id}
	}
	return fetch(ctx, src, refs, func(i int, b cas.Blob) error {
		p, err := DecodePage(b.Plain())
		if err != nil {
			return err
		}
		return fn(i, p)
	})
}

// fetch calls fn for each ref in order, with its number, and holds the source to that. An error of fn says that the blob
// is not what names it says.
func fetch(ctx context.Context, src Source, refs []cas.Ref, fn func(int, cas.Blob) error) error {
	got := 0
	err := src(ctx, refs, func(b cas.Blob) error {
		if got == len(refs) || b.Ref() != refs[got] {
			return fmt.Errorf("source gave %v, which was not asked for", b.Ref())
		}
		if err := fn(got, b); err != nil {
			return &cas.CorruptError{Ref: b.Ref(), Detail: err.Error()}
		}
		got++
		return nil
	})
	if err == nil && got < len(refs) {
		err = fmt.Errorf("source gave %d of %d blobs", got, len(refs))
	}
	return err
}
