package reconcile

import (
	"dfs/manifest"
	"dfs/server/api"
)

// Mode says which way changes go.
type Mode int

// The modes.
const (
	ModePush Mode = iota // from the directory to the hub
	ModePull             // from the hub to the directory
	ModeSync             // both: push, then pull
)

// Outcome is what a run leaves at one path.
type Outcome struct {
	Local, Remote *manifest.Manifest // what the directory and the head have; nil is absent
	Conflict      bool               // both changed it differently: each side keeps its own
	Kept          bool               // a deletion gave way to an edit of the other side
}

// Run tells what a run in the given mode makes of a path of which the base has base, the directory
// local and the hub's head remote; nil is absent. It is about the path alone: what stands above
// it, or lives below it, can make a conflict where Run sees none.
func Run(mode Mode, base, local, remote *manifest.Manifest) Outcome {
	o := Outcome{Local: local, Remote: remote}
	if mode != ModePull {
		base = o.push(base)
	}
	if mode != ModePush && !o.Conflict {
		o.pull(base)
	}
	return o
}

// push sends the directory's edit, as the hub takes it, and returns the base after it.
func (o *Outcome) push(base *manifest.Manifest) *manifest.Manifest {
	if manifest.Equal(base, o.Local) || rides(base, o.Local) {
		return base
	}
	result, verdict := api.Merge(base, o.Local, o.Remote)
	switch {
	case verdict == api.TakeNone:
		o.Conflict = true
		return base
	case verdict == api.TakeEdit && o.Local == nil:
		o.Kept = true
		return base
	}
	o.Remote = result
	return o.Local
}

func (o *Outcome) pull(base *manifest.Manifest) {
	plan := Pull(base, o.Local, o.Remote)
	switch plan.Action {
	case Conflict:
		o.Conflict = true
	case Keep:
		o.Kept = true
	case Restore:
		o.Kept, o.Local = true, plan.Result
	case Apply:
		o.Local = plan.Result
	}
}

// rides reports whether a directory's mtime is all that differs: it is sent only along with a
// change inside.
func rides(base, local *manifest.Manifest) bool {
	if !isDirectory(base) || !isDirectory(local) {
		return false
	}
	same := *local
	same.Mtime = base.Mtime
	return manifest.Equal(base, &same)
}
