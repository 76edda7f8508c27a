package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dfs/cas"
	"dfs/client"
	"dfs/manifest"
	"dfs/server/api"
)

var background = context.Background()

// value is the content of a file or the target of a symlink; "" is that of a directory or an empty file. No
// two writes have the same value.
type value string

// node is what stands at a path: what tells it whole.
type node struct {
	what  string
	value value
}

// tree is a directory, or a head.
type tree map[string]node

// ledger knows each value that was ever written, and what became of it.
type ledger struct {
	written  map[value]string // by whom, for messages
	released map[value]string // who had it and overwrote or removed it
	thinned  places           // where somebody who had it twice overwrote or removed it
	stood    places           // where it was last
	gone     map[value]bool   // in no tree, not at the head, in no open conflict: may not come back
	merged   map[value]bool   // made by dfs
	past     map[value]bool   // in some snapshot
	tainted  bool             // a replica lost what it knew: that a value is in a snapshot is all that can be asked then
	head     head
}

// places are the paths of values.
type places map[value]map[string]bool

func (p places) add(v value, path string) {
	if v == "" {
		return
	}
	if p[v] == nil {
		p[v] = map[string]bool{}
	}
	p[v][path] = true
}

// head is the volume's newest snapshot.
type head struct {
	volume   cas.VolumeID
	snapshot cas.ID
	tree     tree
}

func newLedger() ledger {
	return ledger{
		written: map[value]string{}, released: map[value]string{}, gone: map[value]bool{},
		merged: map[value]bool{}, past: map[value]bool{}, head: head{tree: tree{}},
		thinned: places{}, stood: places{},
	}
}

// scan reads a directory.
func scan(dir string) (tree, error) {
	found := tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch rel {
		case ".":
			return nil
		case ".dfs":
			return fs.SkipDir
		}
		n, err := read(path)
		found[filepath.ToSlash(rel)] = n
		return err
	})
	return found, err
}

// read tells what stands at a path; nothing is the zero node.
func read(path string) (node, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return node{}, nil
	case err != nil:
		return node{}, err
	case info.IsDir():
		return node{what: fmt.Sprintf("directory %v", info.Mode().Perm())}, nil
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(path)
		return link(target), err
	}
	data, err := os.ReadFile(path)
	return file(cas.Sum(data), len(data), info.Mode().Perm(), info.ModTime().Unix(), info.ModTime().Nanosecond()), err
}

func link(target string) node { return node{"link " + target, value("link " + target)} }

func file(id cas.ID, size int, mode fs.FileMode, sec int64, nsec int) node {
	if size == 0 {
		return node{what: fmt.Sprintf("empty file %v %d.%09d", mode, sec, nsec)}
	}
	return node{fmt.Sprintf("file %s %v %d.%09d", id.Short(), mode, sec, nsec), value(id.Short())}
}

// nodeOf tells what a manifest stands for.
func nodeOf(m *manifest.Manifest) node {
	switch {
	case m == nil:
		return node{}
	case m.Kind == manifest.Directory:
		return node{what: fmt.Sprintf("directory %v", fs.FileMode(m.Mode))}
	case m.Kind == manifest.Symlink:
		return link(m.Target)
	}
	var id cas.ID
	if len(m.Runs) > 0 {
		id = m.Runs[0].ID
	}
	return file(id, int(m.Size), fs.FileMode(m.Mode), m.Mtime.Sec, int(m.Mtime.Nsec))
}

func (t tree) values() map[value]bool {
	all := map[value]bool{}
	for _, n := range t {
		all[n.value] = true
	}
	delete(all, "")
	return all
}

// look reads a replica's directory.
func (h *history) look(m *member) {
	t, err := scan(m.dir)
	if err != nil {
		h.fail("%v", err)
	}
	m.tree = t
}

