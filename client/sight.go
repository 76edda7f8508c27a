package client

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/client/worktree/ignore"
	"dfs/manifest"
	"dfs/merkle"
)

// sight is what a scan tells beside its entries, as far as it has come. It is asked
// about paths in ascending order.
type sight struct {
	dark    shadows         // unknown: unreadable, skipped or temporary
	scopes  []scope         // the rules in force, by the directories that have some
	was     shadows         // ignored when the replica was last looked at
	now     shadows         // ignored
	mounts  []string        // known mount points
	mounted map[string]bool // those that are there
	wanted  []string        // the known ones that are not ignored
	adopt   bool
	marks   map[string]mark
}

// scope is a directory with the rules that hold below it.
type scope struct {
	dir   string
	rules *ignore.Rules
}

// mark is what the base file is to be told about a path.
type mark struct {
	ignored bool
	forget  bool // the base knows the path no longer: see Record.Ignored
}

func (r *run) newSight() (*sight, error) {
	mounts, err := replica.Mounts(r.cfg.Dir)
	return &sight{mounts: mounts, wanted: slices.Clone(mounts), mounted: map[string]bool{}, marks: map[string]mark{}, adopt: r.cfg.Adopt}, err
}

// expected returns the known mount points as a set; none when what is missing is adopted.
func (s *sight) expected() map[string]bool {
	set := map[string]bool{}
	for _, path := range s.mounts {
		set[path] = !s.adopt
	}
	return set
}

// unmounted reports whether path lies where a file system was mounted that the scan, which
// has come beyond path, did not find.
func (s *sight) unmounted(path string) bool {
	return slices.ContainsFunc(s.mounts, func(m string) bool {
		return !s.mounted[m] && (path == m || below(path, m))
	})
}

// mountOf returns where the file system of path begins, "" for the root's, as far as is known.
func (s *sight) mountOf(path string) (mount string) {
	note := func(m string) {
		if len(m) > len(mount) && (path == m || below(path, m)) {
			mount = m
		}
	}
	for _, m := range s.mounts {
		note(m)
	}
	for m := range s.mounted {
		note(m)
	}
	return mount
}

// dropMounts forgets the mount points at an ignored path and below it.
func (s *sight) dropMounts(path string) {
	s.wanted = slices.DeleteFunc(s.wanted, func(m string) bool { return m == path || below(m, path) })
}

// covered reports whether path lies in a file system that was not mounted there when the
// replica was last looked at.
func (s *sight) covered(path string) bool {
	for m := range s.mounted {
		if below(path, m) && !slices.Contains(s.mounts, m) {
			return true
		}
	}
	return false
}

// look completes a spot that the base file has with what is known about the path beside
// its entry.
func (s *sight) look(p *spot) (err error) {
	switch {
	case p.entry != nil:
	case s.dark.cover(p.path):
		p.unknown = true
		return nil
	default:
		if p.ignored, err = s.ignores(p); err != nil {
			return err
		}
		p.unknown = p.ignored
	}
	forget := false
	switch {
	case p.ignored:
		s.dropMounts(p.path)
	case s.unmounted(p.path) && !s.adopt:
		p.unknown = true
		p.unmounted = slices.Contains(s.mounts, p.path)
		return nil
	default:
		forget = s.unmounted(p.path) || p.entry == nil && s.covered(p.path)
	}
	s.note(p, forget)
	return nil
}

// enter takes in a directory with rules of its own. All before it was looked at.
func (s *sight) enter(dir string, rules *ignore.Rules) {
	s.scopes = slices.DeleteFunc(s.scopes, func(c scope) bool { return c.dir != "" && !below(dir, c.dir) })
	s.scopes = append(s.scopes, scope{dir, rules})
}

// ignores reports whether the replica ignores a path that the scan did not deliver.
func (s *sight) ignores(p *spot) (bool, error) {
	if s.now.cover(p.path) {
		return true, nil
	}
	s.scopes = slices.DeleteFunc(s.scopes, func(c scope) bool {
		return c.dir != "" && merkle.Compare(c.dir, p.path) < 0 && !below(p.path, c.dir)
	})
	for i := len(s.scopes) - 1; i >= 0; i-- {
		c := s.scopes[i]
		if c.dir != "" && !below(p.path, c.dir) {
			continue // the scan is ahead
		}
		value := p.rec.Base
		if value == nil {
			value = p.rec.Remote
		}
		kind, err := manifest.KindOf(value)
		if err != nil {
			return false, fmt.Errorf("base: %q: %w", p.path, err)
		}
		by := c.rules.Decide(p.path, kind == manifest.Directory)
		return by != nil && !by.Negated, nil
	}
	return false, nil
}

