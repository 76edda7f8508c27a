package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// fate is what becomes of one edit.
type fate uint8

const (
	dropped    fate = iota // the head's version stays, which the replica will take
	applied                // New goes to the head
	already                // the head is New
	merged                 // another manifest than New goes to the head
	kept                   // a deletion that gave way
	conflicted             // the head's version stays, a conflict is recorded
)

// A decider decides edits, which come in ascending order, against a head and
// keeps the head a tree: every entry's parent is a directory.
//
// An edit that removes or replaces a directory is decided before what is below
// it has been seen. It stays pending on the way, and is taken back when
// something below turns out to survive: what the head has there and no
// edit removes. So at most one pass over the head's entries below such
// directories is made, and nothing else of the head is read but the edited
// paths and their ancestors.
type decider struct {
	head *merkle.Cursor   // for the edits
	gaps *merkle.Cursor   // over the head too, for what lies between edits
	base []*merkle.Cursor // trees that the replica has seen, the likeliest first
	news news             // of the replica's conflicts

	way  api.Way[frame] // to the last edit, in the result
	last string         // path of the last edit

	fates   []fate          // by edit
	before  []weight        // the head's versions, by edit
	extra   []merkle.Change // what goes to the head besides New: merged manifests and restored directories, ascending
	clashes []api.Conflict  // edits that conflict, without ID, replica, client and time, in no order
	kept    []string        // in no order
	special bool            // something else happened than edits to an unchanged version
}

// frame is what is known of an entry on the way to the last edit.
type frame struct {
	edit    *decision // the edit of it, if there is one
	pending bool      // a directory that its edit removes unless something below survives
}

// decision is one edit with what is known about it.
type decision struct {
	api.Edit
	n      int                // its number
	head   *manifest.Manifest // the head's version
	base   *manifest.Manifest // that of Base, nil when it is absent or not known
	result *manifest.Manifest // the version after the commit
	fate   fate
}

func newDecider(ctx context.Context, src merkle.Source, head cas.ID, seen []cas.ID) *decider {
	d := &decider{head: merkle.NewCursor(ctx, src, head), gaps: merkle.NewCursor(ctx, src, head)}
	for _, root := range seen {
		d.base = append(d.base, merkle.NewCursor(ctx, src, root))
	}
	return d
}

// add decides the next edit.
func (d *decider) add(e api.Edit) error {
	if err := d.checkGap(e.Path); err != nil {
		return err
	}
	d.way.Reach(e.Path)
	if err := d.push(e.Path); err != nil {
		return err
	}
	dec, err := d.merge(e)
	if err != nil {
		return err
	}
	if dec.result != nil && dec.head == nil && dec.fate != conflicted {
		if err := d.makeParents(dec); err != nil {
			return err
		}
	}
	d.fates = append(d.fates, dec.fate)
	d.before = append(d.before, weigh(dec.head))
	d.place(dec)
	d.last = e.Path
	return nil
}

// finish decides what was still pending. The results are valid after it.
func (d *decider) finish() error {
	if err := d.checkGap(""); err != nil {
		return err
	}
	d.way = api.Way[frame]{}
	slices.Sort(d.kept)
	slices.SortFunc(d.clashes, func(a, b api.Conflict) int { return merkle.Compare(a.Path, b.Path) })
	return nil
}

// gaveWay reports, after finish, whether the edit of path was not done.
func (d *decider) gaveWay(path string) bool {
	_, kept := slices.BinarySearch(d.kept, path)
	_, clashes := slices.BinarySearchFunc(d.clashes, path, func(c api.Conflict, path string) int { return merkle.Compare(c.Path, path) })
	return kept || clashes
}

// checkGap takes back the pending directories in which the head has an entry between
// the last edit and the next, whose path is next ("" after the last edit).
// The first such entry lies in all pending directories in which any does.
func (d *decider) checkGap(next string) error {
	if !slices.ContainsFunc(d.way.Steps(), func(s api.Step[frame]) bool { return s.Of.pending }) {
		return nil
	}
	e, ok, err := d.gaps.Next(d.last + "/")
	if err == nil && ok && (next == "" || merkle.Compare(e.Path, next) < 0) {
		d.survive(e.Path)
	}
	return err
}

// survive takes back what is pending above path, which stays.
func (d *decider) survive(path string) {
	steps := d.way.Steps()
	for i := range steps {
		f := &steps[i].Of
		if !f.pending || !below(path, steps[i].Path) {
			continue
		}
		f.pending = false
		dec := f.edit
		dec.fate = kept
		if dec.New != nil {
			dec.fate = conflicted
		}
		d.fates[dec.n] = dec.fate
		d.report(dec)
	}
}

// report notes an edit that was not done.
func (d *decider) report(dec *decision) {
	switch dec.fate {
	case kept:
		d.special = true
		d.kept = append(d.kept, dec.Path)
	case conflicted:
		d.special = true
		d.clashes = append(d.clashes, api.Conflict{
			Path: dec.Path, From: dec.Base, Base: dec.base, Ours: dec.New, Theirs: dec.head, Open: true})
	}
}

