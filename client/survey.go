package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/server/api"
)

// surveyAhead is how many found paths may wait for the one being read before them.
const surveyAhead = 4096

// found is a path whose directory, base and hub versions may differ.
type found struct {
	path         string
	base, remote []byte             // canonical manifests; nil is absent
	entry        *worktree.Entry    // nil: not in the directory
	local        *manifest.Manifest // what the directory has; nil is absent
	unknown      bool               // what the directory has could not be told, or is ignored
	ignored      bool
	err          error          // why not, when it is a file that could not be read
	was          []byte         // of a file that is read although it looks unchanged: the index's manifest
	reuse        bool           // of a file that is read: the hub has the chunks of old, or is to get none
	resend       []manifest.Run // not read: the runs that the index has of it
	old          worktree.Runs  // of a large file: what the index has of it, once it was read up to date
	origin       *origin        // of a file that need not be read: where it was
	above        []gap          // directories that the hub has above it, and its base too, and that are none here, outermost first
	ready        chan struct{}
}

// versions returns the manifests that base and hub have of the path; nil is absent.
func (f *found) versions() (base, remote *manifest.Manifest, err error) {
	if base, err = decode(f.base); err != nil {
		return nil, nil, err
	}
	remote, err = decode(f.remote)
	return base, remote, err
}

// decode reads a manifest of the base file; nil is absent.
func decode(value []byte) (*manifest.Manifest, error) {
	if value == nil {
		return nil, nil
	}
	m, err := manifest.Decode(value)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	return m, nil
}

// gap is an entry above a path in the directory, with the manifest that the hub has of it.
type gap = api.Step[[]byte]

// A survey walks the directory beside the base file and the index.
type survey struct {
	r      *run
	hasher *hasher
	local  bool // paths at which the directory's version is not the base's
	remote bool // paths at which the hub's version is not the base's
	resend bool // files that only the index knows are handed to the hasher's out
	assume bool // the hub has what the base has
	traits worktree.Traits
	inodes *worktree.Inodes // of the index's records; nil: not asked for yet

	changed changeLog // for the run's bus
}

