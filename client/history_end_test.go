package client_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dfs/client"
	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/server/api"
)

// stabilise lets the users stop, settles all conflicts, and then synchronises until nothing moves: at
// most one round more than there are replicas.
func (h *history) stabilise() {
	for _, m := range h.replicas {
		m.away = 0
	}
	h.settle()
	for round := 0; ; round++ {
		if round > len(h.replicas)+1 {
			h.fail("after %d rounds there is still something to do", round)
		}
		quiet := true
		for _, m := range h.replicas {
			before := h.head.snapshot
			res := h.must(m, synchronise, reconcile.Manual)
			changes := res.Added + res.Modified + res.Deleted + res.Moved
			if len(res.Conflicts)+len(res.Problems) > 0 {
				h.fail("%s sync: conflicts %q and problems %v after all was settled", m.name, res.Conflicts, res.Problems)
			}
			quiet = quiet && changes == 0 && h.head.snapshot == before
		}
		if quiet {
			break
		}
	}
	for _, m := range h.replicas {
		h.again(m)
		h.equal(m)
		h.nothingLeft(m)
	}
}

// settle synchronises until there is no conflict any more. What a strategy does not settle, the user
// does: by giving way, or with a decision on the hub.
func (h *history) settle() {
	for round := 0; ; round++ {
		if round > 12 {
			h.fail("the conflicts do not come to an end")
		}
		quiet := true
		for _, m := range h.replicas {
			res := h.must(m, synchronise, strategies[h.rng.IntN(len(strategies))])
			h.listed(m, res)
			quiet = quiet && len(res.Conflicts)+len(res.Problems) == 0
			if round < 4 && h.rng.IntN(2) == 0 {
				h.resolve()
				continue
			}
			h.act(m, "give way", func() string {
				for _, path := range res.Conflicts {
					h.giveWay(filepath.Join(m.dir, path))
				}
				return strings.Join(res.Conflicts, " ")
			})
		}
		if quiet && round > 0 {
			return
		}
	}
}

// giveWay removes what stands at a path, or in its way.
func (h *history) giveWay(path string) {
	for isNoDirectory(filepath.Dir(path)) {
		path = filepath.Dir(path)
	}
	if err := os.RemoveAll(path); err != nil {
		h.fail("%v", err)
	}
}

func isNoDirectory(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return isNoDirectory(filepath.Dir(path))
	}
	return !info.IsDir()
}

// again synchronises a replica that is in accord with the hub: nothing happens, in few requests.
func (h *history) again(m *member) {
	const few = 4
	before, tree := h.head.snapshot, m.tree
	w := &wire{box: h.box}
	res, err := synchronise.run(background, h.config(m, w, reconcile.Manual))
	if err != nil || !clean(res) || res.Added+res.Modified+res.Deleted+res.Moved > 0 {
		h.fail("%s sync once more: %+v, %v", m.name, res, err)
	}
	h.look(m)
	if !maps.Equal(tree, m.tree) || h.head.snapshot != before {
		h.fail("%s: one more sync changed something: %+v\n%v\n%v", m.name, res, tree, m.tree)
	}
	if n := w.calls.Load(); n > few {
		h.fail("%s: a sync that had nothing to do took %d requests: %v", m.name, n, w.named())
	}
	h.count("sync once more")
}

// equal checks that a replica has what the head has, and that status says so.
func (h *history) equal(m *member) {
	paths := maps.Clone(m.tree)
	maps.Copy(paths, h.head.tree)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if m.tree[path].what != h.head.tree[path].what {
			h.fail("%s has %q at %s, the head %q", m.name, m.tree[path].what, path, h.head.tree[path].what)
		}
	}
	st, err := client.Inspect(background, h.config(m, &wire{box: h.box}, reconcile.Manual), false, func(c client.Change) error {
		h.fail("%s status: %+v", m.name, c)
		return nil
	})
	if err != nil || st.Seen != st.Head || len(st.Problems) > 0 {
		h.fail("%s status: %+v, %v", m.name, st, err)
	}
	if open := h.open(m); len(open) > 0 {
		h.fail("%s has conflicts open: %q", m.name, open)
	}
}

// open returns the paths at which a replica has conflicts open on the hub.
func (h *history) open(m *member) (paths []string) {
	id, _, err := replica.LoadIdentity(m.dir)
	if err != nil {
		h.fail("%s: %v", m.name, err)
	}
	for c, err := range h.box.hub().Conflicts(background, api.ConflictsRequest{Volume: h.head.volume, Replica: id.Replica}) {
		if err != nil {
			h.fail("%s: %v", m.name, err)
		}
		paths = append(paths, c.Path)
	}
	return paths
}

// listed checks that the conflicts of a sync are those that the hub lists, and that what waits does so for one of them.
func (h *history) listed(m *member, res *client.Result) {
	if open := h.open(m); !slices.Equal(res.Conflicts, open) {
		h.fail("%s sync: conflicts %q, while the hub has %q open", m.name, res.Conflicts, open)
	}
	waits := map[string]bool{}
	for _, w := range res.Waits {
		if waits[w.Path] || !slices.Contains(res.Conflicts, w.For) || slices.Contains(res.Conflicts, w.Path) {
			h.fail("%s sync: waits %+v, conflicts %q", m.name, res.Waits, res.Conflicts)
		}
		waits[w.Path] = true
	}
}

// nothingLeft checks that there are no temporary files.
func (h *history) nothingLeft(m *member) {
	filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (strings.Contains(d.Name(), ".dfs-tmp") || strings.Contains(d.Name(), ".new-")) {
			h.fail("left behind: %s", path)
		}
		return nil
	})
}
