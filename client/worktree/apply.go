package worktree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"dfs/manifest"
)

const (
	modeBits  = 0o777 // of a manifest's mode, those that are applied
	ownerAll  = 0o700
	ownerOnly = 0o600
	syncFew   = 64 // with more files or directories than this the whole file system is synced
)

// Applier changes the tree. A change is made only where what stands at its path
// is what the caller expects: an entry of this run's scan, no longer racy (see
// [Entry.Racy]), or nil for nothing. Else it fails with [ErrChanged] and leaves
// the path as it is.
//
// New files and symlinks are prepared under temporary names and put in place by
// [Applier.Flush], after their bytes are durable. Directories are made, and
// entries removed, at once. Modes and modification times of directories are
// set by [Applier.Finish], which also gives back its mtime to each directory in
// which something was changed, and its mode to each that had to be made writable.
// Modes are applied without setuid, setgid and sticky bits, whatever the umask.
//
// After an error of a full or read-only disk every further change fails with it.
// An Applier is safe for concurrent use; what is not complete when Flush begins is left to
// the next. Finish and Abort must be called while nothing else is under way, and
// one of them ends every Applier.
type Applier struct {
	root   *Root
	traits Traits

	flush sync.Mutex // one Flush at a time

	mu       sync.Mutex
	ready    batch
	touched  map[string]*directory // by path
	lent     *os.File              // see lend
	mounts   bool                  // a directory lies on another file system than the root
	onward   map[string]onward     // by the path from where: see Onward
	stranded []string              // paths that nothing came to
	stop     error                 // what made the disk unusable
	now      manifest.Time         // a moment before the first change; zero: not yet
}

// batch is what waits for the next Flush.
type batch struct {
	queue    []*staged           // to be put in place
	held     int                 // of them, how many are not durable yet
	released int                 // of them, those from the front whose descriptor is closed
	done     []Applied           // in place
	loose    int                 // files whose attributes are not durable
	dirs     map[string]struct{} // directories whose entries are not durable
}

// add takes up a change that was made.
func (b *batch) add(done Applied) {
	b.done = append(b.done, done)
	parent, _ := split(done.Path)
	b.mark(parent)
}

func (b *batch) mark(dir string) {
	if b.dirs == nil {
		b.dirs = map[string]struct{}{}
	}
	b.dirs[dir] = struct{}{}
}

// Applied is a change that was made and is durable.
type Applied struct {
	Path     string
	Manifest *manifest.Manifest // what was applied; nil: removed
	Entry    Entry              // as the disk has it now; zero: removed
	Racy     bool               // Entry could already be another version: see [Record]
}

// Record returns the index record of a file that was applied, without runs. value is the
// encoding of Manifest.
func (ap *Applied) Record(value []byte) Record {
	rec := NewRecord(ap.Entry, manifest.Time{}, value)
	rec.Racy = ap.Racy
	return rec
}

// Apply returns an applier of changes to r. The caller holds the lock.
func (r *Root) Apply() *Applier {
	return &Applier{root: r, traits: r.Traits(), touched: map[string]*directory{}}
}

// begin reports why nothing can be changed any more.
func (a *Applier) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop == nil && a.now == (manifest.Time{}) {
		now, err := a.root.Probe()
		if err != nil {
			return a.note("", err)
		}
		a.now = now
	}
	return a.stop
}

// Err returns nil while the disk can be written, else the error of a full or read-only
// one, with the path where it came, with which every further change fails.
func (a *Applier) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stop
}

// note returns err, which concerns path, and stops the applier when it is a full disk's. The
// caller holds a.mu.
func (a *Applier) note(path string, err error) error {
	if err != nil && a.stop == nil && diskFull(err) {
		a.stop = fmt.Errorf("%s: %w", filepath.Join(a.root.name, path), err)
	}
	return err
}

func (a *Applier) failed(path string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.note(path, err)
}

// inParent calls fn with the directory that path lies in, in which fn makes,
// removes or renames entries. A directory that may not be written is made
// writable, and fn called again.
func (a *Applier) inParent(path string, fn func(d dir, name string) error) error {
	if err := a.begin(); err != nil {
		return err
	}
	parent, name := split(path)
	if err := holdable(name); err != nil {
		return err
	}
	d, err := a.root.directory(parent)
	if err != nil {
		return err
	}
	defer d.close()
	if err := a.touch(parent, d, false); err != nil {
		return err
	}
	if err = fn(d, name); errors.Is(err, os.ErrPermission) && a.touch(parent, d, true) == nil {
		err = fn(d, name)
	}
	return a.failed(path, err)
}

// knows reports whether touch has been called with the directory at path, or it was made.
func (a *Applier) knows(path string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.touched[path] != nil
}

