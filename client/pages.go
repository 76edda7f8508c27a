package client

import (
	"bytes"
	"context"

	"dfs/cas"
	"dfs/manifest"
)

// pages returns a source of the pages of t's content: those that it shares with
// the file's former version are made from the index, the others come from the hub.
func (a *assembler) pages(t target) (manifest.Source, error) {
	known := map[cas.ID]cas.Blob{}
	if !t.m.Pages.IsZero() && !t.old.Empty() {
		list := manifest.NewBuilder(func(page cas.Blob) error {
			known[page.ID()] = page
			return nil
		})
		for run, err := range t.old.All() {
			if err == nil {
				err = list.Add(run)
			}
			if err != nil {
				return nil, err
			}
		}
		if err := list.Finish(new(manifest.Manifest)); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
		var ask []cas.Ref
		for _, ref := range refs {
			if _, ok := known[ref.ID]; !ok {
				ask = append(ask, ref)
			}
		}
		fetched := map[cas.ID]cas.Blob{}
		err := a.fetchPages(ctx, ask, fetched)
		for i := 0; i < len(refs) && err == nil; i++ {
			page, ok := known[refs[i].ID]
			if !ok {
				page = fetched[refs[i].ID]
			}
			err = fn(page)
		}
		return err
	}, nil
}

// fetchPages has pages come from the hub, a second time if need be.
func (a *assembler) fetchPages(ctx context.Context, refs []cas.Ref, into map[cas.ID]cas.Blob) (err error) {
	for range 2 {
		if len(refs) == 0 {
			return nil
		}
		err = a.r.conn.Blobs(ctx, a.r.blobs(refs), func(b cas.Blob) error {
			refs = refs[1:]
			into[b.ID()] = cas.Seal(cas.Page, bytes.Clone(b.Plain()))
			return nil
		})
		if !damaged(err) {
			return err
		}
	}
	return err
}