// note compares what the base file says about ignoring the path with what is so. The
// base forgets a path that was ignored and is not in the directory: it was not deleted. So
// it does where forget says that the directory is another one.
func (s *sight) note(p *spot, forget bool) {
	was := s.was.cover(p.path) || p.rec.Ignored
	if p.rec.Ignored {
		s.was.add(p.path)
	}
	top := p.ignored && !s.now.cover(p.path)
	if top {
		s.now.add(p.path)
	}
	if p.entry != nil && p.entry.Unlisted { // below it all stays as it is
		return
	}
	forget = (forget || was && !p.ignored && p.entry == nil) && p.rec.Base != nil
	if forget || top != p.rec.Ignored {
		s.marks[p.path] = mark{top, forget}
	}
	if forget {
		p.rec.Base = nil
	}
}

// apply makes rec, of the base file, what the marks say.
func (s *sight) apply(rec *replica.Record) {
	m, ok := s.marks[rec.Path]
	if !ok {
		return
	}
	rec.Ignored = m.ignored
	if m.forget {
		rec.Base = nil
	}
}

// noteMounts remembers the mount points that were found, before anything that lies in
// them becomes the base: without that a missing one would look like deletions.
func (r *run) noteMounts() error { return r.saveMounts(r.sight.mounts) }

// settle makes what the survey found about ignored paths and mount points the
// replica's memory, after all else went well.
func (r *run) settle() error {
	if len(r.sight.marks) > 0 {
		if err := r.rewrite(r.sight.apply); err != nil {
			return err
		}
	}
	var kept []string
	if !r.cfg.Adopt || r.scope != nil {
		kept = r.sight.wanted
	}
	return r.saveMounts(kept)
}

// saveMounts remembers the paths, and all mount points that were found.
func (r *run) saveMounts(paths []string) error {
	paths = slices.AppendSeq(slices.Clone(paths), maps.Keys(r.sight.mounted))
	slices.SortFunc(paths, merkle.Compare)
	paths = slices.Compact(paths)
	before, err := replica.Mounts(r.cfg.Dir)
	if err != nil || slices.Equal(before, paths) {
		return err
	}
	return replica.SaveMounts(r.cfg.Dir, paths)
}

// rewrite writes the base file anew, with each record as edit leaves it.
func (r *run) rewrite(edit func(*replica.Record)) error {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer base.Close()
	w, err := replica.NewWriter(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer w.Abort()
	for {
		rec, ok, err := base.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		edit(&rec)
		if err := w.Add(rec); err != nil {
			return err
		}
	}
	if err := w.Finish(); err != nil {
		return err
	}
	return w.Commit(base.Seen)
}

// keepExcludes adds the patterns that this run brings to the replica's own; a dry run
// keeps them to itself.
func (r *run) keepExcludes() error {
	data, err := replica.Excludes(r.cfg.Dir)
	if err != nil {
		return err
	}
	r.excludes = replica.AddExcludes(data, r.cfg.Exclude)
	if r.cfg.DryRun || bytes.Equal(r.excludes, data) {
		return nil
	}
	return replica.SaveExcludes(r.cfg.Dir, r.excludes)
}

func ownRules(excludes []byte) *ignore.Rules {
	return (*ignore.Rules)(nil).WithTop(replica.Dir+"/"+replica.ExcludeName, excludes)
}

// scanOptions has what the scan tells go to the run's sight.
func (r *run) scanOptions(rules *ignore.Rules) worktree.ScanOptions {
	s := r.sight
	if rules != nil {
		s.scopes = append(s.scopes, scope{"", rules})
	}
	return worktree.ScanOptions{
		Jobs:    r.cfg.Jobs,
		Rules:   rules,
		Only:    r.scope,
		Mounted: s.expected(),
		Skip: func(path string) {
			s.dark.add(path)
			r.skip(path)
		},
		Temp:    r.leftover,
		Ignored: func(string) { r.result.Ignored++ },
		Problem: func(p worktree.Problem) {
			s.dark.add(p.Path)
			r.problem(p.Path, r.explain(p.Err))
		},
		Mount: func(path string) { s.mounted[path] = true },
		Enter: s.enter,
	}
}
