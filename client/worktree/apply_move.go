package worktree

import (
	"errors"
	"fmt"
	"os"

	"dfs/manifest"
)

var errLinked = fmt.Errorf("%w: it has other names", ErrChanged)

// Onward has the file that stands at from, once a change replaces or removes it, not be
// removed but take the place of expect at path, with the attributes of m, whose content it has. It
// is the same file then, whose bytes nobody has read. What in turn stands at path can go
// onward likewise.
//
// It is to be called before the change at from is made, which does not depend on it: where path
// can not be changed, or what stood at from turns out to have other names, the file is removed as if
// Onward had not been called, and path is among [Applier.Stranded]. Else the change at path
// is Applied, after that at from.
func (a *Applier) Onward(from, path string, m *manifest.Manifest, expect *Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.onward == nil {
		a.onward = map[string]onward{}
	}
	a.onward[from] = onward{path, m, expect}
}

// onward is what a file that stood elsewhere is to become.
type onward struct {
	path   string
	m      *manifest.Manifest
	expect *Entry
}

// Stranded returns, once, the paths that Onward was called with and no file has come to.
func (a *Applier) Stranded() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	paths := a.stranded
	for _, o := range a.onward {
		paths = append(paths, o.path)
	}
	a.stranded, a.onward = nil, nil
	return paths
}

// goesOn reports whether what stands at path is to go onward.
func (a *Applier) goesOn(path string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.onward[path]
	return ok
}

// next returns where what stood at path goes; nil: nowhere.
func (a *Applier) next(path string) *staged {
	a.mu.Lock()
	defer a.mu.Unlock()
	o, ok := a.onward[path]
	if !ok {
		return nil
	}
	delete(a.onward, path)
	return &staged{path: o.path, m: o.m, expect: o.expect}
}

func (a *Applier) strand(s *staged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stranded = append(a.stranded, s.path)
}

// pass has e, which stood at path, was looked at and lies at temp in d, go onward, and
// what comes out there, and so on. What goes nowhere is removed.
func (a *Applier) pass(d dir, path, temp string, e *Entry) {
	for own := false; ; own = true {
		s := a.next(path)
		if s == nil {
			e.drop(d, temp)
			if own {
				d.close()
			}
			return
		}
		in, err := a.carry(d, temp, e, s)
		if own {
			d.close()
		}
		switch {
		case err != nil:
			a.strand(s)
			return
		case !s.keep:
			in.close()
			return
		}
		d, path, temp, e = in, s.path, s.temp, s.expect
	}
}

// carry renames the file e at temp in d to its new path, through a temporary name beside it.
// It returns the directory it is in then, for the caller to close. After an error the file is gone,
// or kept beside where it was found changed.
func (a *Applier) carry(d dir, temp string, e *Entry, s *staged) (in dir, err error) {
	parent, name := split(s.path)
	a.root.step(StepCarry, s.path)
	if in, err = a.enter(parent); err != nil {
		e.drop(d, temp)
		return in, err
	}
	s.temp = tempName(tempOld, name)
	err = d.renameTo(temp, in, s.temp)
	if errors.Is(err, os.ErrPermission) && a.touch(parent, in, true) == nil {
		err = d.renameTo(temp, in, s.temp)
	}
	if err != nil { // another file system, for one
		e.drop(d, temp)
	} else if err = a.arrive(in, name, e, s); err != nil {
		err = s.discard(in, name, err)
	}
	if err != nil {
		in.close()
	}
	return in, err
}

// enter opens the directory at path, in which entries are about to change.
func (a *Applier) enter(path string) (dir, error) {
	d, err := a.root.directory(path)
	if err != nil {
		return d, err
	}
	if err := a.touch(path, d, false); err != nil {
		d.close()
		return d, err
	}
	return d, nil
}

// arrive puts the file e, which lies under the temporary name of s in d, at its path.
func (a *Applier) arrive(d dir, name string, e *Entry, s *staged) error {
	s.entry = *e
	dated, err := a.dress(d, e, s)
	if err != nil {
		return err
	}
	a.root.step(StepArrive, s.path)
	s.keep = a.goesOn(s.path)
	if s.expect == nil {
		err = d.renameNew(s.temp, name)
	} else if err = expected(d, name, s.expect); err == nil {
		err = s.exchange(a.root, d, name)
	}
	if err != nil {
		return err
	}
	done := Applied{Path: s.path, Manifest: s.m}
	done.Entry, err = d.stat(name)
	done.Entry.Path = s.path
	done.Racy = dated || err != nil || !s.entry.sameMoved(&done.Entry) || s.m.Mtime.Compare(a.now) >= 0
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ready.add(done)
	return nil
}

// dress gives the file at the temporary name of s the attributes of its manifest, and reports
// whether its modification time was set: an edit right before that would not show.
func (a *Applier) dress(d dir, e *Entry, s *staged) (dated bool, err error) {
	now, err := d.stat(s.temp)
	switch {
	case err != nil:
		return false, err
	case !e.sameMoved(&now):
		return false, ErrChanged
	case now.Linked:
		return false, errLinked
	}
	mode := mixMode(now.Mode, s.m.Mode)
	moded := mode != now.Mode && a.traits.Modes
	if moded {
		if err := d.setModeOf(s.temp, mode); err != nil {
			return false, err
		}
	}
	dated = s.m.Mtime != now.Mtime
	if dated {
		if err := d.setMtimeOf(s.temp, s.m.Mtime); err != nil {
			return false, err
		}
		s.entry.Mtime = s.m.Mtime
	}
	if !moded && !dated || !a.syncNow(e) {
		return dated, nil
	}
	h, err := d.open(s.temp)
	if err != nil { // it may not be read; its attributes are all that a power cut takes
		return dated, nil
	}
	defer h.close()
	return dated, h.sync()
}
