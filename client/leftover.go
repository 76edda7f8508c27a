package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
)

// leftover takes note of a temporary entry of an interrupted pull. Only a pull, be it a sync's, clears
// it away: other commands alter nothing in the directory.
func (r *run) leftover(path string) {
	if (r.command == "pull" || r.command == "sync") && !r.cfg.DryRun {
		r.leftovers = append(r.leftovers, worktree.Leftover(path))
		return
	}
	r.result.Skipped = append(r.result.Skipped, path)
}

// tidy clears the leftovers away where there is nothing to pull.
func (r *run) tidy(ctx context.Context) error {
	if len(r.leftovers) == 0 {
		return nil
	}
	return newPuller(ctx, r).finish(nil)
}

// clear removes the leftovers whose bytes are known: only this program wrote them, or
// they are a version that the base file has of the path that they come from. Others are
// somebody's edit, and are renamed to where they will be seen.
func (p *puller) clear() error {
	if len(p.r.leftovers) == 0 {
		return nil
	}
	origins, err := p.r.origins()
	if err != nil {
		return err
	}
	w := newHasher(p.r, nil, func() {}).worker()
	defer w.close()
	for _, l := range p.r.leftovers {
		e, err := p.r.root.Stat(string(l))
		if err == nil {
			err = p.clearOne(w, l, e, origins[l])
		}
		if err != nil && p.apply.Err() == nil {
			p.r.problem(string(l), fmt.Errorf("left by an interrupted pull: %w", err))
		}
	}
	p.r.leftovers = nil
	return p.apply.Err()
}

func (p *puller) clearOne(w *worker, l worktree.Leftover, e worktree.Entry, origin []replica.Record) error {
	if e.Kind == manifest.Directory {
		if err := p.apply.RemoveLeftover(e); !errors.Is(err, worktree.ErrNotEmpty) {
			return err
		}
	}
	known := l.Ours() && e.Kind != manifest.Directory
	if !known {
		content, err := p.contentOf(w, e)
		if err != nil {
			return err
		}
		known, err = holds(origin, content)
		if err != nil {
			return err
		}
	}
	if known {
		return p.apply.RemoveLeftover(e)
	}
	path := "recovered"
	if len(origin) > 0 {
		path = origin[0].Path
	}
	kept, err := p.apply.KeepLeftover(l, path)
	if err == nil {
		p.r.problem(kept, errors.New("found where a pull was interrupted; it may be an edit that no other place has. Look at it, then move it or remove it"))
	}
	return err
}

// contentOf returns the manifest of a leftover; nil of what is neither file nor symlink.
func (p *puller) contentOf(w *worker, e worktree.Entry) (*manifest.Manifest, error) {
	switch e.Kind {
	case manifest.File:
		c, err := w.read(p.asm.parent, e, nil)
		return c.manifest, err
	case manifest.Symlink:
		return plain(&e), nil
	}
	return nil, nil
}

// origins finds the records of the base file from whose paths the leftovers come.
func (r *run) origins() (map[worktree.Leftover][]replica.Record, error) {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	found := map[worktree.Leftover][]replica.Record{}
	for {
		rec, ok, err := base.Next()
		if err != nil || !ok {
			return found, err
		}
		for _, l := range r.leftovers {
			if l.Of(rec.Path) {
				found[l] = append(found[l], replica.Record{Path: rec.Path, Base: bytes.Clone(rec.Base), Remote: bytes.Clone(rec.Remote)})
			}
		}
	}
}

// holds reports whether one of the records has content as its base or remote version.
func holds(records []replica.Record, content *manifest.Manifest) (bool, error) {
	for _, rec := range records {
		for _, value := range [][]byte{rec.Base, rec.Remote} {
			m, err := decode(value)
			if err != nil {
				return false, err
			}
			if m != nil && content != nil && manifest.SameContent(m, content) {
				return true, nil
			}
		}
	}
	return false, nil
}
