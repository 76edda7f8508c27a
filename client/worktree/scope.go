package worktree

import (
	"slices"
	"strings"

	"dfs/manifest"
)

// Scope is a set of paths of which each stands for all that lies below it, too. The nil
// Scope has every path.
type Scope struct{ paths []string } // ascending, none below another

// Scope returns the scope of a scan that is to look at paths only, which are spelled as
// their directories list them. Where what stands above a path is no directory any more, all
// below that is looked at, and in place of a file .dfsignore the directory that it is about.
// Without paths it is nil.
func (r *Root) Scope(paths []string) *Scope {
	s := new(Scope)
	for _, path := range paths {
		if parent, name := split(path); name == ignoreName {
			path = parent
		}
		top := r.standing(path)
		if top == "" {
			return nil
		}
		s.paths = append(s.paths, top)
	}
	if len(s.paths) == 0 {
		return nil
	}
	slices.SortFunc(s.paths, compare[string, string])
	kept := s.paths[:1]
	for _, path := range s.paths[1:] {
		if !within(path, kept[len(kept)-1]) {
			kept = append(kept, path)
		}
	}
	s.paths = kept
	return s
}

// standing returns path, or the outermost path above it that is no directory, or of which
// that cannot be told: the scan tells why.
func (r *Root) standing(path string) string {
	for end := range len(path) {
		if path[end] != '/' {
			continue
		}
		if e, err := r.Stat(path[:end]); err != nil || e.Kind != manifest.Directory {
			return path[:end]
		}
	}
	return path
}

// within reports whether path is top or lies below it.
func within(path, top string) bool {
	return strings.HasPrefix(path, top) && (len(path) == len(top) || path[len(top)] == '/')
}

// Covers reports whether path is in the scope.
func (s *Scope) Covers(path string) bool {
	if s == nil {
		return true
	}
	i, found := slices.BinarySearchFunc(s.paths, path, compare[string, string])
	return found || i > 0 && within(path, s.paths[i-1])
}

// inside returns the scope for what lies below the directory: nil where all of it is covered.
func (s *Scope) inside(dir string) *Scope {
	if s.Covers(dir) {
		return nil
	}
	return s
}

// names returns the names in a directory that is not covered which lead to paths of the scope, sorted.
func (s *Scope) names(dir string) (names []string) {
	i, _ := slices.BinarySearchFunc(s.paths, dir, compare[string, string])
	skip := 0
	if dir != "" {
		skip = len(dir) + 1
	}
	for _, path := range s.paths[i:] {
		if dir != "" && !within(path, dir) {
			break
		}
		name, _, _ := strings.Cut(path[skip:], "/")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}