// act has a user do something: what it was is the operation's name with what act returns. Values that
// the tree had and has no more were overwritten or removed by one who had them.
func (h *history) act(m *member, op string, act func() string) {
	before := m.tree
	what := fmt.Sprintf("%s: %s %s", m.name, op, act())
	h.look(m)
	after := m.tree.values()
	for v := range before.values() {
		if !after[v] {
			h.released[v] = what
		}
	}
	h.thin(m, before)
	changed := false
	for path, n := range m.tree {
		if n == before[path] {
			continue
		}
		changed = true
		m.touched[n.value] = true
		if n.value != "" && h.written[n.value] == "" {
			h.written[n.value] = what
			what += fmt.Sprintf(" [%s]", n.value)
		}
	}
	if changed || len(before) != len(m.tree) {
		h.count(op)
		h.tell("%s", what)
	}
}

// thin takes note of where values were let go of which there is another copy, unless it has just been made. Who
// lets go of what was moved lets go of it where it was, too.
func (h *history) thin(m *member, before tree) {
	made := places{}
	for path, n := range m.tree {
		if n.value != before[path].value {
			made.add(n.value, path)
		}
	}
	for path, n := range before {
		if m.tree[path].value == n.value {
			continue
		}
		from := append([]string{path}, m.moved[spot{n.value, path}]...)
		for to := range made[n.value] {
			at := spot{n.value, to}
			m.moved[at] = slices.Compact(slices.Sorted(slices.Values(append(from, m.moved[at]...))))
		}
		for _, path := range from {
			if made[n.value] == nil {
				h.thinned.add(n.value, path)
			}
		}
	}
}

// see takes note of a new head, and returns the values that came to it.
func (h *history) see() map[value]bool {
	hub := h.box.hub()
	if h.head.volume.IsZero() {
		found, err := hub.Volumes(background, h.volume)
		if err != nil || len(found) == 0 {
			return nil
		}
		h.head.volume = found[0].ID
	}
	snapshot, err := hub.Snapshot(background, h.head.volume, cas.ID{})
	if err != nil {
		h.fail("head: %v", err)
	}
	if snapshot.ID == h.head.snapshot {
		return nil
	}
	for id := snapshot.ID; id != h.head.snapshot && !id.IsZero(); {
		s, err := hub.Snapshot(background, h.head.volume, id)
		if err != nil {
			h.fail("snapshot: %v", err)
		}
		maps.Copy(h.past, h.at(id).values())
		id = cas.ID{}
		if len(s.Record.Parents) > 0 {
			id = s.Record.Parents[0]
		}
	}
	before := h.head.tree.values()
	h.head.snapshot, h.head.tree = snapshot.ID, h.at(snapshot.ID)
	came := h.head.tree.values()
	maps.DeleteFunc(came, func(v value, _ bool) bool { return before[v] })
	return came
}

// at returns the tree of a snapshot.
func (h *history) at(snapshot cas.ID) tree {
	t := tree{}
	for c, err := range h.box.hub().Changes(background, api.ChangesRequest{Volume: h.head.volume, To: snapshot}) {
		if err != nil {
			h.fail("tree of %s: %v", snapshot.Short(), err)
		}
		t[c.Path] = nodeOf(c.New)
	}
	return t
}

// recorded returns the values of the conflicts on the hub: of all, and of the open ones.
func (h *history) recorded() (all, open map[value]bool) {
	all, open = map[value]bool{}, map[value]bool{}
	for c, err := range h.box.hub().Conflicts(background, api.ConflictsRequest{Volume: h.head.volume, All: true}) {
		if err != nil {
			h.fail("conflicts: %v", err)
		}
		for _, m := range []*manifest.Manifest{c.Base, c.Ours, c.Theirs} {
			v := nodeOf(m).value
			all[v], open[v] = true, open[v] || c.Open
		}
	}
	maps.DeleteFunc(open, func(_ value, is bool) bool { return !is })
	return all, open
}

