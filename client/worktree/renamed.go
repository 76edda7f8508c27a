package worktree

import (
	"time"

	"dfs/manifest"
)

// renameSlack is how much later than its directory's the ctime of a renamed file may be: a rename sets one
// after the other, and times advance in ticks of at most 10 ms.
const renameSlack = 20 * time.Millisecond

// Renamed reports whether e, an entry of this run's scan, is still there and is the file of rec,
// which has another path by now. Inode, size and modification time are rec's, and the inode was
// given out before rec was made: so it is not that of a file which was removed since. Its ctime is rec's (the
// directory was renamed), or no later than its directory's (the file was): after it came to its place nothing was done
// to it. That the content is rec's follows, unless somebody changed it and set the modification time back before
// he renamed it. Where the file system does
// not tell when a file was made, no file is.
func (r *Root) Renamed(rec *Record, e Entry) bool {
	if rec.Racy || e.Kind != manifest.File || e.Ino == 0 || e.Ino != rec.Ino || e.Size != rec.Size || e.Mtime != rec.Mtime {
		return false
	}
	parent, name := split(e.Path)
	d, err := r.dir.sub(parent)
	if err != nil {
		return false
	}
	defer d.close()
	born, ok := d.born(name)
	if !ok || born.Compare(rec.Ctime) > 0 {
		return false
	}
	if e.Ctime != rec.Ctime {
		at, err := d.self()
		if err != nil || since(e.Ctime, at.Ctime) > renameSlack {
			return false
		}
	}
	now, err := d.stat(name)
	now.Path = e.Path
	return err == nil && now == e && r.left(rec.Path, e)
}

// left reports whether something else than e or nothing is at path, in e's file system.
func (r *Root) left(path string, e Entry) bool {
	now, err := r.Stat(path)
	if err == nil {
		return now.Dev == e.Dev && now.Ino != e.Ino
	}
	for replaced(err) && path != "" {
		path, _ = split(path)
		var d dir
		if d, err = r.dir.sub(path); err != nil {
			continue
		}
		now, err = d.self()
		d.close()
		return err == nil && now.Dev == e.Dev
	}
	return false
}

// since returns how much later than u t is.
func since(t, u manifest.Time) time.Duration {
	return time.Unix(t.Sec, int64(t.Nsec)).Sub(time.Unix(u.Sec, int64(u.Nsec)))
}
