package server

import (
	"context"
	"fmt"
	"path"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// aside returns the edits that leave the path of a conflict to the head's version and put the replica's in a file beside
// it, or beside what stands in its way above. Where the head has nothing, the path itself is free.
func (s *server) aside(ctx context.Context, volume cas.VolumeID, c *api.Conflict) ([]api.Edit, error) {
	if c.Ours.Kind == manifest.Directory {
		return nil, invalid(api.ErrInvalid, "conflict %v: %q is a directory, which goes aside with the conflicts in it: dfs resolve --take both does so", c.ID, c.Path)
	}
	head, err := s.hub.Snapshot(ctx, volume, cas.ID{})
	if err != nil {
		return nil, err
	}
	tree := merkle.NewCursor(ctx, nodeSource{s.hub, volume}, head.Record.Root)
	where := c.Path
	if c.Theirs == nil {
		wall, err := wallAbove(tree, c.Path)
		if err != nil {
			return nil, err
		}
		if wall == "" {
			return []api.Edit{{Path: c.Path, New: c.Ours}}, nil
		}
		where = path.Join(path.Dir(wall), path.Base(c.Path))
	}
	name, ok := api.CopyName(where, c)
	if !ok {
		return nil, invalid(api.ErrInvalid, "conflict %v at %q: no name for a copy fits into a path", c.ID, c.Path)
	}
	there, err := entry(tree, name)
	switch {
	case err != nil:
		return nil, err
	case there == nil:
		return []api.Edit{{Path: name, New: c.Ours}}, nil
	case !manifest.SameContent(there, c.Ours):
		return nil, invalid(api.ErrExists, "conflict %v at %q: %q is there already", c.ID, c.Path, name)
	}
	return nil, nil // somebody has made the copy
}

// wallAbove returns the path above name of what is no directory; "" where there is none.
func wallAbove(tree *merkle.Cursor, name string) (string, error) {
	for i := range name {
		if name[i] != '/' {
			continue
		}
		m, err := entry(tree, name[:i])
		if err != nil || m != nil && m.Kind != manifest.Directory {
			return name[:i], err
		}
	}
	return "", nil
}

// entry returns what a tree has at a path; nil: nothing.
func entry(tree *merkle.Cursor, name string) (*manifest.Manifest, error) {
	value, ok, err := tree.Get(name)
	if err != nil || !ok {
		return nil, err
	}
	m, err := manifest.Decode(value)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return m, nil
}
