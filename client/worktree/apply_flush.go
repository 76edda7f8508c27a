package worktree

import (
	"context"
	"errors"
	"os"
	"slices"

	"dfs/manifest"
)

// Flush makes the prepared files durable, puts them in place where their targets are
// still as expected, and returns what was changed since the last Flush, durable now, but for
// directories. What could not be put in place is a problem, and its
// temporary is gone. On an error nothing is known to be durable.
func (a *Applier) Flush(ctx context.Context) ([]Applied, []Problem, error) {
	a.flush.Lock()
	defer a.flush.Unlock()
	a.mu.Lock()
	b := a.ready
	a.ready = batch{}
	a.mu.Unlock()
	problems, err := a.settle(&b)
	if err != nil {
		return nil, problems, err
	}
	slices.SortFunc(b.queue, func(x, y *staged) int { return compare(x.path, y.path) })
	b.done = slices.Grow(b.done, len(b.queue))
	in := &parent{root: a.root}
	defer in.close()
	for i, s := range b.queue {
		if err := ctx.Err(); err != nil {
			for _, left := range b.queue[i:] {
				left.drop(a.root)
			}
			return nil, problems, err
		}
		applied, err := a.place(s, in)
		if err != nil {
			problems = append(problems, Problem{s.path, a.failed(s.path, err)})
			continue
		}
		b.add(applied)
	}
	if err := a.syncDirectories(&b); err != nil {
		return nil, problems, err
	}
	return b.done, problems, nil
}

// settle makes the files of b durable. A file that cannot be is dropped, and a problem.
func (a *Applier) settle(b *batch) (problems []Problem, err error) {
	all := b.held > syncFew
	if all {
		err = a.syncAll()
	}
	kept := b.queue[:0]
	for _, s := range b.queue {
		serr := err
		if serr == nil && s.held != nil && !all {
			serr = s.held.sync()
		}
		s.release()
		if serr != nil {
			s.drop(a.root)
			problems = append(problems, Problem{s.path, a.failed(s.path, serr)})
			continue
		}
		kept = append(kept, s)
	}
	b.queue = kept
	return problems, err
}

// place puts s at its path.
func (a *Applier) place(s *staged, in *parent) (Applied, error) {
	above, name := split(s.path)
	d, err := in.at(above)
	if err != nil {
		return Applied{}, err
	}
	a.root.step(StepPlace, s.path)
	s.keep = a.goesOn(s.path)
	if s.expect == nil {
		err = d.renameNew(s.temp, name)
	} else if err = s.expectedAt(d, name); err == nil {
		err = s.exchange(a.root, d, name)
	}
	if errors.Is(err, os.ErrExist) {
		err = occupied(d, name)
	}
	if err != nil {
		return Applied{}, s.discard(d, name, err)
	}
	if s.expect != nil && s.expect.Kind == manifest.Directory {
		a.forget(s.path)
	}
	done := Applied{Path: s.path, Manifest: s.m}
	done.Entry, err = d.stat(name)
	done.Entry.Path = s.path
	done.Racy = err != nil || !s.entry.sameMoved(&done.Entry) || s.m.Mtime.Compare(a.now) >= 0
	if s.keep {
		a.pass(d, s.path, s.temp, s.expect)
	}
	return done, nil
}

// expectedAt is expected for what s replaces. A directory may have been made writable meanwhile,
// to empty it; one that is not empty is not even exchanged.
func (s *staged) expectedAt(d dir, name string) error {
	if s.expect.Kind != manifest.Directory {
		return expected(d, name, s.expect)
	}
	if err := s.expect.look(d, name); err != nil {
		return err
	}
	in, err := d.sub(name)
	if err != nil {
		return err
	}
	defer in.close()
	empty := true
	err = in.list(make([]byte, listBuffer), func([]byte) { empty = false })
	if err == nil && !empty {
		err = ErrNotEmpty
	}
	return err
}

// occupied returns why name, of which the scan found nothing, is taken.
func occupied(d dir, name string) error {
	found := false
	err := d.list(make([]byte, listBuffer), func(n []byte) { found = found || string(n) == name })
	if err == nil && !found {
		return errAlias
	}
	return ErrChanged
}

