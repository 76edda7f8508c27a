package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/server/api"
)

// Resolution says which conflicts to settle, and how.
type Resolution struct {
	Names  []string // paths, patterns of paths, or IDs' beginnings: at least one
	Within string   // the directory that paths are first looked for in; "" is the replica's root
	Take   string   // ours, theirs, both or base; empty: File
	File   string   // what the path becomes, a file of this machine
}

// Resolved is what [Resolve] did.
type Resolved struct {
	Summary
	Done []api.Conflict // that are settled, as they were before
	Take string
}

// Resolve settles open conflicts of the volume of the replica at cfg.Dir, of this and of other
// replicas. The head gets what was decided; a sync or pull brings that to the directories, this
// one too. Each conflict is settled only if it still is what Resolve found.
func Resolve(ctx context.Context, cfg Config, res Resolution) (*Resolved, error) {
	r, err := openResolve(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer r.close()
	out := &Resolved{Take: res.Take}
	if res.Take == "" {
		out.Take = reconcile.TakeFile
	}
	for range maxRounds {
		var settled []ruling
		settled, err = r.resolve(ctx, res)
		for _, s := range settled {
			out.Done = append(out.Done, s.Conflict)
		}
		if !again(err, res) {
			break
		}
		if err := r.begin(ctx); err != nil {
			return nil, err
		}
	}
	var unsteady *unsteadyError
	switch {
	case errors.Is(err, api.ErrMoved):
		err = fmt.Errorf("%w. Look at it again (dfs conflicts) and then resolve it", err)
	case errors.As(err, &unsteady):
		err = fmt.Errorf("%w, %d times; nothing was settled. Resolve it again when nobody writes to it", unsteady, maxRounds)
	}
	r.leave(ctx)
	out.Summary = r.finish().Summary
	return out, err
}

// again reports whether another try may succeed: conflicts have changed, or the file was written to while it was
// read. What a file is to settle it was made for, so of a newer conflict it says nothing.
func again(err error, res Resolution) bool {
	var unsteady *unsteadyError
	return errors.Is(err, api.ErrMoved) && res.Take != "" || errors.As(err, &unsteady)
}

// openResolve is open for a directory that must be a replica.
func openResolve(ctx context.Context, cfg Config) (*run, error) {
	if !replica.Exists(cfg.Dir) {
		dir, err := filepath.Abs(cfg.Dir)
		if err != nil {
			return nil, err
		}
		return nil, (&run{cfg: Config{Dir: dir}}).noReplica()
	}
	return open(ctx, cfg, "resolve")
}

// resolve settles what is open now and named.
func (r *run) resolve(ctx context.Context, res Resolution) ([]ruling, error) {
	if err := r.absorb(ctx); err != nil {
		return nil, err
	}
	if err := r.fetch(ctx, r.session.Head, nil, nil); err != nil {
		return nil, err
	}
	r.stand(r.session.Head, replica.Seen{Snapshot: r.session.Head.Snapshot})
	open, err := r.listConflicts(ctx, api.ConflictsRequest{})
	if err != nil {
		return nil, err
	}
	names := relative(r.cfg.Dir, res.Within, res.Names)
	list, err := pick(open, r.id.Replica, res.Within, names)
	if err != nil {
		return nil, cmp.Or(r.checkSettled(ctx, open, res.Within, names), err)
	}
	rulings, err := r.rule(list, open, res)
	if err != nil {
		return nil, err
	}
	settled, err := r.settleAll(ctx, rulings)
	if r.ended {
		r.stand(r.session.Head, replica.Seen{Snapshot: r.session.Head.Snapshot})
	}
	return settled, err
}

// checkSettled says of a name that names none of the open conflicts that it is the ID of a settled one.
func (r *run) checkSettled(ctx context.Context, open []api.Conflict, within string, names []string) error {
	for _, name := range names {
		if found, _ := match(open, within, name); len(found) > 0 || !beginsID(name) {
			continue
		}
		list, err := r.listConflicts(ctx, api.ConflictsRequest{All: true, ID: name})
		if err != nil {
			return err
		}
		for _, c := range list {
			if !c.Open {
				return &UsageError{fmt.Sprintf("the conflict %s at %q is settled already%s; dfs conflicts --show %s tells more", c.ID.Short(), c.Path, taken(&c), c.ID.Short())}
			}
		}
	}
	return nil
}

// taken says how a settled conflict was settled, as far as that is known.
func taken(c *api.Conflict) string {
	if c.Take == "" {
		return ""
	}
	return " (" + c.Take + ")"
}

// rule decides conflicts, of those that are open, as the user says.
func (r *run) rule(list, open []api.Conflict, res Resolution) (all []ruling, err error) {
	if res.Take == "" && len(list) > 1 {
		return nil, &UsageError{fmt.Sprintf("a file settles one conflict, and %d are named", len(list))}
	}
	above, err := r.walls(list)
	if err != nil {
		return nil, err
	}
	if res.Take == "" {
		all, err = r.ruleFile(&list[0], res.File)
	} else {
		all, err = r.ruleVersion(list, res.Take, above)
	}
	if err != nil {
		return nil, err
	}
	return all, cmp.Or(agree(all), fits(all, above, open))
}

// ruleVersion has paths become the version that take names.
func (r *run) ruleVersion(list []api.Conflict, take string, above func(path string) string) (all []ruling, err error) {
	if err := r.fillBases(list); err != nil {
		return nil, err
	}
	for i := range list {
		if c := &list[i]; take == reconcile.TakeBase && !c.BaseKnown() {
			return nil, fmt.Errorf("%q: the hub does not know the version that both began with; take another", c.Path)
		}
	}
	for _, own := range byReplica(list) {
		all = append(all, rulings(own, reconcile.Choose(take, own, above))...)
	}
	if len(all) < len(list) {
		return nil, errors.New("no name for a copy fits into a path; take one version, or a file")
	}
	return all, nil
}

// fits refuses to put something below what the head has that is no directory, and that is not to be one.
func fits(all []ruling, above func(path string) string, open []api.Conflict) error {
	directories := map[string]bool{}
	for _, s := range all {
		directories[s.Path] = directories[s.Path] || isDirectory(s.Result)
	}
	for _, s := range all {
		if wall := above(s.Path); s.Result != nil && wall != "" && !directories[wall] {
			return &UsageError{fmt.Sprintf("%q: the hub has %q, which is no directory, so nothing can be in it; take both (a copy beside that) or theirs%s", s.Path, wall, alsoAt(wall, open))}
		}
	}
	return nil
}

// alsoAt tells which open conflict would make a wall a directory.
func alsoAt(wall string, open []api.Conflict) string {
	for _, c := range open {
		if c.Path == wall && isDirectory(c.Ours) {
			return fmt.Sprintf("; or first ours of %s, the directory that conflicts at %q", c.ID.Short(), wall)
		}
	}
	return ""
}

// agree refuses to make a path two things.
func agree(all []ruling) error {
	result := map[string]*manifest.Manifest{}
	for _, s := range all {
		other, ok := result[s.Path]
		if ok && !manifest.Equal(other, s.Result) {
			return &UsageError{fmt.Sprintf("%q cannot become what two replicas have; resolve one conflict after the other", s.Path)}
		}
		result[s.Path] = s.Result
	}
	return nil
}

// byReplica splits conflicts by their replica, each part in path order.
func byReplica(list []api.Conflict) (parts [][]api.Conflict) {
	where := map[api.ReplicaID]int{}
	for _, c := range list {
		i, ok := where[c.Replica]
		if !ok {
			i = len(parts)
			where[c.Replica] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], c)
	}
	return parts
}

// Enclosing returns the root of the replica that dir lies in, and where in it, with slashes; ok is
// false where there is none.
func Enclosing(dir string) (root, within string, ok bool, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", "", false, err
	}
	for root = abs; !replica.Exists(root); root = filepath.Dir(root) {
		if root == filepath.Dir(root) {
			return "", "", false, nil
		}
	}
	within, err = filepath.Rel(root, abs)
	if within = filepath.ToSlash(within); within == "." {
		within = ""
	}
	return root, within, err == nil, err
}
