// Package worktree is a directory on disk as one side of a synchronisation: it
// scans it in path order, reads files so that a change meanwhile is noticed,
// remembers what it has seen in an index, and applies changes so that a local
// edit that the caller does not know of is never overwritten or removed.
//
// # Below the root
//
// Paths are relative to the root, with "/" between names; names are bytes, of
// any encoding. The root is an open descriptor. Everything below it is reached
// without following a symbolic link: openat2 with RESOLVE_BENEATH and
// RESOLVE_NO_SYMLINKS on Linux, else one component at a time, anew for each change,
// but that Flush uses a directory for a millisecond when it places many files in it. The
// state directory .dfs at the root belongs to the program and is never an entry.
//
// # Order
//
// Path order is component-wise: "/" sorts below every other byte, so that a
// directory is followed at once by all that lies below it.
//
// # Never lose an edit
//
// A change names what is expected to stand at its path: an [Entry] of this
// run's scan, or nothing. On Linux (and where darwin's file system can), a new
// entry is renamed into place only where none is, and a replacement is
// exchanged with the old entry, which is then looked at: when it is not the
// expected one, or somebody still has it open for writing, it is swapped back
// and the change fails with [ErrChanged]. What is to be removed is renamed away
// first and looked at likewise; where it is to have another path ([Applier.Onward]) it is
// renamed there then instead of being removed. Elsewhere, and on file systems without these
// operations, the target is checked again right before the rename, which leaves a
// window of microseconds. Whether a file is open for writing only Linux tells (a
// read lease is refused then), of one's own files on a local file system.
//
// # Timestamps
//
// File times advance in ticks of some milliseconds, so a file that was changed
// in the same tick in which it was looked at can change again and look the
// same. Such an entry is racy: see [Root.Probe] and [Entry.Racy].
//
// # Errors
//
// Functions that take one path return the cause without that path; the caller
// puts both into a [Problem]. A path is any bytes and must be quoted before it
// is printed.
package worktree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"dfs/manifest"
)

const (
	stateName = ".dfs"
	maxPath   = 4095 // bytes of a path, the limit of the tree
)

var (
	// ErrChanged: what stands at a path is not what was expected there. It was
	// left as it is.
	ErrChanged = errors.New("changed meanwhile")
	errAlias   = fmt.Errorf("%w: the file system takes the name for that of another entry, from which it differs in case or form", ErrChanged)
	errOpen    = fmt.Errorf("%w: another program has it open for writing", ErrChanged)
	// ErrNotEmpty: a directory to be removed has entries.
	ErrNotEmpty = errors.New("directory is not empty")
	// ErrNotMounted: where another file system was mounted there is none. What is
	// there is another directory than the one that was known.
	ErrNotMounted = errors.New("another file system was mounted here, and is not")
	// ErrPathTooLong: a path has more than 4,095 bytes.
	ErrPathTooLong = errors.New("path is longer than 4095 bytes")
)

// Problem is a path that could not be read or written.
type Problem struct {
	Path string
	Err  error
}

// Root is an opened directory. Its methods are safe for concurrent use.
type Root struct {
	name   string
	dir    dir
	dev    uint64
	onStep func(Step, string)
	onWait func(holder string)
	learn  sync.Once
	traits Traits
}

// Open opens the directory name, which must exist; it may itself be a symbolic link to one.
func Open(name string) (*Root, error) {
	d, err := openRoot(name)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", name, err)
	}
	self, err := d.self()
	if err != nil {
		d.close()
		return nil, fmt.Errorf("directory %s: %w", name, err)
	}
	return &Root{name: name, dir: d, dev: self.Dev}, nil
}

// Close releases the descriptor. No other method may be running or follow.
func (r *Root) Close() error { return r.dir.close() }

// StateDir returns the path of the state directory, DIR/.dfs, which [Root.Init] makes.
func (r *Root) StateDir() string { return filepath.Join(r.name, stateName) }

// Init makes the state directory, with mode 0700, where it is not there. It
// refuses anything else of that name.
func (r *Root) Init() error {
	switch err := r.dir.mkdir(stateName); {
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s: %w", r.StateDir(), err)
	}
	e, err := r.dir.stat(stateName)
	if err == nil && e.Kind != manifest.Directory {
		err = fmt.Errorf("%s is not a directory", r.StateDir())
	}
	return err
}