// check looks at what a command did.
func (h *history) check(m *member, c command, res *client.Result, err error, t *trouble) {
	var brake *client.BrakeError
	if errors.As(err, &brake) {
		h.fail("%s %s: %v", m.name, c, err)
	}
	before := m.tree
	h.look(m)
	came := h.see()
	if h.head.volume.IsZero() {
		return
	}
	for path, n := range m.tree {
		if m.touched[before[path].value] { // what was altered here may be a mode or an mtime, which the new content has too
			m.touched[n.value] = true
		}
	}
	h.tell("%s %s %s", m.name, c, outcome(res, err, t))
	if res != nil && min(res.Added, res.Modified, res.Deleted, res.Moved) < 0 {
		h.fail("%s %s counted %+v", m.name, c, res.Summary)
	}
	h.made(m, c)
	for path, n := range m.tree {
		if strings.Contains(path, ".dfs-kept-") { // this came back on purpose, and was reported
			m.touched[n.value] = true
		}
	}
	for v := range came {
		if !m.touched[v] && !h.merged[v] {
			h.fail("%s %s brought %s back to the head: %s, then %s", m.name, c, v, h.written[v], h.released[v])
		}
	}
	h.balance()
	if err == nil && clean(res) && c != pull && len(t.did) == 0 {
		clear(m.touched)
		clear(m.moved)
	}
}

// made registers the values that dfs itself made: merged files.
func (h *history) made(m *member, c command) {
	for _, t := range []tree{m.tree, h.head.tree} {
		for path, n := range t {
			if n.value == "" || h.written[n.value] != "" {
				continue
			}
			if c != synchronise || !strings.HasPrefix(n.what, "file") {
				h.fail("%s %s: %s is %q, which nobody ever wrote", m.name, c, path, n.what)
			}
			h.count("merged")
			h.written[n.value], h.merged[n.value] = fmt.Sprintf("merge of %s by %s", path, m.name), true
			m.touched[n.value] = true
		}
	}
}

// balance demands each value that nobody let go, and that what is gone stays so. A value of which there were
// copies may go where each of them that was left was let go by somebody.
func (h *history) balance() {
	stood := places{}
	note := func(t tree) {
		for path, n := range t {
			stood.add(n.value, path)
		}
	}
	note(h.head.tree)
	for _, m := range h.replicas {
		note(m.tree)
	}
	recorded, open := h.recorded()
	for _, v := range slices.Sorted(maps.Keys(h.written)) {
		switch {
		case stood[v] != nil && h.gone[v] && !h.merged[v]:
			h.fail("%s came back: %s, then %s", v, h.written[v], h.released[v])
		case stood[v] != nil || open[v]:
			continue
		case h.released[v] == "" && !recorded[v] && !(h.tainted && h.past[v]) && !h.allThinned(v):
			h.fail("%s is lost: %s", v, h.written[v])
		}
		h.gone[v] = true
	}
	maps.Copy(h.stood, stood)
}

// allThinned reports whether every copy of v that was there last was let go.
func (h *history) allThinned(v value) bool {
	for path := range h.stood[v] {
		if !h.thinned[v][path] {
			return false
		}
	}
	return len(h.stood[v]) > 0
}

// outcome tells a command's result.
func outcome(res *client.Result, err error, t *trouble) string {
	var b strings.Builder
	if t.kind != "" {
		fmt.Fprintf(&b, "(%s at %d) ", t.kind, t.at)
	}
	for _, did := range t.did {
		fmt.Fprintf(&b, "[%s] ", did)
	}
	if res != nil {
		fmt.Fprintf(&b, "+%d ~%d -%d", res.Added, res.Modified, res.Deleted)
		for name, paths := range map[string][]string{"conflicts": res.Conflicts, "kept": res.Kept} {
			if len(paths) > 0 {
				fmt.Fprintf(&b, " %s %q", name, paths)
			}
		}
		for _, p := range res.Problems {
			fmt.Fprintf(&b, " problem %q: %v", p.Path, p.Err)
		}
	}
	if err != nil {
		fmt.Fprintf(&b, " error %v", err)
	}
	return b.String()
}
