package client

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"dfs/cas"
	"dfs/client/merge3"
	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/server/api"
)

// minPrefix is the fewest hex digits of an ID that name a conflict.
const minPrefix = 8

// A Desk looks at the conflicts of a replica's volume. It alters nothing.
type Desk struct{ r *run }

// OpenConflicts opens the desk of the replica at cfg.Dir. It must be closed.
func OpenConflicts(ctx context.Context, cfg Config) (_ *Desk, err error) {
	cfg.DryRun = true
	r := newRun(cfg, "conflicts")
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := r.openRoot(); err != nil {
		return nil, err
	}
	if !replica.Exists(r.cfg.Dir) {
		return nil, r.noReplica()
	}
	if err := r.load(); err != nil {
		return nil, err
	}
	location := r.binding.Location
	if r.cfg.Hub != "" {
		location = r.cfg.Hub
	}
	if err := r.dial(ctx, location); err != nil {
		return nil, err
	}
	info, err := r.conn.Info(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("hub %s: %w", location, err)
	}
	return &Desk{r}, r.checkHub(info.HubID)
}

// noReplica refuses a directory that is none.
func (r *run) noReplica() error {
	return &UsageError{fmt.Sprintf("%s is not a replica yet; to make it one: dfs push %s", r.cfg.Dir, shellWord(r.cfg.Dir))}
}

// Close releases the desk.
func (d *Desk) Close() { d.r.close() }

// Own returns the replica's ID, by which its own conflicts are known.
func (d *Desk) Own() api.ReplicaID { return d.r.id.Replica }

// List yields the open conflicts of all replicas, by path and time, and with all the settled ones, as the hub
// tells them. After an error the sequence ends.
func (d *Desk) List(ctx context.Context, all bool) iter.Seq2[api.Conflict, error] {
	return d.r.conflicts(ctx, api.ConflictsRequest{All: all})
}

// Find returns the conflict, open or settled, that a prefix of its ID names. A base that the hub does not know
// is the replica's, where that has it. The error is of usage where none or several are named.
func (d *Desk) Find(ctx context.Context, prefix string) (api.Conflict, error) {
	var found []api.Conflict
	if beginsID(prefix) {
		var err error
		if found, err = d.r.listConflicts(ctx, api.ConflictsRequest{All: true, ID: prefix}); err != nil {
			return api.Conflict{}, err
		}
	}
	switch {
	case len(found) == 0:
		return api.Conflict{}, &UsageError{fmt.Sprintf("no conflict has an ID that begins with %q (give at least %d digits); dfs conflicts --all lists them", prefix, minPrefix)}
	case len(found) > 1:
		return api.Conflict{}, &UsageError{fmt.Sprintf("%d conflicts have an ID that begins with %q; give more digits", len(found), prefix)}
	}
	return found[0], d.r.fillBases(found)
}

// Diff returns what leads from the head's version of a conflict to the replica's, as a unified
// diff. ok is false where they are not both texts.
func (d *Desk) Diff(ctx context.Context, c *api.Conflict) (diff []byte, ok bool, err error) {
	theirs, ok, err := d.r.text(ctx, c.Theirs)
	if err != nil || !ok {
		return nil, false, err
	}
	ours, ok, err := d.r.text(ctx, c.Ours)
	if err != nil || !ok {
		return nil, false, err
	}
	return merge3.Unified(c.Path+" (theirs)", c.Path+" (ours)", theirs, ours), true, nil
}

// Open returns the content of a version of a conflict that [Desk.Find] returned: base, ours or theirs. It is
// fetched as it is read, about a megabyte at a time, and checked. The reader ends with ctx and the desk.
// The error says what the version is where that is no file.
func (d *Desk) Open(ctx context.Context, c *api.Conflict, version string) (*manifest.Reader, error) {
	m, absent := c.Theirs, "the hub deleted it"
	switch {
	case version == reconcile.TakeBase && !c.BaseKnown():
		return nil, fmt.Errorf("%q, base: the hub does not know the version that both began with", c.Path)
	case version == reconcile.TakeBase:
		m, absent = c.Base, "nothing was there"
	case version == reconcile.TakeOurs:
		m = c.Ours
	case c.From.IsZero():
		absent = "the hub has nothing there"
	}
	switch {
	case m == nil:
		return nil, fmt.Errorf("%q, %s: %s: there is nothing to write", c.Path, version, absent)
	case m.Kind == manifest.Symlink:
		return nil, fmt.Errorf("%q, %s: a symlink to %q, which is no file", c.Path, version, m.Target)
	case m.Kind != manifest.File:
		return nil, fmt.Errorf("%q, %s: a %v, which is no file", c.Path, version, m.Kind)
	}
	return manifest.Open(ctx, m, d.r.source)
}