// push notes the ancestors of path that are not noted yet. They have no edit, since that
// would have come before.
func (d *decider) push(path string) error {
	from := 0
	if steps := d.way.Steps(); len(steps) > 0 {
		from = len(steps[len(steps)-1].Path) + 1
	}
	for {
		i := strings.IndexByte(path[from:], '/')
		if i < 0 {
			return nil
		}
		from += i
		m, _, err := lookup(d.head, path[:from])
		if err != nil {
			return err
		}
		d.way.Note(api.Step[frame]{Path: path[:from], Standing: api.StandingOf(m)})
		from++
	}
}

// merge decides an edit by its path alone.
func (d *decider) merge(e api.Edit) (*decision, error) {
	dec := &decision{Edit: e, n: len(d.fates)}
	head, hash, err := lookup(d.head, e.Path)
	if err != nil {
		return nil, err
	}
	dec.head = head
	if hash == e.New.Hash() {
		dec.fate, dec.result = already, dec.head
		return dec, nil
	}
	if err := d.rebase(dec); err != nil {
		return nil, err
	}
	switch {
	case dec.base != nil && dec.Base == e.New.Hash(): // it was settled: that stands
		dec.fate, dec.result = dropped, dec.head
		d.special = true
		return dec, nil
	case hash == dec.Base:
		dec.fate, dec.result, dec.base = applied, e.New, dec.head
		return dec, nil
	}
	d.special = true
	if dec.base, err = d.findBase(dec); err != nil {
		return nil, err
	}
	if e.New == nil && dec.base == nil {
		dec.fate, dec.result = kept, dec.head
		return dec, nil
	}
	result, verdict := api.Merge(dec.base, e.New, dec.head)
	dec.result = result
	switch verdict {
	case api.TakeSame:
		dec.fate = already
	case api.TakeOurs:
		dec.fate = applied
	case api.TakeBoth:
		dec.fate = merged
	case api.TakeEdit:
		dec.fate = applied
		if e.New == nil {
			dec.fate = kept
		}
	case api.TakeNone:
		dec.fate, dec.result = conflicted, dec.head
	}
	return dec, nil
}

// rebase has an edit be one of the replica's version that was settled without it hearing of that.
func (d *decider) rebase(dec *decision) error {
	settled, err := d.news.at(dec.Path)
	if err != nil {
		return err
	}
	if ours := api.Rebase(dec.Base, settled); ours != nil {
		dec.Base, dec.base = ours.Hash(), ours
	}
	return nil
}

// findBase returns the manifest that an edit is based on, nil when it was not settled and no tree that the
// replica has seen has it.
func (d *decider) findBase(e *decision) (*manifest.Manifest, error) {
	if e.Base.IsZero() || e.base != nil {
		return e.base, nil
	}
	for _, c := range d.base {
		m, hash, err := lookup(c, e.Path)
		if err != nil {
			return nil, err
		}
		if hash == e.Base {
			return m, nil
		}
	}
	return nil, nil
}

// makeParents makes the parent of a new entry a directory of the result: it
// restores the directories that are not there. Below something else the edit conflicts.
func (d *decider) makeParents(dec *decision) error {
	absent, ok := d.way.Parents()
	if !ok {
		dec.fate, dec.result = conflicted, nil
		var err error
		dec.base, err = d.findBase(dec)
		return err
	}
	for _, s := range absent {
		m, err := d.restored(s.Path, dec.result.Mtime)
		if err != nil {
			return err
		}
		d.extra = append(d.extra, m)
		if s.Standing = api.IsDirectory; s.Of.edit != nil {
			d.fates[s.Of.edit.n] = merged // the replica deleted it and sends something below
		}
		d.special = true
	}
	return nil
}

// restored returns the change that brings a directory back, as the replica saw
// it, else as mkdir makes one.
func (d *decider) restored(path string, mtime manifest.Time) (merkle.Change, error) {
	m := &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755, Mtime: mtime}
	for _, c := range d.base {
		seen, _, err := lookup(c, path)
		if err != nil {
			return merkle.Change{}, err
		}
		if api.StandingOf(seen) == api.IsDirectory {
			m = seen
			break
		}
	}
	value, err := m.Encode()
	return merkle.Change{Path: path, New: value}, err
}

// place notes the edited entry.
func (d *decider) place(dec *decision) {
	d.report(dec)
	s := api.Step[frame]{Path: dec.Path, Standing: api.StandingOf(dec.result), Of: frame{edit: dec}}
	if dec.fate == merged {
		// A merged manifest is valid since those it is made of are.
		value, _ := dec.result.Encode()
		d.extra = append(d.extra, merkle.Change{Path: dec.Path, New: value})
	}
	if dec.result != nil {
		d.survive(dec.Path)
	}
	if api.StandingOf(dec.head) == api.IsDirectory && s.Standing != api.IsDirectory {
		s.Standing, s.Of.pending = api.IsDirectory, true
	}
	d.way.Note(s)
}

// below reports whether path lies below dir.
func below(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
}

// lookup returns the manifest of path with its hash, nil and zero when the tree does not have it.
func lookup(c *merkle.Cursor, path string) (*manifest.Manifest, cas.ID, error) {
	value, ok, err := c.Get(path)
	if err != nil || !ok {
		return nil, cas.ID{}, err
	}
	m, err := decodeEntry(path, value)
	return m, cas.Sum(value), err
}

func decodeEntry(path string, value []byte) (*manifest.Manifest, error) {
	m, err := manifest.Decode(value)
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", path, err)
	}
	return m, nil
}
