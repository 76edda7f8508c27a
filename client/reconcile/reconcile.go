// Package reconcile decides, path by path, what a replica does about what
// differs between its base, its directory and the hub's head. It is pure: it
// reads no disk, asks no hub and knows no clock.
package reconcile

import (
	"dfs/manifest"
	"dfs/server/api"
)

// Action is what is to be done about a path.
type Action int

// The actions.
const (
	// Nothing: the hub's version is the base's; what the directory has is for a push.
	Nothing Action = iota
	// Advance: leave the directory as it is; the base becomes the hub's version.
	Advance
	// Keep is Advance where the directory's edit survives the hub's deletion.
	Keep
	// Apply: make the directory have Plan.Result; the base becomes the hub's version.
	Apply
	// Restore is Apply where the directory had deleted what the hub edited.
	Restore
	// Conflict: both changed it differently; leave directory and base alone.
	Conflict
)

// Plan is the decision about one path.
type Plan struct {
	Action Action
	Result *manifest.Manifest // for Apply and Restore: what to make of the path; nil is absent
}

// Pull decides about a path of which the base has base, the directory local and
// the hub's head remote; nil is absent. A result that the directory has
// already needs no Apply: what then differs from the hub is for a push.
func Pull(base, local, remote *manifest.Manifest) Plan {
	if manifest.Equal(base, remote) {
		return Plan{Action: Nothing}
	}
	if base == nil && isDirectory(local) && isDirectory(remote) {
		// Joined, or half made by a pull that was interrupted.
		return apply(local, remote)
	}
	result, verdict := api.Merge(base, local, remote)
	switch {
	case verdict == api.TakeNone:
		return Plan{Action: Conflict}
	case verdict == api.TakeEdit && remote == nil:
		return Plan{Action: Keep}
	case verdict == api.TakeEdit:
		return Plan{Action: Restore, Result: remote}
	}
	return apply(local, result)
}

// apply makes the directory, which has local, have result.
func apply(local, result *manifest.Manifest) Plan {
	if manifest.Equal(result, local) {
		return Plan{Action: Advance}
	}
	return Plan{Action: Apply, Result: result}
}

func isDirectory(m *manifest.Manifest) bool { return m != nil && m.Kind == manifest.Directory }