// each calls visit for what is found, in path order, on the calling goroutine.
// Files are read in parallel, ahead of visit.
func (s *survey) each(ctx context.Context, base *replica.Reader, visit func(*found) error) error {
	s.traits = s.r.root.Traits()
	s.changed = changeLog{dir: s.r.cfg.Dir, side: Local}
	defer s.changed.drop()
	group, ctx := errgroup.WithContext(ctx)
	order := make(chan *found, surveyAhead)
	jobs := make(chan *found, surveyAhead)
	group.Go(func() error {
		defer close(order)
		defer close(jobs)
		return s.find(ctx, base, order, jobs)
	})
	for range s.hasher.workers {
		group.Go(func() error {
			w := s.hasher.worker()
			defer w.close()
			for f := range jobs {
				if err := s.work(ctx, w, f); err != nil {
					return err
				}
				close(f.ready)
			}
			return nil
		})
	}
	group.Go(func() error {
		for f := range order {
			select {
			case <-f.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := cmp.Or(s.note(f), visit(f)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return s.publish()
}

// find sends what is to be visited to order, and before that to jobs what must be read.
func (s *survey) find(ctx context.Context, base *replica.Reader, order, jobs chan<- *found) error {
	index := s.r.index.Cursor()
	var gaps api.Way[[]byte]
	for spot, err := range s.r.spots(ctx, base) {
		if err != nil {
			return err
		}
		gaps.Reach(spot.path)
		f, read, err := s.consider(spot, index)
		if err != nil {
			return err
		}
		if f != nil {
			f.above = slices.Clone(gaps.Steps())
		}
		s.follow(&gaps, spot)
		if f == nil {
			continue
		}
		if !read {
			close(f.ready)
		}
		select {
		case order <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !read {
			continue
		}
		s.hasher.expects.find(int64(f.entry.Size))
		select {
		case jobs <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.hasher.expects.foundAll()
	if s.local && s.r.scope == nil {
		index.Complete()
	}
	return nil
}

// follow notes the gap that p is, if it is one and anybody cares. What becomes of what is pending who visits
// it decides.
func (s *survey) follow(gaps *api.Way[[]byte], p *spot) {
	blocked := p.entry != nil && p.entry.Kind != manifest.Directory && !p.rec.Pending()
	if !s.remote || p.rec.Remote == nil || p.unknown || p.entry != nil && !blocked {
		return
	}
	g := gap{Path: p.path, Of: bytes.Clone(p.rec.Remote)}
	if blocked {
		g.Standing = api.NotDirectory
	}
	gaps.Note(g)
}

// consider tells what is found at a spot, nil when that is of no interest, and
// whether its file must be read.
func (s *survey) consider(p *spot, index *worktree.IndexCursor) (f *found, read bool, err error) {
	s.r.count(p.entry)
	pending := s.remote && p.rec.Pending()
	if !s.local && !pending {
		return nil, false, nil
	}
	if !pending && s.known(p, index) {
		s.r.meter.unchanged.Add(1)
		return nil, false, nil
	}
	f = &found{path: p.path, unknown: p.unknown, ignored: p.ignored, ready: make(chan struct{})}
	if p.entry != nil {
		e := *p.entry
		f.entry = &e
	}
	switch {
	case p.entry == nil:
	case p.entry.Kind != manifest.File:
		f.local = plain(p.entry)
	default:
		read, err = s.considerFile(p, f, index)
	}
	if err == nil && f.local != nil {
		f.local, err = s.fit(f.local, p.rec.Base, p.rec.Remote)
	}
	if err != nil {
		return nil, false, err
	}
	if !read && !pending {
		unchanged, err := s.unchanged(p, f)
		if err != nil || unchanged || f.unknown {
			return nil, false, err
		}
	}
	f.base, f.remote = bytes.Clone(p.rec.Base), bytes.Clone(p.rec.Remote)
	return f, read, nil
}

// known reports, at no cost in memory, whether a file is as the base has it because the index says so.
func (s *survey) known(p *spot, index *worktree.IndexCursor) bool {
	if p.entry == nil || p.entry.Kind != manifest.File || p.rec.Base == nil || s.r.cfg.Rehash {
		return false
	}
	rec, ok := index.Find(p.path)
	return ok && rec.Clean(*p.entry) && bytes.Equal(rec.Value, p.rec.Base)
}

// fit leaves out what the file system does not keep of local's attributes.
func (s *survey) fit(local *manifest.Manifest, base, remote []byte) (*manifest.Manifest, error) {
	if s.traits.Whole() {
		return local, nil
	}
	like, err := decode(base)
	if err == nil && like == nil {
		like, err = decode(remote)
	}
	return s.traits.Fit(local, like), err
}

// considerFile answers from the index where that knows the file as it is.
func (s *survey) considerFile(p *spot, f *found, index *worktree.IndexCursor) (read bool, err error) {
	rec, ok := index.Find(p.path)
	if !ok || rec.Ino != p.entry.Ino {
		f.origin, err = s.origin(*p.entry)
	}
	if !ok || err != nil {
		return true, err
	}
	f.old = rec.Runs
	sameAsBase := p.rec.Base != nil && bytes.Equal(rec.Value, p.rec.Base)
	distrust := s.resend && !s.assume && !sameAsBase
	clean := rec.Clean(*p.entry)
	if s.r.cfg.Rehash || distrust || !clean {
		if clean {
			f.was = bytes.Clone(rec.Value)
		}
		f.reuse = s.assume && sameAsBase || s.hasher.out == nil
		return true, nil
	}
	if f.local, err = manifest.Decode(rec.Value); err != nil {
		return false, fmt.Errorf("index: %q: %w", p.path, err)
	}
	if sameAsBase || !s.resend {
		return false, nil
	}
	if !f.local.Pages.IsZero() && rec.Runs.Empty() {
		f.local = nil
		return true, nil
	}
	f.resend, err = contentRuns(rec)
	return true, err
}

// contentRuns returns the complete list of a record's chunks.
func contentRuns(rec *worktree.Record) ([]manifest.Run, error) {
	if rec.Runs.Empty() {
		m, err := manifest.Decode(rec.Value)
		if err != nil {
			return nil, fmt.Errorf("index: %q: %w", rec.Path, err)
		}
		return m.Runs, nil
	}
	var runs []manifest.Run
	for run, err := range rec.Runs.All() {
		if err != nil {
			return nil, fmt.Errorf("index: %q: %w", rec.Path, err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// unchanged reports whether the directory has what the base has. A directory's
// mtime is looked at later.
func (s *survey) unchanged(p *spot, f *found) (bool, error) {
	if f.local == nil || p.rec.Base == nil {
		if f.local == nil && p.rec.Base == nil {
			return true, nil
		}
		return false, nil
	}
	value, err := f.local.Encode()
	if err != nil {
		return false, fmt.Errorf("%q: %w", p.path, err)
	}
	same := bytes.Equal(value, p.rec.Base)
	if same && f.local.Kind != manifest.Directory {
		s.r.meter.unchanged.Add(1)
	}
	return same, nil
}

// work reads a file, or hands out again what the index knows of it. A file that cannot be read is
// not an error of the survey.
func (s *survey) work(ctx context.Context, w *worker, f *found) error {
	if f.local != nil {
		if err := s.hasher.resend(f.entry, f.resend); err != nil {
			return fmt.Errorf("%q: %w", f.path, err)
		}
		return nil
	}
	if f.origin != nil {
		size := int64(f.entry.Size)
		if ok, err := s.adopt(f); ok || err != nil {
			s.hasher.expects.skip(size)
			return err
		}
	}
	was, err := f.former()
	if err != nil {
		return err
	}
	c, err := w.read(ctx, *f.entry, was)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		f.unknown, f.err = true, fmt.Errorf("%w since it was listed", worktree.ErrChanged)
		return nil
	case worktree.IsFileError(err):
		f.unknown, f.err = true, err
		return nil
	default:
		return fmt.Errorf("%q: %w", f.path, err)
	}
	if damaged, err := f.damaged(c); err != nil || damaged {
		f.unknown, f.err = true, cmp.Or(err, errDamaged)
		return nil
	}
	if c.manifest, err = s.fit(c.manifest, f.base, f.remote); err != nil {
		return err
	}
	f.entry, f.local, f.old = &c.entry, c.manifest, c.list()
	s.r.meter.hashed.Add(1)
	return s.r.remember(c)
}

var errDamaged = errors.New("its content is another than before, while size, times and inode are the same: the disk may have damaged it. " +
	"It was left out, and the hub keeps the earlier version; if the content is right, touch the file to have it taken as an edit")

// damaged reports whether a file that looked unchanged, and does so after it was read, has other
// content than the index says.
func (f *found) damaged(c content) (bool, error) {
	if f.was == nil || c.entry != *f.entry {
		return false, nil
	}
	was, err := manifest.Decode(f.was)
	if err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	return !manifest.SameContent(was, c.manifest), nil
}
