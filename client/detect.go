package client

import (
	"context"
	"fmt"
	"iter"

	"dfs/cas"
	"dfs/client/replica"
	"dfs/manifest"
)

// A FileChange is a path at which a replica's directory differs from what is known of it.
type FileChange struct {
	Op   Op // a directory is never Moved: the old one is Deleted, the new one Added
	Path string
	From string             // of Moved: the path that vanished, which has no change of its own
	Base *manifest.Manifest // what was known at Path, of Moved at From; nil of Added
	New  *manifest.Manifest // what the directory has; nil of Deleted
}

// A Detector tells what was changed in a replica's directory. A file that was renamed counts
// as moved, unread, when device, inode, size and modification time are those of a path that
// vanished, and else when its content is. A directory whose modification time alone
// differs is no change. What could not be read, or is ignored, counts as unchanged.
//
// The changes come in path order, moves at their new path, after the whole directory was
// looked at. They belong to whoever receives them. An error ends the sequence. While it runs
// no other command works in the replica. Nothing but the index is altered.
type Detector interface {
	// Scan tells what differs at path, and all below it, from the base: what the replica and
	// its hub last agreed on, path by path. "" is everywhere. What lies beside path is not looked at, but
	// the directories above it are.
	Scan(ctx context.Context, path string) iter.Seq2[FileChange, error]
	// DiffSince tells what differs from the snapshot, anywhere. It must be the newest that the
	// replica has seen, or zero, from which all that there is was added; of others the error is a
	// *[UnknownSnapshotError].
	DiffSince(ctx context.Context, snapshot cas.ID) iter.Seq2[FileChange, error]
}

// An UnknownSnapshotError says that a replica does not hold the tree of a snapshot.
type UnknownSnapshotError struct{ Snapshot, Seen cas.ID }

func (e *UnknownSnapshotError) Error() string {
	return fmt.Sprintf("snapshot %s: the replica knows only the tree of %s", e.Snapshot.Short(), e.Seen.Short())
}

// NewDetector returns a detector that surveys the replica at cfg.Dir, which must exist. Of cfg it
// uses what concerns the directory; it asks no hub.
func NewDetector(cfg Config) Detector {
	cfg.DryRun = true
	return surveyor{cfg}
}

// surveyor is a Detector by comparing the directory with the base file.
type surveyor struct{ cfg Config }

// Scan implements [Detector].
func (d surveyor) Scan(ctx context.Context, path string) iter.Seq2[FileChange, error] {
	return d.detect(ctx, func(r *run, base *replica.Reader) (*comparison, error) {
		c := &comparison{base: base, known: recordBase}
		if path == "" {
			return c, nil
		}
		return c, r.limit([]string{path})
	})
}

// DiffSince implements [Detector].
func (d surveyor) DiffSince(ctx context.Context, snapshot cas.ID) iter.Seq2[FileChange, error] {
	return d.detect(ctx, func(r *run, base *replica.Reader) (*comparison, error) {
		switch snapshot {
		case base.Snapshot:
			return &comparison{base: base, known: recordRemote}, nil
		case cas.ID{}:
			return &comparison{base: new(replica.Reader), known: recordBase}, nil
		}
		return nil, &UnknownSnapshotError{snapshot, base.Snapshot}
	})
}

// comparison is with what the directory is compared.
type comparison struct {
	base  *replica.Reader
	known func(*found) []byte
}

func recordBase(f *found) []byte   { return f.base }
func recordRemote(f *found) []byte { return f.remote }

// detect opens the replica, surveys it as prepare says, and yields what differs.
func (d surveyor) detect(ctx context.Context, prepare func(*run, *replica.Reader) (*comparison, error)) iter.Seq2[FileChange, error] {
	return func(yield func(FileChange, error) bool) {
		r, err := openStatus(ctx, d.cfg, true)
		if err != nil {
			yield(FileChange{}, err)
			return
		}
		defer r.close()
		base, err := replica.OpenBase(r.cfg.Dir)
		if err != nil {
			yield(FileChange{}, err)
			return
		}
		defer base.Close()
		c, err := prepare(r, base)
		if err == nil {
			err = r.differences(ctx, c)
		}
		if err == nil {
			err = r.log(Local).each(func(c loggedChange) error {
				change, err := fileChange(c)
				if err == nil && !yield(change, nil) {
					err = errStop
				}
				return err
			})
		}
		if err != nil && err != errStop {
			yield(FileChange{}, err)
		}
	}
}

// limit has surveys of the directory's changes look at paths only; none: everywhere.
func (r *run) limit(paths []string) error {
	for _, path := range paths {
		if err := manifest.CheckPath(path); err != nil {
			return err
		}
	}
	r.scope = r.root.Scope(paths)
	return nil
}

// maxScope is the most paths for which a pull does not look at the whole directory.
const maxScope = 4096

// limitPull has the survey of a pull, of a run that was handed paths, look at what is pending
// only, where that is little. Leftovers of a run that was killed elsewhere wait for another pull.
func (r *run) limitPull(ctx context.Context, base *replica.Reader) error {
	r.scope = nil
	if len(r.cfg.Paths) == 0 || r.cfg.DryRun || r.cfg.Adopt || base.Ignored > 0 || base.Pending > maxScope {
		return nil
	}
	var pending []string
	err := r.eachPending(ctx, func(rec replica.Record) error {
		pending = append(pending, rec.Path)
		return nil
	})
	if err == nil {
		r.scope = r.root.Scope(pending)
	}
	return err
}

// differences logs where the directory is not what is known of it.
func (r *run) differences(ctx context.Context, c *comparison) error {
	s := survey{r: r, hasher: newHasher(r, nil, func() {}), local: true, remote: true}
	err := s.each(ctx, c.base, func(f *found) error {
		if f.unknown {
			return nil
		}
		local, err := r.localValue(f)
		if err != nil {
			return err
		}
		known := c.known(f)
		rides, err := mtimeAlone(known, f.local)
		if err != nil || rides || equalValues(local, known) {
			return err
		}
		return r.log(Local).add(f.path, known, local)
	})
	if err != nil {
		return err
	}
	return r.index.Save()
}

func fileChange(c loggedChange) (FileChange, error) {
	out := FileChange{Op: c.Op, Path: c.Path, From: c.From}
	var err error
	if out.Base, err = decode(c.old); err == nil {
		out.New, err = decode(c.new)
	}
	return out, err
}
