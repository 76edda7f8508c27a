package worktree

import (
	"errors"
	"fmt"
	"os"

	"dfs/client/worktree/ignore"
	"dfs/manifest"
)

const (
	ignoreName = ignore.FileName
	ignoreMax  = 16 << 20 // bytes
)

// readRules takes the directory's own file of patterns into t.rules. A directory of
// that name is none.
func (t *task) readRules(d dir) error {
	data, err := readIgnoreFile(d)
	if err != nil {
		return fmt.Errorf("%s: %w", join(t.path, ignoreName), err)
	}
	rules := t.rules.With(t.path, join(t.path, ignoreName), data)
	t.ruled = rules != t.rules
	t.rules = rules
	return nil
}

// ignores reports whether the patterns that hold in the directory ignore an entry of it.
func (t *task) ignores(path string, isDir bool) bool {
	p := t.rules.Match(path, isDir)
	return p != nil && !p.Negated
}

// readIgnoreFile returns nil where there is no such file.
func readIgnoreFile(d dir) ([]byte, error) {
	e, err := d.stat(ignoreName)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && e.Kind == manifest.Directory:
		return nil, nil
	case err != nil:
		return nil, err
	case e.Kind != manifest.File:
		return nil, errors.New("not a regular file, so what to ignore is not known")
	case e.Size > ignoreMax:
		return nil, fmt.Errorf("has %d bytes, more than %d", e.Size, ignoreMax)
	}
	h, err := d.open(ignoreName)
	if err != nil {
		return nil, err
	}
	defer h.close()
	data := make([]byte, e.Size)
	for n := 0; n < len(data); {
		m, err := h.readAt(data[n:], int64(n))
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return nil, ErrChanged
		}
		n += m
	}
	return data, nil
}

// RulesFor returns the rules that a scan which begins with rules has for path, read
// from the files of the directories above it, as far as these exist.
func (r *Root) RulesFor(path string, rules *ignore.Rules) (*ignore.Rules, error) {
	for end := range len(path) {
		if end > 0 && path[end] != '/' {
			continue
		}
		t := task{path: path[:end], rules: rules}
		d, err := r.dir.sub(t.path)
		if replaced(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		err = t.readRules(d)
		d.close()
		if err != nil {
			return nil, err
		}
		rules = t.rules
	}
	return rules, nil
}
