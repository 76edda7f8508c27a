package worktree

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"dfs/manifest"
)

// touchedName is the file of the state directory that lists the directories which an
// Applier works in and gives their attributes back to at the end, a line each: mode in
// octal, mtime in seconds and nanoseconds, and the path as a Go string literal. A run
// that is killed leaves it to the next one.
const touchedName = "touched"

// lend notes the attributes of the directory at path.
func (a *Applier) lend(path string, mode uint16, mtime manifest.Time) error {
	if a.lent == nil {
		f, err := os.OpenFile(filepath.Join(a.root.StateDir(), touchedName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		a.lent = f
	}
	end, err := a.lent.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(a.lent, "%04o %d %d %q\n", mode, mtime.Sec, mtime.Nsec, path); err != nil {
		a.lent.Truncate(end)
	}
	return err
}

// returned ends what lend began; all tells that all was given back, so that the next run need not.
func (a *Applier) returned(all bool) {
	if a.lent == nil {
		return
	}
	a.lent.Close()
	if all {
		os.Remove(a.lent.Name())
	}
	a.lent = nil
}

// RestoreDirectories gives back mode and mtime to directories that a run which was killed
// worked in. A mode that this program did not give stays. The caller holds the lock.
func (r *Root) RestoreDirectories() error {
	name := filepath.Join(r.StateDir(), touchedName)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var problems []error
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var mode uint16
		var mtime manifest.Time
		var path string
		if _, err := fmt.Sscanf(lines.Text(), "%o %d %d %q", &mode, &mtime.Sec, &mtime.Nsec, &path); err != nil {
			continue // cut by a kill or a full disk: nothing was done there yet
		}
		problems = append(problems, r.restoreDirectory(path, mode, mtime))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return os.Remove(name)
}

func (r *Root) restoreDirectory(path string, mode uint16, mtime manifest.Time) error {
	d, err := r.dir.sub(path)
	if err != nil {
		return nil // it is gone, or something else is there
	}
	defer d.close()
	e, err := d.self()
	if err == nil && e.Mode != mode && e.Mode == mode|ownerAll {
		err = d.setMode(mode)
	}
	if err == nil && e.Mtime != mtime {
		err = d.setMtime(mtime)
	}
	if err != nil {
		return fmt.Errorf("attributes of %q: %w", path, err)
	}
	return nil
}