// exchange puts s in the place of what is expected at name, and removes that, or keeps it. It is
// looked at after the exchange, since it can change until then; when it is not what
// was expected, or a directory that is not empty, it is put back. From here on the
// temporary's name says that somebody's edit may lie there.
func (s *staged) exchange(r *Root, d dir, name string) error {
	old := tempName(tempOld, name)
	if err := d.rename(s.temp, old); err != nil {
		return err
	}
	s.temp = old
	r.step(StepSwap, s.path)
	err := d.exchange(s.temp, name)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return s.replace(d, name)
	case errors.Is(err, os.ErrNotExist):
		return ErrChanged
	case err != nil:
		return err
	}
	r.step(StepLook, s.path)
	err = s.expect.look(d, s.temp)
	if err == nil && !s.keep {
		r.step(StepDrop, s.path)
		err = s.expect.drop(d, s.temp)
	}
	if err != nil {
		s.swapBack(d, name)
	}
	return err
}

// replace is exchange where that is not offered: what is at name goes first, unless the
// rename itself replaces it.
func (s *staged) replace(d dir, name string) error {
	if s.keep {
		return s.replaceKeeping(d, name)
	}
	if s.expect.Kind == manifest.File && d.openForWriting(name) {
		return errOpen
	}
	if s.expect.Kind == manifest.Directory || s.m.Kind == manifest.Directory {
		if err := s.expect.drop(d, name); err != nil {
			return err
		}
	}
	return d.rename(s.temp, name)
}

// replaceKeeping is replace with what is at name looked at under a temporary name, where it stays.
func (s *staged) replaceKeeping(d dir, name string) error {
	out := tempName(tempOld, name)
	if err := d.renameNew(name, out); err != nil {
		return err
	}
	err := s.expect.look(d, out)
	if err == nil {
		err = d.renameNew(s.temp, name)
	}
	if err != nil {
		if d.renameNew(out, name) != nil {
			err = putAside(d, out, name, err)
		}
		return err
	}
	s.temp = out
	return nil
}

// drop removes e, which stands at name; ErrNotEmpty when it is a directory with entries.
func (e *Entry) drop(d dir, name string) error {
	if e.Kind == manifest.Directory {
		return d.rmdir(name)
	}
	return d.unlink(name)
}

// look returns nil when what stands at name, where e was moved, is e unchanged and nobody can
// write to it any more.
func (e *Entry) look(d dir, name string) error {
	if e.Kind == manifest.File && d.openForWriting(name) {
		return errOpen
	}
	found, err := d.stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return ErrChanged
	case err != nil:
		return err
	case !e.sameMoved(&found):
		return ErrChanged
	}
	return nil
}

// swapBack undoes an exchange that brought out another version than was expected.
func (s *staged) swapBack(d dir, name string) {
	if err := d.exchange(s.temp, name); err != nil {
		d.renameNew(s.temp, name) // name was removed meanwhile
	}
}

// discard removes the temporary after err, which it returns. What an exchange left under its
// name and is not what was prepared, or may have been written to while it was in place,
// stays beside name.
func (s *staged) discard(d dir, name string, err error) error {
	out, serr := d.stat(s.temp)
	switch {
	case serr != nil:
	case s.entry.sameMoved(&out) && !(out.Kind == manifest.File && d.openForWriting(s.temp)):
		d.unlink(s.temp)
	default:
		err = putAside(d, s.temp, name, err)
	}
	return err
}

// removeEntry renames name away, looks at what that was, and removes it or passes it on; or
// renames it back when it is not what was expected.
func (a *Applier) removeEntry(d dir, path, name string, expect *Entry) error {
	temp := tempName(tempOld, name)
	a.root.step(StepRemove, path)
	if err := d.renameNew(name, temp); err != nil {
		return err
	}
	a.root.step(StepGone, path)
	err := expect.look(d, temp)
	if err == nil && a.goesOn(path) {
		a.pass(d, path, temp, expect)
		return nil
	}
	if err == nil {
		if err = d.unlink(temp); err == nil {
			return nil
		}
	}
	if d.renameNew(temp, name) != nil {
		err = putAside(d, temp, name, err)
	}
	return err
}