// touch remembers what Finish gives back to the directory at path, and makes it
// writable where that is asked for.
func (a *Applier) touch(path string, d dir, writable bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.touched[path]
	if known == nil {
		e, err := d.self()
		if err != nil {
			return err
		}
		if err := a.lend(path, e.Mode, e.Mtime); err != nil {
			return a.note(path, err)
		}
		known = &directory{mode: e.Mode, mtime: e.Mtime}
		a.touched[path] = known
		a.mounts = a.mounts || e.Dev != a.root.dev
	}
	if !writable {
		return nil
	}
	if err := d.setMode(known.mode | ownerAll); err != nil {
		return err
	}
	known.writable = true
	return nil
}

// expected returns ErrChanged unless what stands at name is as expected.
func expected(d dir, name string, expect *Entry) error {
	found, err := d.stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist) && expect == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return ErrChanged
	case err != nil:
		return err
	case expect == nil || !expect.same(&found):
		return ErrChanged
	}
	return nil
}

// Directory makes a directory with the attributes of m where nothing stands or in
// place of expect, or gives them to the directory expect. Until Finish a new one is its
// owner's alone.
func (a *Applier) Directory(path string, m *manifest.Manifest, expect *Entry) error {
	if expect != nil && expect.Kind == manifest.Directory {
		return a.directoryAttributes(path, m, expect)
	}
	err := a.inParent(path, func(d dir, name string) error {
		if expect != nil {
			return a.exchangeDirectory(d, path, name, m, expect)
		}
		err := d.mkdir(name)
		if errors.Is(err, os.ErrExist) {
			return occupied(d, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.touched[path] = &directory{mode: m.Mode & modeBits, mtime: m.Mtime, made: m}
	parent, _ := split(path)
	a.ready.mark(parent)
	return nil
}

// exchangeDirectory puts a new directory in the place of expect, which is none.
func (a *Applier) exchangeDirectory(d dir, path, name string, m *manifest.Manifest, expect *Entry) error {
	if err := expected(d, name, expect); err != nil {
		return err
	}
	s := &staged{path: path, temp: tempName(tempNew, name), m: m, expect: expect}
	a.root.step(StepTemp, path)
	if err := d.mkdir(s.temp); err != nil {
		return err
	}
	err := s.exchange(a.root, d, name)
	if err != nil {
		d.rmdir(s.temp) // what else an edit left there stays, and a later scan names it
	}
	return err
}

func (a *Applier) directoryAttributes(path string, m *manifest.Manifest, expect *Entry) error {
	if err := a.begin(); err != nil {
		return err
	}
	d, err := a.root.directory(path)
	if err != nil {
		return err
	}
	defer d.close()
	found, err := d.self()
	if err != nil {
		return err
	}
	if err := a.touch(path, d, false); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.touched[path]
	if known.writable {
		found.Mode = expect.Mode
	}
	if !expect.same(&found) {
		return ErrChanged
	}
	known.mode, known.mtime, known.made = m.Mode&modeBits, m.Mtime, m
	return nil
}

// Symlink prepares a symlink with the target of m to take the place of expect, as File does.
func (a *Applier) Symlink(path string, m *manifest.Manifest, expect *Entry) error {
	s := &staged{path: path, temp: tempName(tempNew, base(path)), m: m, expect: expect}
	err := a.inParent(path, func(d dir, name string) error {
		if err := expected(d, name, expect); err != nil {
			return err
		}
		if err := d.symlink(m.Target, s.temp); err != nil {
			return err
		}
		err := d.setMtimeOf(s.temp, m.Mtime)
		if err == nil {
			s.entry, err = d.stat(s.temp)
		}
		if err != nil {
			d.unlink(s.temp)
		}
		return err
	})
	if err != nil {
		return err
	}
	a.enqueue(s)
	return nil
}

// Remove removes expect: a file, a symlink, or a directory, which must be empty
// (else [ErrNotEmpty]). That nothing is there any more is no error.
func (a *Applier) Remove(path string, expect *Entry) error {
	err := a.inParent(path, func(d dir, name string) error {
		if expect.Kind == manifest.Directory {
			return a.removeDirectory(d, path, name, expect)
		}
		err := expected(d, name, expect)
		if err == nil {
			return a.removeEntry(d, path, name, expect)
		}
		if _, gone := d.stat(name); errors.Is(gone, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ready.add(Applied{Path: path})
	return nil
}

func (a *Applier) removeDirectory(d dir, path, name string, expect *Entry) error {
	found, err := d.stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case !expect.sameMoved(&found):
		return ErrChanged
	default:
		if err := d.rmdir(name); err != nil {
			return err
		}
	}
	a.forget(path)
	return nil
}

// forget drops what Finish was to give back to a directory, which is gone.
func (a *Applier) forget(path string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.touched, path)
}

// Abort removes what is prepared and not in place, and gives directories back
// their attributes. What was applied stays.
func (a *Applier) Abort() {
	a.mu.Lock()
	left := a.ready
	a.ready = batch{}
	a.mu.Unlock()
	for _, s := range left.queue {
		s.drop(a.root)
	}
	a.restoreDirectories(false)
}
