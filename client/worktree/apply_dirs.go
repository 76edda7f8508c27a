package worktree

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"dfs/manifest"
)

// directory is what Finish does to a directory.
type directory struct {
	mode     uint16
	mtime    manifest.Time
	writable bool               // its mode was changed so that entries can be made
	made     *manifest.Manifest // not nil: what Directory was asked for, reported by Finish
}

// Finish flushes, then sets the attributes of directories, innermost first, and
// returns what was changed since the last Flush with all directories, durable
// now. On an error nothing of that is known to be durable.
func (a *Applier) Finish(ctx context.Context) ([]Applied, []Problem, error) {
	applied, problems, err := a.Flush(ctx)
	if err != nil {
		a.Abort()
		return nil, problems, err
	}
	a.mu.Lock()
	each := !syncsAll || a.mounts || len(a.touched) <= syncFew
	a.mu.Unlock()
	directories, more := a.restoreDirectories(each)
	if !each {
		if err := a.syncAll(); err != nil {
			return nil, problems, err
		}
	}
	return append(applied, directories...), append(problems, more...), nil
}

// restoreDirectories sets mode and mtime of the directories that were touched, and
// makes each durable where sync asks for it.
func (a *Applier) restoreDirectories(sync bool) (applied []Applied, problems []Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	given := true
	paths := slices.SortedFunc(maps.Keys(a.touched), compare[string, string])
	for _, path := range slices.Backward(paths) {
		known := a.touched[path]
		done, err := a.restore(path, known, sync)
		switch {
		case err == nil && known.made != nil:
			applied = append(applied, done)
		case err == nil:
		case errors.Is(err, ErrChanged) && known.made == nil: // it was removed since
		default:
			given = false
			problems = append(problems, Problem{path, a.note(path, err)})
		}
	}
	clear(a.touched)
	a.returned(given)
	return applied, problems
}

func (a *Applier) restore(path string, known *directory, sync bool) (done Applied, err error) {
	d, err := a.root.directory(path)
	if err != nil {
		return done, err
	}
	defer d.close()
	e, err := d.self()
	if err != nil {
		return done, err
	}
	if known.made != nil || known.writable {
		if mode := mixMode(e.Mode, known.mode); mode != e.Mode && a.traits.Modes {
			if err := d.setMode(mode); err != nil {
				return done, err
			}
		}
	}
	if e.Mtime != known.mtime {
		if err := d.setMtime(known.mtime); err != nil {
			return done, err
		}
	}
	if sync {
		if err := d.sync(); err != nil {
			return done, err
		}
	}
	done = Applied{Path: path, Manifest: known.made}
	done.Entry, err = d.self()
	done.Entry.Path = path
	return done, err
}

// syncDirectories makes what happened in the directories of b durable, and the
// attributes of files that were not synced one by one.
func (a *Applier) syncDirectories(b *batch) error {
	a.mu.Lock()
	mounts := a.mounts
	a.mu.Unlock()
	if syncsAll && (len(b.dirs) > syncFew || b.loose > syncFew) {
		if err := a.syncAll(); err != nil || !mounts {
			return err
		}
	}
	for path := range b.dirs {
		d, err := a.root.dir.sub(path)
		if replaced(err) {
			continue // removed since
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(a.root.name, path), err)
		}
		err = d.sync()
		d.close()
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(a.root.name, path), err)
		}
	}
	return nil
}

// syncAll makes everything on the root's file system durable.
func (a *Applier) syncAll() error {
	if err := a.root.dir.syncAll(); err != nil {
		return fmt.Errorf("file system of %s: %w", a.root.name, err)
	}
	return nil
}
