package worktree

import (
	"errors"
	"fmt"
	"os"

	"dfs/manifest"
)

// Attributes gives the mode and mtime of m to expect, a file, symlink or
// directory that is otherwise as m says.
func (a *Applier) Attributes(path string, m *manifest.Manifest, expect *Entry) error {
	switch {
	case expect == nil || expect.Kind != m.Kind:
		return fmt.Errorf("attributes of a %v need one to be there", m.Kind)
	case m.Kind == manifest.Directory:
		return a.directoryAttributes(path, m, expect)
	case m.Kind == manifest.Symlink:
		return a.Symlink(path, m, expect)
	}
	if err := a.begin(); err != nil {
		return err
	}
	parent, name := split(path)
	d, err := a.root.directory(parent)
	if err != nil {
		return err
	}
	defer d.close()
	done := Applied{Path: path, Manifest: m}
	err = a.setAttributes(d, name, expect, &done, a.syncNow(expect))
	if errors.Is(err, os.ErrPermission) { // it may not be opened
		err = a.setAttributesOf(d, name, expect, &done)
	}
	if err != nil {
		return a.failed(path, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ready.add(done)
	return nil
}

// syncNow reports whether a file's attributes are to be made durable at once,
// rather than with all others by Flush.
func (a *Applier) syncNow(e *Entry) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !syncsAll || e.Dev != a.root.dev {
		return true
	}
	a.ready.loose++
	return a.ready.loose <= syncFew
}

// setAttributes gives mode and mtime of done.Manifest to the file at name, which is
// looked at again in between, and tells done how it is then.
func (a *Applier) setAttributes(d dir, name string, expect *Entry, done *Applied, sync bool) error {
	h, err := d.open(name)
	if err != nil {
		if replaced(err) {
			err = ErrChanged
		}
		return err
	}
	defer h.close()
	found, err := h.stat()
	if err != nil {
		return err
	}
	if !expect.same(&found) {
		return ErrChanged
	}
	if mode := mixMode(found.Mode, done.Manifest.Mode); mode != found.Mode && a.traits.Modes {
		if err := h.setMode(mode); err != nil {
			return err
		}
		if found, err = h.stat(); err != nil {
			return err
		}
		if !expect.sameMoved(&found) {
			return ErrChanged
		}
	}
	if found.Mtime != done.Manifest.Mtime {
		done.Racy = true // an edit right before this would not show
		if err := h.setMtime(done.Manifest.Mtime); err != nil {
			return err
		}
	}
	if sync {
		if err := h.sync(); err != nil {
			return err
		}
	}
	done.Entry, err = h.stat()
	done.Entry.Path = done.Path
	return err
}

// setAttributesOf is setAttributes for a file that may not be opened.
func (a *Applier) setAttributesOf(d dir, name string, expect *Entry, done *Applied) error {
	if err := expected(d, name, expect); err != nil {
		return err
	}
	if a.traits.Modes {
		if err := d.setModeOf(name, mixMode(expect.Mode, done.Manifest.Mode)); err != nil {
			return err
		}
	}
	if err := d.setMtimeOf(name, done.Manifest.Mtime); err != nil {
		return err
	}
	done.Racy = true
	var err error
	done.Entry, err = d.stat(name)
	done.Entry.Path = done.Path
	return err
}

// mixMode is mode with the permission bits of wanted.
func mixMode(mode, wanted uint16) uint16 { return mode&^modeBits | wanted&modeBits }
