package client

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"dfs/cas"
	"dfs/manifest"
)

// The bounds of a run's deletions where the user gives none: it may delete so few files
// whatever their share, and so many at most.
const (
	fewDeletions  = 20
	mostDeletions = 10_000
)

// DeleteLimit bounds how many files a run may delete, on either side. The zero DeleteLimit
// is the usual bound: half of the base, where that is more than 20 files, and 10,000.
type DeleteLimit struct {
	Given   bool
	Files   int64 // at most so many, unless Percent is given
	Percent int   // 1 to 100: at most this share of the base's files; 100 allows all of them to go
}

// exceeded reports whether so many deletions, of so many files in the base, are too many.
func (l DeleteLimit) exceeded(deleted, base int64) bool {
	switch {
	case deleted == 0:
		return false
	case l.Given && l.Percent > 0:
		return deleted*100 > base*int64(l.Percent)
	case l.Given:
		return deleted > l.Files || deleted >= base && deleted > fewDeletions
	}
	return deleted > fewDeletions && deleted*2 > base || deleted > mostDeletions
}

// allowing returns the flag with which a run of so many deletions goes on.
func allowing(deleted, base int64) string {
	if deleted >= base && deleted > fewDeletions {
		return "--max-delete 100%"
	}
	return fmt.Sprintf("--max-delete %d", deleted)
}

// deletions counts the files that a run deletes and the base has. What turns up at
// another path, with the same content, is moved and not deleted.
type deletions struct {
	count, base int64
	first       string    // a path among them
	gone        []uint64  // contents that lose a path
	come        []arrival // contents that get one
	moved       int64     // bytes of those that lose one, too
}

// arrival is a content that gets a path, with the bytes that it takes there.
type arrival struct {
	key   uint64
	bytes int64
}

// add counts a path that has old in the base and becomes new, of so many bytes; nil is absent.
func (d *deletions) add(path string, old, new []byte, bytesNew int64) error {
	if old != nil && bytes.Equal(old, new) {
		return nil
	}
	was, err := contentKey(old)
	if err != nil {
		return err
	}
	becomes, err := contentKey(new)
	if err != nil {
		return err
	}
	if becomes != 0 && becomes != was {
		d.come = append(d.come, arrival{becomes, bytesNew})
	}
	if was != 0 && becomes == 0 {
		d.gone = append(d.gone, was)
		if d.first == "" {
			d.first = path
		}
	}
	return nil
}

// contentKey tells contents of files and symlinks apart; 0 is a directory, or nothing.
func contentKey(value []byte) (uint64, error) {
	m, err := decode(value)
	if err != nil || m == nil || m.Kind == manifest.Directory {
		return 0, err
	}
	m.Mode, m.Mtime, m.Ext = 0, manifest.Time{}, nil
	b, err := m.Encode()
	if err != nil {
		return 0, err
	}
	return prefix(cas.Sum(b)) | 1, nil
}

// settle sets count, the contents that are gone from a path and came to none, and moved.
func (d *deletions) settle() {
	slices.Sort(d.gone)
	slices.SortFunc(d.come, func(a, b arrival) int { return cmp.Compare(a.key, b.key) })
	d.count, d.moved = 0, 0
	come := d.come
	for _, key := range d.gone {
		for len(come) > 0 && come[0].key < key {
			come = come[1:]
		}
		if len(come) > 0 && come[0].key == key {
			d.moved += come[0].bytes
			come = come[1:]
			continue
		}
		d.count++
	}
}

// check stops a run that deletes too much on side.
func (d *deletions) check(r *run, side Side) error {
	if !r.cfg.MaxDelete.exceeded(d.count, d.base) {
		return nil
	}
	where, look := "on the hub", "If files are missing here that should not be (not mounted? moved away?), bring them back first"
	if side == Remote {
		where, look = "here", "If that is not what somebody meant to do on the hub, restore the files there first"
	}
	return brake("this would delete %d of %d files %s, such as %q. Nothing was changed. %s; %s lists all. To have them deleted: %s",
		d.count, d.base, where, d.first, look, r.again("--dry-run"), r.again(allowing(d.count, d.base)))
}

// checkDeletions stops a push that would delete too much. Moves are looked for only where there
// are many deletions.
func (p *pusher) checkDeletions() error {
	s := &p.r.result.Summary
	d := deletions{base: p.r.meter.unchanged.Load() + p.r.outside + s.Modified + s.Deleted}
	if !p.r.cfg.MaxDelete.exceeded(s.Deleted, d.base) {
		return nil
	}
	edits, err := p.spool.Reread()
	if err != nil {
		return err
	}
	defer edits.Close()
	for {
		rec, ok, err := edits.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := d.add(rec.Path, rec.Base, rec.Remote, 0); err != nil {
			return err
		}
	}
	d.settle()
	return d.check(p.r, Local)
}
