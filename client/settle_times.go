package client

import (
	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/server/api"
)

// times returns the times of what the head has where conflicts are about a directory: see reconcile.Strategy.Settle.
func (r *run) times(list []api.Conflict, above func(path string) string) (reconcile.Times, error) {
	at := map[string]*reconcile.Newest{}
	for _, c := range list {
		if wall := above(c.Path); wall != "" {
			at[wall] = new(reconcile.Newest)
		} else if isDirectory(c.Ours) || isDirectory(c.Theirs) {
			at[c.Path] = new(reconcile.Newest)
		}
	}
	told := func(path string) (manifest.Time, bool) {
		n := at[path]
		return n.Time, n.Any
	}
	if len(at) == 0 {
		return told, nil
	}
	return told, r.eachRecord(func(rec replica.Record) error {
		if rec.Remote == nil || rec.Ignored || !rec.Pending() {
			return nil
		}
		for i := range len(rec.Path) + 1 {
			if i < len(rec.Path) && rec.Path[i] != '/' || at[rec.Path[:i]] == nil {
				continue
			}
			m, err := decode(rec.Remote)
			if err != nil {
				return err
			}
			at[rec.Path[:i]].Add(m)
		}
		return nil
	})
}
