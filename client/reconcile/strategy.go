package reconcile

import (
	"strings"

	"dfs/manifest"
	"dfs/server/api"
)

// A Strategy settles conflicts without asking.
type Strategy string

// The strategies.
const (
	Manual Strategy = "manual" // leave them open
	LWW    Strategy = "lww"    // the version with the newer mtime takes the path
	Merge  Strategy = "merge"  // texts are merged line by line where that is clean
	Copy   Strategy = "copy"   // the head's version takes the path, ours becomes a file beside it
)

// What a user may take. TakeEdit is what the hub records of a conflict that its replica's own edit settled,
// and TakeWithdrawn of one where its replica has the head's version.
const (
	TakeOurs   = "ours"
	TakeTheirs = "theirs"
	TakeBoth   = "both"
	TakeBase   = "base"
	TakeFile   = "file"
	TakeEdit   = api.ByEdit

	TakeWithdrawn = api.Withdrawn
)

// MaxText is the most bytes of a file that is merged line by line.
const MaxText = 16 << 20

// Decision is what becomes of a conflict. The zero Decision leaves it open.
type Decision struct {
	Take   string             // what was decided, as the hub records it; empty: nothing
	Result *manifest.Manifest // what the path becomes at the head; nil is absent
	Copy   string             // the path that Ours gets besides; empty: none
	Merge  bool               // Result lacks its content, which is the merge of the three versions
}

// Settle decides conflicts by a strategy. They are of one replica, in path order. above returns the
// path of what is at the head no directory and stands above a path, or "". LWW asks times about such paths, and
// about those of conflicts of which one side is a directory.
func (s Strategy) Settle(conflicts []api.Conflict, above func(path string) string, times Times) []Decision {
	if s == LWW {
		return lww(conflicts, above, times)
	}
	decisions := make([]Decision, len(conflicts))
	var under moved
	for i := range conflicts {
		c := &conflicts[i]
		wall := above(c.Path)
		switch {
		case s == Copy:
			decisions[i] = under.aside(c, wall, string(Copy))
		case wall != "" || isDirectory(c.Ours) || isDirectory(c.Theirs):
		case s == Merge:
			decisions[i] = mergeText(c)
		}
	}
	return decisions
}

// Choose decides conflicts as a user says with TakeOurs, TakeTheirs, TakeBoth or TakeBase. They are
// as in [Strategy.Settle].
func Choose(take string, conflicts []api.Conflict, above func(path string) string) []Decision {
	decisions := make([]Decision, len(conflicts))
	var under moved
	for i := range conflicts {
		c := &conflicts[i]
		switch take {
		case TakeOurs:
			decisions[i] = Decision{Take: take, Result: c.Ours}
		case TakeTheirs:
			decisions[i] = Decision{Take: take, Result: c.Theirs}
		case TakeBase:
			decisions[i] = Decision{Take: take, Result: c.Base}
		case TakeBoth:
			decisions[i] = under.aside(c, above(c.Path), take)
		}
	}
	return decisions
}

// newer takes the version with the newer mtime, an edit before a deletion.
func newer(c *api.Conflict) Decision {
	d := Decision{Take: string(LWW), Result: c.Ours}
	if c.Theirs == nil {
		return d
	}
	order := c.Ours.Mtime.Compare(c.Theirs.Mtime)
	if order == 0 {
		order = c.Ours.Hash().Compare(c.Theirs.Hash())
	}
	if order < 0 {
		d.Result = c.Theirs
	}
	return d
}

// mergeText has files merged that may be texts. Their attributes merge one by one.
func mergeText(c *api.Conflict) Decision {
	for _, m := range []*manifest.Manifest{c.Base, c.Ours, c.Theirs} {
		if m == nil || m.Kind != manifest.File || m.Size > MaxText {
			return Decision{}
		}
	}
	m := &manifest.Manifest{Kind: manifest.File, Mode: c.Theirs.Mode, Ext: c.Theirs.Ext, Mtime: c.Theirs.Mtime}
	if c.Theirs.Mode == c.Base.Mode {
		m.Mode = c.Ours.Mode
	}
	if c.Ours.Mtime.Compare(m.Mtime) > 0 {
		m.Mtime = c.Ours.Mtime
	}
	return Decision{Take: string(Merge), Result: m, Merge: true}
}

// moved is a directory that became a copy, as what lies in it is to do too.
type moved struct{ from, to string }

// aside leaves the path to the head's version and has Ours become a copy: beside it, beside what
// stands in its way above, or in the copy of its directory.
func (m *moved) aside(c *api.Conflict, wall, take string) Decision {
	d := Decision{Take: take, Result: c.Theirs}
	if m.from != "" && strings.HasPrefix(c.Path, m.from+"/") {
		d.Copy = m.to + c.Path[len(m.from):]
		if len(d.Copy) > manifest.MaxPath {
			return Decision{}
		}
		return d
	}
	if c.Theirs == nil && wall == "" { // deleted there since: an edit beats a deletion
		d.Result = c.Ours
		return d
	}
	where := c.Path
	if wall != "" {
		where = wall[:strings.LastIndexByte(wall, '/')+1] + where[strings.LastIndexByte(where, '/')+1:]
	}
	var ok bool
	if d.Copy, ok = api.CopyName(where, c); !ok {
		return Decision{}
	}
	if isDirectory(c.Ours) {
		*m = moved{c.Path, d.Copy}
	}
	return d
}
