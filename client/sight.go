package client

import (
	"bytes"
	"fmt"
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
	dark    shadows  // unknown: unreadable, skipped or temporary
	scopes  []scope  // the rules in force, by the directories that have some
	was     shadows  // ignored when the replica was last looked at
	now     shadows  // ignored
	mounts  []string // known mount points
	mounted map[string]bool
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
	s := &sight{mounted: map[string]bool{}, marks: map[string]mark{}}
	if r.cfg.Adopt {
		return s, nil
	}
	var err error
	s.mounts, err = replica.Mounts(r.cfg.Dir)
	return s, err
}

// expected returns the known mount points as a set.
func (s *sight) expected() map[string]bool {
	set := map[string]bool{}
	for _, path := range s.mounts {
		set[path] = true
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

// look completes a spot that the base file has with what is known about the path beside
// its entry.
func (s *sight) look(p *spot) error {
	switch {
	case p.entry != nil:
	case s.dark.cover(p.path):
		p.unknown = true
	case s.unmounted(p.path):
		p.unknown = true
		p.unmounted = slices.Contains(s.mounts, p.path)
	default:
		ignored, err := s.ignores(p)
		if err != nil {
			return err
		}
		p.ignored, p.unknown = ignored, ignored
	}
	if !p.unknown || p.ignored {
		s.note(p)
	}
	return nil
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

// note compares what the base file says about ignoring the path with what is so. A
// path that was ignored, and is not in the directory, was not deleted: the base
// forgets it.
func (s *sight) note(p *spot) {
	was := s.was.cover(p.path) || p.rec.Ignored
	if p.rec.Ignored {
		s.was.add(p.path)
	}
	top := p.ignored && !s.now.cover(p.path)
	if top {
		s.now.add(p.path)
	}
	m := mark{ignored: top, forget: was && !p.ignored && p.entry == nil && p.rec.Base != nil}
	if p.entry != nil && p.entry.Unlisted { // below it all stays as it is
		return
	}
	if m.forget || m.ignored != p.rec.Ignored {
		s.marks[p.path] = m
	}
	if m.forget {
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

// settle makes what the survey found about ignored paths and mount points the
// replica's memory, after all else went well.
func (r *run) settle() error {
	if r.cfg.DryRun || r.sight == nil {
		return nil
	}
	if len(r.sight.marks) > 0 {
		if err := r.rewrite(r.sight.apply); err != nil {
			return err
		}
	}
	mounts := slices.Clone(r.sight.mounts)
	for path := range r.sight.mounted {
		if !slices.Contains(mounts, path) {
			mounts = append(mounts, path)
		}
	}
	slices.SortFunc(mounts, merkle.Compare)
	before, err := replica.Mounts(r.cfg.Dir)
	if err != nil || slices.Equal(before, mounts) {
		return err
	}
	return replica.SaveMounts(r.cfg.Dir, mounts)
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

// rules returns the replica's own patterns, with those that this run brings; unless it is a
// dry run they are kept.
func (r *run) rules() (*ignore.Rules, error) {
	data, err := replica.Excludes(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	all := replica.AddExcludes(data, r.cfg.Exclude)
	if !r.cfg.DryRun && !bytes.Equal(all, data) {
		if err := replica.SaveExcludes(r.cfg.Dir, all); err != nil {
			return nil, err
		}
	}
	return ownRules(all), nil
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
		Enter: func(path string, rules *ignore.Rules) { s.scopes = append(s.scopes, scope{path, rules}) },
	}
}