// conflicts yields those conflicts of the volume that a request asks for, by path and time.
func (r *run) conflicts(ctx context.Context, req api.ConflictsRequest) iter.Seq2[api.Conflict, error] {
	req.Volume = r.binding.VolumeID
	return func(yield func(api.Conflict, error) bool) {
		for c, err := range r.conn.Conflicts(ctx, req) {
			switch {
			case err != nil:
				err = fmt.Errorf("conflicts of the volume %q: %w", r.binding.Volume, err)
			case c.Ours == nil:
				err = fmt.Errorf("conflict %s at %q: the hub's record lacks the replica's version", c.ID.Short(), c.Path)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// listConflicts returns what conflicts yields.
func (r *run) listConflicts(ctx context.Context, req api.ConflictsRequest) ([]api.Conflict, error) {
	var list []api.Conflict
	for c, err := range r.conflicts(ctx, req) {
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// beginsID reports whether what a user gave is enough to name a conflict by its ID.
func beginsID(prefix string) bool {
	return len(prefix) >= minPrefix && len(prefix) <= hex.EncodedLen(len(cas.ID{})) && strings.Trim(prefix, "0123456789abcdef") == ""
}

// byPrefix returns the conflicts with an ID that begins with so many hex digits.
func byPrefix(list []api.Conflict, prefix string) (found []api.Conflict) {
	if !beginsID(prefix) {
		return nil
	}
	for _, c := range list {
		if strings.HasPrefix(hex.EncodeToString(c.ID[:]), prefix) {
			found = append(found, c)
		}
	}
	return found
}

// pick returns the conflicts that the arguments name, in the order of the list: each is a path, a
// pattern of paths (what path.Match takes), or the beginning of an ID. What is a path is no
// pattern, and a path that is matched stands for what is below it too. Paths are looked for below the
// directory within first. Where several replicas have a conflict at a path that no ID names, it is
// the replica own's.
func pick(list []api.Conflict, own api.ReplicaID, within string, args []string) ([]api.Conflict, error) {
	chosen := map[int]bool{}
	for _, arg := range args {
		found, exact := match(list, within, arg)
		if len(found) == 0 {
			return nil, &UsageError{fmt.Sprintf("no open conflict at %q; dfs conflicts lists them", arg)}
		}
		if !exact {
			var err error
			if found, err = prefer(list, found, own, arg); err != nil {
				return nil, err
			}
		}
		for _, i := range found {
			chosen[i] = true
		}
	}
	var out []api.Conflict
	for i, c := range list {
		if chosen[i] {
			out = append(out, c)
		}
	}
	return out, nil
}

// match returns the indexes of the conflicts that arg names. exact says that it names them by an ID.
func match(list []api.Conflict, within, arg string) (found []int, exact bool) {
	for _, covers := range []func(name, p string) bool{includes, matches} {
		for _, name := range namesOf(within, arg) {
			for i, c := range list {
				if covers(name, c.Path) {
					found = append(found, i)
				}
			}
			if len(found) > 0 {
				return found, false
			}
		}
	}
	for _, c := range byPrefix(list, arg) {
		for i := range list {
			if list[i].ID == c.ID {
				found = append(found, i)
			}
		}
	}
	return found, true
}

// namesOf returns what arg can mean: first in the directory within, then in the root. "." is where it is said.
func namesOf(within, arg string) []string {
	names := []string{path.Join(within, arg)}
	if name := path.Clean(arg); within != "" && name != "." {
		names = append(names, name)
	}
	return names
}

// relative has absolute paths below root begin in the directory within, as the others do.
func relative(root, within string, args []string) []string {
	out := slices.Clone(args)
	for i, arg := range args {
		if !filepath.IsAbs(arg) {
			continue
		}
		if rel, err := filepath.Rel(root, arg); err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if rel, err := filepath.Rel(filepath.Join(root, within), arg); err == nil {
			out[i] = filepath.ToSlash(rel)
		}
	}
	return out
}

// includes reports whether name is a path or a directory above it; "." is the root.
func includes(name, p string) bool { return name == "." || name == p || below(p, name) }

// matches reports whether a path, or a directory above it, matches name as a pattern.
func matches(name, p string) bool {
	for ; p != "."; p = path.Dir(p) {
		if ok, err := path.Match(name, p); ok && err == nil {
			return true
		}
	}
	return false
}

// prefer leaves one conflict of found at each path: the only one, or else that of the replica own.
func prefer(list []api.Conflict, found []int, own api.ReplicaID, arg string) ([]int, error) {
	at := map[string][]int{}
	for _, i := range found {
		at[list[i].Path] = append(at[list[i].Path], i)
	}
	var out []int
	for _, i := range found {
		same := at[list[i].Path]
		if len(same) == 1 || list[i].Replica == own {
			out = append(out, i)
			continue
		}
		if slices.ContainsFunc(same, func(i int) bool { return list[i].Replica == own }) {
			continue
		}
		var ids []string
		for _, i := range same {
			ids = append(ids, list[i].ID.Short()+" from "+list[i].Client)
		}
		return nil, &UsageError{fmt.Sprintf("%q names conflicts of several replicas at %q; give the ID of one: %s", arg, list[i].Path, strings.Join(ids, ", "))}
	}
	return out, nil
}
