package worktree

import (
	"errors"
	"os"
	"sync"

	"dfs/manifest"
)

// writeBackStep is after how many bytes of a file the kernel is asked to begin
// writing, so that making the file durable later finds little left to do.
const writeBackStep = 8 << 20

// staged is a file or symlink under a temporary name beside its path.
type staged struct {
	path, temp string
	m          *manifest.Manifest
	expect     *Entry
	keep       bool    // expect is not removed but stays at temp, to go onward
	entry      Entry   // of the temporary
	held       *handle // open for syncing; nil: not
}

// drop removes the temporary.
func (s *staged) drop(r *Root) {
	s.release()
	parent, _ := split(s.path)
	d, err := r.dir.sub(parent)
	if err != nil {
		return // the directory was moved away with it; a later scan names it
	}
	defer d.close()
	d.unlink(s.temp)
}

func (s *staged) release() {
	if h := s.take(); h != nil {
		h.close()
	}
}

// take returns the descriptor, which the caller closes; nil when there is none.
func (s *staged) take() *handle {
	h := s.held
	s.held = nil
	return h
}

// Temp is a new file that is being written under a temporary name, beside its
// path. It ends with Done or Abort.
type Temp struct {
	a *Applier
	s *staged
	h handle

	mu    sync.Mutex
	end   int64 // of what was written
	dirty int64 // bytes since the kernel was asked to write
}

// File prepares a file of the content that will be written to the Temp, to take the
// place of expect. When that is a directory it must be empty by the time of Flush, else
// the problem is [ErrNotEmpty]. That something stands where nothing is expected is
// left to Flush to find.
func (a *Applier) File(path string, m *manifest.Manifest, expect *Entry) (*Temp, error) {
	t := &Temp{a: a, s: &staged{path: path, temp: tempName(tempNew, base(path)), m: m, expect: expect}}
	err := os.ErrPermission
	parent, _ := split(path)
	if expect == nil && len(parent)+1+tempNameLen <= maxPath && a.knows(parent) {
		err = t.createBelow(parent)
	}
	if errors.Is(err, os.ErrPermission) {
		err = a.inParent(path, t.createIn)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// createBelow makes the temporary by its whole path, in a directory that Finish gives
// back its attributes to already: nothing but the temporary need be opened.
func (t *Temp) createBelow(parent string) (err error) {
	a := t.a
	if err := a.begin(); err != nil {
		return err
	}
	if err := holdable(base(t.s.path)); err != nil {
		return err
	}
	a.root.step(StepTemp, t.s.path)
	t.h, err = a.root.dir.create(join(parent, t.s.temp), a.newMode(t.s.m))
	if replaced(err) {
		err = ErrChanged
	}
	return a.failed(t.s.path, err)
}

// createIn makes the temporary in d, which is the parent.
func (t *Temp) createIn(d dir, name string) (err error) {
	t.a.root.step(StepTemp, t.s.path)
	if t.s.expect != nil {
		err = expected(d, name, t.s.expect)
	}
	if err == nil {
		t.h, err = d.create(t.s.temp, t.a.newMode(t.s.m))
	}
	return err
}

// newMode is the mode with which the file of m is made: its own, so that it need not be set.
func (a *Applier) newMode(m *manifest.Manifest) uint16 {
	if a.traits.Modes {
		return m.Mode & modeBits
	}
	return ownerOnly
}

// WriteAt implements [io.WriterAt]. It is safe for concurrent use. What is never
// written, up to the manifest's size, is zeros and takes no space.
func (t *Temp) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := t.h.writeAt(p[n:], off+int64(n))
		if err != nil {
			return n, t.a.failed(t.s.path, err)
		}
		n += m
	}
	t.mu.Lock()
	t.end = max(t.end, off+int64(n))
	t.dirty += int64(n)
	begin := t.dirty >= writeBackStep
	if begin {
		t.dirty = 0
	}
	t.mu.Unlock()
	if begin {
		t.h.writeback()
	}
	return n, nil
}

// Done completes the file with size, mode and mtime of the manifest and leaves it
// to [Applier.Flush]. After an error the file is gone.
func (t *Temp) Done() error {
	if err := t.complete(); err != nil {
		t.Abort()
		return t.a.failed(t.s.path, err)
	}
	t.a.enqueue(t.s)
	return nil
}

func (t *Temp) complete() (err error) {
	size := int64(t.s.m.Size)
	if t.end > size {
		return errors.New("more was written than the manifest's size")
	}
	if t.end < size {
		if err := t.h.truncate(size); err != nil {
			return err
		}
	}
	if err := t.h.setMtime(t.s.m.Mtime); err != nil {
		return err
	}
	if t.s.entry, err = t.h.stat(); err != nil {
		return err
	}
	if mode := t.s.m.Mode & modeBits; mode != t.s.entry.Mode && t.a.traits.Modes { // a umask, or what the directory passes on
		if err := t.h.setMode(mode); err != nil {
			return err
		}
	}
	if !syncsAll || t.s.entry.Dev != t.a.root.dev {
		if err := t.h.sync(); err != nil {
			return err
		}
		return t.h.close()
	}
	if size > writeBackStep/8 {
		t.h.writeback()
	}
	t.s.held = &t.h
	return nil
}

// Abort removes the file. It must not be called after Done.
func (t *Temp) Abort() {
	t.h.close()
	t.s.drop(t.a.root)
}

// enqueue leaves s to the next Flush. Up to syncFew descriptors stay open to be
// synced one by one; with more files than that the whole file system will be.
func (a *Applier) enqueue(s *staged) {
	var few [1]*handle
	for _, h := range a.queue(s, few[:0]) {
		h.close() // takes longer than others should wait for a.mu
	}
}

// queue is enqueue, but for the descriptors to be closed, which it appends to drop.
func (a *Applier) queue(s *staged, drop []*handle) []*handle {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := &a.ready
	b.queue = append(b.queue, s)
	if s.held == nil {
		return drop
	}
	if b.held++; b.held <= syncFew {
		return drop
	}
	for _, q := range b.queue[b.released:] {
		if h := q.take(); h != nil {
			drop = append(drop, h)
		}
	}
	b.released = len(b.queue)
	return drop
}