// LockedError says that another process holds a root's lock.
type LockedError struct {
	Holder string // command and process ID, as the holder wrote them; "another process" when unknown
}

func (e *LockedError) Error() string { return "directory is in use by " + e.Holder }

// Lock takes the lock of the root among processes, making the state directory
// as [Root.Init] does, and writes who and the process ID into .dfs/lock. While
// another process holds the lock it tries again for the duration of wait, then returns a
// *[LockedError]. The lock ends with unlock or with the process, whichever is first.
func (r *Root) Lock(ctx context.Context, wait time.Duration, who string) (unlock func(), err error) {
	if err := r.Init(); err != nil {
		return nil, err
	}
	state, err := r.dir.sub(stateName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.StateDir(), err)
	}
	defer state.close()
	f, err := state.openLock("lock")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(r.StateDir(), "lock"), err)
	}
	if err := r.waitLock(ctx, f, wait); err != nil {
		f.Close()
		return nil, err
	}
	f.Truncate(0)
	fmt.Fprintf(f, "%s (process %d)\n", who, os.Getpid())
	return func() {
		f.Truncate(0)
		unlockFile(f)
		f.Close()
	}, nil
}

// OnWait has f called with the holder, as in [LockedError], when [Root.Lock] has to wait.
func (r *Root) OnWait(f func(holder string)) { r.onWait = f }

func (r *Root) waitLock(ctx context.Context, f *os.File, wait time.Duration) error {
	const pause = 20 * time.Millisecond
	deadline := time.Now().Add(wait)
	for told := false; ; {
		ok, err := tryLock(f)
		if ok || err != nil {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return &LockedError{Holder: holderOf(f)}
		}
		if !told && r.onWait != nil {
			r.onWait(holderOf(f))
		}
		told = true
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}

// holderOf returns who holds a lock, as it wrote in the lock's file.
func holderOf(f *os.File) string {
	holder := make([]byte, 256)
	n, _ := f.ReadAt(holder, 0)
	return cmp.Or(strings.TrimSpace(string(holder[:n])), "another process")
}

// Probe touches .dfs/probe and returns its modification time: the present
// moment as the file system tells it. See [Entry.Racy].
func (r *Root) Probe() (manifest.Time, error) {
	state, err := r.dir.sub(stateName)
	if err != nil {
		return manifest.Time{}, fmt.Errorf("%s: %w", r.StateDir(), err)
	}
	defer state.close()
	t, err := state.touch("probe")
	if err != nil {
		return manifest.Time{}, fmt.Errorf("%s: %w", filepath.Join(r.StateDir(), "probe"), err)
	}
	return t, nil
}

// directory opens the directory at path; ErrChanged when none is there any more.
func (r *Root) directory(path string) (dir, error) {
	d, err := r.dir.sub(path)
	if replaced(err) {
		err = ErrChanged
	}
	return d, err
}

// Space returns how many bytes, and how many entries, can still be made on the root's
// file system by this user; the greatest int64 where the system sets no bound.
func (r *Root) Space() (bytes, entries int64, err error) {
	if bytes, entries, err = r.dir.space(); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", r.name, err)
	}
	return bytes, entries, nil
}

// Stat returns what stands at path now. A special file has Kind 0.
func (r *Root) Stat(path string) (Entry, error) {
	parent, name := split(path)
	d, err := r.dir.sub(parent)
	if err != nil {
		return Entry{}, err
	}
	defer d.close()
	e, err := d.stat(name)
	e.Path = path
	return e, err
}

// IsFileError reports whether err concerns the file it came from and not the
// whole run: the file changed, may not be read, is gone, or is damaged.
func IsFileError(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, ErrChanged) || errors.Is(err, ErrPathTooLong) ||
		errors.As(err, &errno) && !errno.Temporary() && !errors.Is(err, syscall.ENOMEM)
}

// isState reports whether name is the state directory's, in any case.
func isState(name string) bool {
	return len(name) >= len(stateName) && strings.EqualFold(name, stateName)
}

// split returns a path's parent ("" for the root) and last name.
func split(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

func base(path string) string {
	_, name := split(path)
	return name
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "/" + name
}

// compare orders paths component-wise.
func compare[A, B ~string | ~[]byte](a A, b B) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return +1
		case a[i] < b[i]:
			return -1
		}
		return +1
	}
	return len(a) - len(b)
}
