package api

import (
	"slices"
	"strings"

	"dfs/manifest"
)

// A Standing is what stands at a path of a tree, as far as that matters to what lies below it.
type Standing uint8

// The standings.
const (
	Absent Standing = iota
	IsDirectory
	NotDirectory // a file or a symlink
)

// StandingOf returns the standing of a path with that manifest; nil is absent.
func StandingOf(m *manifest.Manifest) Standing {
	switch {
	case m == nil:
		return Absent
	case m.Kind == manifest.Directory:
		return IsDirectory
	}
	return NotDirectory
}

// A Way is what stands on the way from the root to a path of a tree, while its paths are gone through
// in ascending order. It holds the rule of trees, for hub and client alike: the parent of every entry is a
// directory. What is not noted is taken for a directory. The zero Way is at the root.
type Way[T any] struct{ steps []Step[T] }

// A Step is an entry on a Way, with what its user has to remember of it.
type Step[T any] struct {
	Path     string
	Standing Standing
	Of       T
}

// Reach goes to path, which is not before the one of the last call: what path is not below is left.
func (w *Way[T]) Reach(path string) {
	n := len(w.steps)
	for n > 0 && !below(path, w.steps[n-1].Path) {
		n--
	}
	clear(w.steps[n:])
	w.steps = w.steps[:n]
}

// Note takes in what stands at the path that was reached, or above it, unless that is noted already.
func (w *Way[T]) Note(s Step[T]) {
	i, noted := slices.BinarySearchFunc(w.steps, s.Path, func(s Step[T], path string) int { return len(s.Path) - len(path) })
	if !noted {
		w.steps = slices.Insert(w.steps, i, s)
	}
}

// Steps returns what is noted, outermost first. The caller may change it, but for the paths, until the next
// call of a method.
func (w *Way[T]) Steps() []Step[T] { return w.steps }

// Parents tells how an entry that is new at the path reached gets a directory for its parent: what
// is absent above it, outermost first, has to become a directory. ok is false where something else stands above
// it: then it cannot be. The caller may change what is returned, as with Steps.
func (w *Way[T]) Parents() (absent []*Step[T], ok bool) {
	for i := range w.steps {
		switch s := &w.steps[i]; s.Standing {
		case NotDirectory:
			return nil, false
		case Absent:
			absent = append(absent, s)
		}
	}
	return absent, true
}

// below reports whether path lies below dir.
func below(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
}
