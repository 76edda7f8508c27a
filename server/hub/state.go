package hub

import "dfs/server/api"

// legal lists, for each state of a session, the states that may follow it.
// What is in none of the lists has ended. A client reports the states of its own work,
// which a sync does between its edits and its commit, so a live session goes
// back and forth among the middle ones.
var legal = map[api.State][]api.State{
	api.Idle: {api.ComputingDiff, api.RequestingMetadata, api.TransferringFiles, api.ResolvingConflicts, api.ApplyingChanges,
		api.Complete, api.Failed, api.Aborted, api.Braked, api.Expired},
	api.ComputingDiff: {api.RequestingMetadata, api.TransferringFiles, api.ResolvingConflicts, api.ApplyingChanges,
		api.Complete, api.Failed, api.Aborted, api.Braked, api.Expired},
	api.RequestingMetadata: {api.TransferringFiles, api.ResolvingConflicts, api.ApplyingChanges,
		api.Complete, api.Failed, api.Aborted, api.Braked, api.Expired},
	api.TransferringFiles: {api.ResolvingConflicts, api.ApplyingChanges,
		api.Complete, api.Failed, api.Aborted, api.Braked, api.Expired},
	api.ResolvingConflicts: {api.RequestingMetadata, api.TransferringFiles, api.ApplyingChanges,
		api.Complete, api.Failed, api.Aborted, api.Braked, api.Expired},
	api.ApplyingChanges: {api.RequestingMetadata, api.TransferringFiles, api.ResolvingConflicts,
		api.Complete, api.Failed, api.Aborted, api.Braked, api.Expired},
}

// ended reports whether no state follows s.
func ended(s api.State) bool { return len(legal[s]) == 0 }

// may reports whether a session in state from may go to state to. To stay is
// legal until the end.
func may(from, to api.State) bool {
	if from == to {
		return !ended(from)
	}
	for _, s := range legal[from] {
		if s == to {
			return true
		}
	}
	return false
}

// afterDiff returns the state of a session in state from that stages a part: REQUESTING_METADATA with
// its first, and later ones come while files cross. One that has staged none yet and only asks about blobs is
// still comparing.
func afterDiff(from api.State, asks bool) api.State {
	switch {
	case from == api.TransferringFiles:
		return from
	case asks && (from == api.Idle || from == api.ComputingDiff):
		return api.ComputingDiff
	}
	return api.RequestingMetadata
}
