package worktree

import (
	"errors"
	"os"
	"slices"
	"strings"

	"dfs/manifest"
)

const (
	listBuffer = 128 << 10
	sliceLen   = 256 // entries of one task
	manyNames  = 64 << 10
)

// reader does tasks, one at a time; it owns the working space for that.
type reader struct {
	root    dir
	mounted map[string]bool
	buf     []byte
	text    []byte   // the names of a directory, each with a NUL
	names   []string // the same, sorted
}

func newReader(root dir, mounted map[string]bool) *reader {
	return &reader{root: root, mounted: mounted, buf: make([]byte, listBuffer)}
}

// do fills in t's result.
func (r *reader) do(t *task) {
	d, err := r.root.sub(t.path)
	if err != nil {
		r.unreadable(t, err)
		return
	}
	defer d.close()
	if t.names != nil {
		r.look(d, t, t.names)
		return
	}
	names, err := r.namesOf(d, t)
	if err != nil {
		r.unreadable(t, err) // a directory that was removed since lists as not there
		return
	}
	limited := t.only != nil // what is there is not known by the names
	if i, found := slices.BinarySearch(names, stateName); found || limited {
		if e, err := d.stat(stateName); t.path != "" && err == nil && e.Kind == manifest.Directory {
			t.nested = true
			return
		}
		if t.path == "" && found {
			names = slices.Delete(names, i, i+1)
		}
	}
	if _, found := slices.BinarySearch(names, ignoreName); found || limited {
		if err := t.readRules(d); err != nil {
			t.err = err
			return
		}
	}
	first := names[:min(len(names), sliceLen)]
	t.divide(names[len(first):])
	r.look(d, t, first)
}

// namesOf returns the names in d to look at, sorted.
func (r *reader) namesOf(d dir, t *task) ([]string, error) {
	if t.only != nil {
		return t.only.names(t.path), nil
	}
	if err := r.list(d); err != nil {
		return nil, err
	}
	return r.take(), nil
}

func (r *reader) unreadable(t *task, err error) {
	switch {
	case errors.Is(err, os.ErrNotExist) && t.path != "":
		t.vanished = true
	case t.names == nil:
		t.err = err
	default:
		for i, name := range t.names {
			t.entries = append(t.entries, Entry{Path: join(t.path, name)})
			t.odd = append(t.odd, odd{at: i, err: err})
		}
	}
}

// list reads the names in d, sorted, into r.names. It lasts until the next list, unless
// there are many: then it is who takes them's to keep.
func (r *reader) list(d dir) error {
	r.text, r.names = r.text[:0], r.names[:0]
	count := 0
	err := d.list(r.buf, func(name []byte) {
		r.text = append(append(r.text, name...), 0)
		count++
	})
	if err != nil {
		return err
	}
	text := string(r.text)
	if count > manyNames {
		r.text, r.names = nil, nil
	}
	r.names = slices.Grow(r.names, count)
	for len(text) > 0 {
		name, rest, _ := strings.Cut(text, "\x00")
		r.names, text = append(r.names, name), rest
	}
	slices.Sort(r.names)
	r.names = slices.Compact(r.names) // a directory that changes meanwhile can list a name twice
	return nil
}

// divide leaves names, which it keeps, to further tasks.
func (t *task) divide(names []string) {
	for part := range slices.Chunk(names, sliceLen) {
		t.more = append(t.more, &task{path: t.path, first: join(t.path, part[0]), names: part, dev: t.dev, rules: t.rules, only: t.only})
	}
}

// take returns the names that list has read, for keeping where they are more than one task's.
func (r *reader) take() []string {
	names := r.names
	if len(names) > manyNames {
		r.names = nil
	} else if len(names) > sliceLen {
		names = slices.Clone(names)
	}
	return names
}

// look fills in the entries of t with what stands at names in d.
func (r *reader) look(d dir, t *task, names []string) {
	t.entries = make([]Entry, 0, len(names))
	size := 0
	for _, name := range names {
		size += len(t.path) + 1 + len(name)
	}
	var paths strings.Builder // one allocation for all of them
	paths.Grow(size)
	for _, name := range names {
		begin := paths.Len()
		if t.path != "" {
			paths.WriteString(t.path)
			paths.WriteByte('/')
		}
		paths.WriteString(name)
		r.lookAt(d, t, name, paths.String()[begin:])
	}
	t.names = nil
}

func (r *reader) lookAt(d dir, t *task, name, path string) {
	at := len(t.entries)
	e, err := d.stat(name)
	e.Path = path
	isDir := e.Kind == manifest.Directory
	switch {
	case errors.Is(err, os.ErrNotExist):
		return
	case err != nil:
		t.odd = append(t.odd, odd{at: at, err: err})
	case isTemp(name):
		t.odd = append(t.odd, odd{at: at, temp: true})
	case t.ignores(path, isDir):
		t.odd = append(t.odd, odd{at: at, ignored: true})
	case e.Kind == 0 || isState(name):
		t.odd = append(t.odd, odd{at: at})
	case len(path) > maxPath:
		t.odd = append(t.odd, odd{at: at, err: ErrPathTooLong})
	case isDir && e.Dev == t.dev && r.mounted[path]:
		t.odd = append(t.odd, odd{at: at, err: ErrNotMounted})
	case isDir:
		t.dirs = append(t.dirs, &task{path: path, first: path, dev: e.Dev, above: t.dev, rules: t.rules, only: t.only.inside(path)})
	}
	t.entries = append(t.entries, e)
}
