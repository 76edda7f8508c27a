package reconcile

import (
	"strings"

	"dfs/manifest"
	"dfs/server/api"
)

// Times tells the time of what the head has at a path: of what is no directory its mtime, and of a directory that
// of the newest edit in it that the replica has not seen. ok is false where there is none.
type Times func(path string) (time manifest.Time, ok bool)

// Newest is the time of a directory of which some things are new: the newest mtime of files and links, and of
// directories where there is nothing else, since theirs tell of no edit. The zero Newest has no time.
type Newest struct {
	Time manifest.Time
	Any  bool // there is a time
	file bool // it is of no directory
}

// Add takes in what is new.
func (n *Newest) Add(m *manifest.Manifest) {
	file := !isDirectory(m)
	if !n.Any || file && !n.file || file == n.file && m.Mtime.Compare(n.Time) > 0 {
		*n = Newest{m.Mtime, true, file}
	}
}

// lww decides by the newer mtime. A directory is decided about with all that conflicts in it, by the
// newest of that, and goes before what is as new. So it is where the conflicts have what gives way; where they do not,
// they are left open: they have neither what is in a directory of the head nor what stands above their paths.
func lww(conflicts []api.Conflict, above func(path string) string, times Times) []Decision {
	decisions := make([]Decision, len(conflicts))
	for i, n := 0, 1; i < len(conflicts); i, n = i+n, 1 {
		c := &conflicts[i]
		top := above(c.Path)
		if top == "" && isDirectory(c.Ours) && c.Theirs != nil && !isDirectory(c.Theirs) {
			top = c.Path
		}
		switch {
		case top != "":
			for i+n < len(conflicts) && strings.HasPrefix(conflicts[i+n].Path, top+"/") {
				n++
			}
			newerDirectory(conflicts[i:i+n], top, times, decisions[i:])
		case !isDirectory(c.Theirs):
			decisions[i] = newer(c)
		case !isDirectory(c.Ours):
			if time, ok := times(c.Path); ok && time.Compare(c.Ours.Mtime) >= 0 {
				decisions[i] = Decision{Take: string(LWW), Result: c.Theirs}
			}
		}
	}
	return decisions
}

// newerDirectory decides about what a replica has at and below top, where the head has something that is no directory.
func newerDirectory(conflicts []api.Conflict, top string, times Times, decisions []Decision) {
	theirs, ok := times(top)
	if !ok {
		return
	}
	var ours Newest
	for i := range conflicts {
		ours.Add(conflicts[i].Ours)
	}
	wins := theirs.Compare(ours.Time) > 0
	if !wins && conflicts[0].Path != top {
		return
	}
	for i := range conflicts {
		decisions[i] = Decision{Take: string(LWW), Result: conflicts[i].Ours}
		if wins {
			decisions[i].Result = conflicts[i].Theirs
		}
	}
}
