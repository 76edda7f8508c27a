package hub

import (
	"dfs/cas"
	"dfs/server/api"
)

// news are the settlements of a replica's conflicts that it has not heard of.
type news struct {
	h      *Hub
	volume cas.VolumeID
	paths  map[string][]conflictName
}

// newsOf returns what the replica of a session has not heard of.
func (h *Hub) newsOf(s *session) (news, error) {
	n := news{h: h, volume: s.slot.volume, paths: make(map[string][]conflictName)}
	names, err := h.settledConflicts(n.volume, s.slot.replica, s.heard())
	for _, name := range names {
		n.paths[name.path] = append(n.paths[name.path], name)
	}
	return n, err
}

// at returns the conflicts at a path, by the numbers of their settlements.
func (n *news) at(path string) ([]api.Conflict, error) {
	var settled []api.Conflict
	for _, name := range n.paths[path] {
		c, err := n.h.loadConflict(n.volume, name)
		if err != nil {
			return nil, err
		}
		if c != nil {
			settled = append(settled, *c)
		}
	}
	return settled, nil
}

// settledConflicts returns the conflicts of a replica that were settled with a higher number than after, by
// their numbers.
func (h *Hub) settledConflicts(v cas.VolumeID, replica api.ReplicaID, after uint64) (names []conflictName, err error) {
	err = h.meta.eachFrom(settlementsKey(v, replica), settledKey(v, replica, after+1), false, func(key, value []byte) error {
		name, err := parseSettled(key, value)
		names = append(names, name)
		return err
	})
	return names, err
}
