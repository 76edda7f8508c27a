package client_test

import (
	"maps"
	"strings"

	"dfs/client"
	"dfs/client/reconcile"
	"dfs/client/replica"
)

// foreseen is what a dry sync says will be.
type foreseen struct {
	here, there map[string]bool // the paths of the replica and of the head
	before      tree            // of the replica
	res         *client.Result
}

// foretell has a dry sync tell what a sync would do, which changes nothing. It returns nil where it may not.
func (h *history) foretell(m *member, strategy reconcile.Strategy) *foreseen {
	if _, joined, err := replica.LoadIdentity(m.dir); err != nil || !joined || m.adopt || strategy == reconcile.Copy {
		return nil
	}
	h.look(m)
	h.see()
	before, head, snapshot := m.tree, h.head.tree, h.head.snapshot
	cfg := h.config(m, &wire{box: h.box}, strategy)
	cfg.DryRun = true
	res, err := synchronise.run(background, cfg)
	if err != nil {
		h.fail("%s sync -n: %v", m.name, err)
	}
	h.look(m)
	h.see()
	if !maps.Equal(before, m.tree) || !maps.Equal(head, h.head.tree) || snapshot != h.head.snapshot {
		h.fail("%s sync -n changed something", m.name)
	}
	f := &foreseen{here: paths(before), there: paths(head), before: before, res: res}
	for _, c := range res.Changes {
		at := f.here
		if c.Side == client.Local {
			at = f.there
		}
		switch c.Op {
		case client.Moved:
			delete(at, c.From)
			at[c.Path] = true
		case client.Deleted:
			delete(at, c.Path)
		default:
			at[c.Path] = true
		}
	}
	h.count("sync -n")
	return f
}

func paths(t tree) map[string]bool {
	all := map[string]bool{}
	for path := range t {
		all[path] = true
	}
	return all
}

// came checks that the sync did what was foretold, where neither met a conflict that stays: the hub names some at other
// paths, where a file takes the place of a directory. Empty directories below such are not foretold either, and what
// an interrupted run left is not named.
func (h *history) came(m *member, f *foreseen, res *client.Result) {
	if f == nil || !clean(f.res) || !clean(res) {
		return
	}
	settled := len(f.res.Settlings) > 0
	h.differ(m, "the head", f, f.there, h.head.tree, func(string) bool { return false })
	h.differ(m, "the replica", f, f.here, m.tree, func(path string) bool {
		return strings.Contains(path, ".dfs-tmp-") || settled && f.before[path].what != "" && f.before[path].value == ""
	})
	h.count("sync -n, then sync as foretold")
}

// differ compares what was foretold of a tree with what came of it.
func (h *history) differ(m *member, where string, f *foreseen, foretold map[string]bool, found tree, except func(path string) bool) {
	all := paths(found)
	maps.Copy(all, foretold)
	for path := range all {
		if _, is := found[path]; is != foretold[path] && !except(path) {
			h.fail("%s sync: that %s has %s: %v, foretold: %v, by %+v", m.name, where, path, is, foretold[path], f.res.Changes)
		}
	}
}
