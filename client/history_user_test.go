package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dfs/cas"
	"dfs/client"
	"dfs/client/reconcile"
	"dfs/manifest"
	"dfs/server/api"
)

// user does something that a user does, at random.
func (h *history) user(m *member) {
	n := h.rng.IntN(61)
	for _, op := range []struct {
		weight int
		name   string
		do     func(m *member) string
	}{
		{18, "write", h.write}, {3, "append", h.append}, {5, "edit in place", h.edit}, {6, "remove", h.remove},
		{3, "remove directory", h.removeDirectory}, {3, "mkdir", h.mkdir}, {4, "rename", h.rename},
		{3, "rename onto another", h.renameOnto}, {3, "rename directory", h.renameDirectory}, {3, "swap", h.swap},
		{3, "change type", h.changeType}, {3, "symlink", h.symlink}, {2, "chmod", h.chmod}, {2, "touch", h.touch},
	} {
		if n -= op.weight; n < 0 {
			h.act(m, op.name, func() string { return op.do(m) })
			return
		}
	}
}

// drawn is a path that may be free or taken.
func (h *history) drawn() string {
	parts := make([]string, 1+h.rng.IntN(3))
	for i := range parts {
		parts[i] = string(rune('a' + h.rng.IntN(4)))
	}
	return strings.Join(parts, "/")
}

// existing draws a path whose node begins with kind; "" when there is none.
func (h *history) existing(m *member, kind string) string {
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(m.tree)) {
		if strings.HasPrefix(m.tree[path].what, kind) && !strings.Contains(path, ".dfs-tmp-") {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return paths[h.rng.IntN(len(paths))]
}

// fresh is a line that was never written before.
func (h *history) fresh() string {
	h.next++
	return fmt.Sprintf("value %06d\n", h.next)
}

// text is a file's content that was never written before.
func (h *history) text() []byte {
	var b bytes.Buffer
	for range 1 + h.rng.IntN(8) {
		b.WriteString(h.fresh())
	}
	return b.Bytes()
}

func (h *history) write(m *member) string {
	path := h.drawn()
	if h.rng.IntN(2) == 0 {
		path = h.existing(m, "file")
	}
	name := filepath.Join(m.dir, path)
	os.MkdirAll(filepath.Dir(name), 0o755)
	if h.rng.IntN(2) == 0 {
		os.WriteFile(name, h.text(), 0o644)
		return path
	}
	temp := filepath.Join(m.dir, "new")
	os.WriteFile(temp, h.text(), 0o644)
	if os.Rename(temp, name) != nil {
		os.Remove(temp)
	}
	return path
}

func (h *history) append(m *member) string {
	path := h.existing(m, "file")
	f, err := os.OpenFile(filepath.Join(m.dir, path), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		f.WriteString(h.fresh())
		f.Close()
	}
	return path
}

// edit alters one line and leaves the size as it is, perhaps the mtime too. That can be told from what was there only
// while the file stays at its path: of one that moved its identity, size and mtime are all that counts.
func (h *history) edit(m *member) string {
	path := h.existing(m, "file")
	name := filepath.Join(m.dir, path)
	sly := !h.tainted && !m.touched[m.tree[path].value] && h.rng.IntN(4) == 0 && h.status(m)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return path
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return path
	}
	line := h.fresh()
	f.WriteAt([]byte(line), h.rng.Int64N(info.Size()/int64(len(line)))*int64(len(line)))
	if sly {
		os.Chtimes(name, time.Time{}, info.ModTime())
		m.sly = h.status(m)
		return path + ", same mtime"
	}
	return path
}

// status has dfs look at a replica's files; it reports whether it could.
func (h *history) status(m *member) bool {
	_, err := client.Inspect(background, h.config(m, &wire{box: h.box}, reconcile.Manual), true, func(client.Change) error { return nil })
	return err == nil
}

func (h *history) remove(m *member) string {
	path := h.existing(m, "file")
	if h.rng.IntN(4) == 0 {
		path = h.existing(m, "link")
	}
	if path != "" {
		os.Remove(filepath.Join(m.dir, path))
	}
	return path
}

func (h *history) removeDirectory(m *member) string {
	path := h.existing(m, "directory")
	if path != "" {
		os.RemoveAll(filepath.Join(m.dir, path))
	}
	return path
}

func (h *history) mkdir(m *member) string {
	path := h.drawn()
	os.MkdirAll(filepath.Join(m.dir, path), 0o755)
	return path
}

// move renames a path that exists.
func (h *history) move(m *member, from, to string) string {
	if from == "" || to == "" {
		return ""
	}
	os.Rename(filepath.Join(m.dir, from), filepath.Join(m.dir, to))
	return from + " to " + to
}

func (h *history) rename(m *member) string {
	return h.move(m, h.existing(m, "file"), h.drawn())
}

func (h *history) renameOnto(m *member) string {
	return h.move(m, h.existing(m, "file"), h.existing(m, "file"))
}

func (h *history) renameDirectory(m *member) string {
	return h.move(m, h.existing(m, "directory"), h.drawn())
}

func (h *history) swap(m *member) string {
	a, b := h.existing(m, ""), h.existing(m, "")
	if a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/") {
		return ""
	}
	h.move(m, a, "swapped")
	h.move(m, b, a)
	h.move(m, "swapped", b)
	return a + " and " + b
}

// changeType turns a file into a directory with a file in it or into a symlink, and others into a file.
func (h *history) changeType(m *member) string {
	path := h.existing(m, "")
	if path == "" {
		return ""
	}
	name := filepath.Join(m.dir, path)
	os.RemoveAll(name)
	switch was := m.tree[path].what; {
	case !strings.HasPrefix(was, "file"):
		os.WriteFile(name, h.text(), 0o644)
	case h.rng.IntN(2) == 0:
		os.Mkdir(name, 0o755)
		os.WriteFile(filepath.Join(name, "a"), h.text(), 0o644)
	default:
		os.Symlink(strings.TrimSpace(h.fresh()), name)
	}
	return path
}

func (h *history) symlink(m *member) string {
	path := h.drawn()
	os.Symlink(strings.TrimSpace(h.fresh()), filepath.Join(m.dir, path))
	return path
}

func (h *history) chmod(m *member) string {
	mode, path := []os.FileMode{0o600, 0o644, 0o640}[h.rng.IntN(3)], h.existing(m, "file")
	if h.rng.IntN(3) == 0 {
		mode, path = []os.FileMode{0o700, 0o755}[h.rng.IntN(2)], h.existing(m, "directory")
	}
	if path == "" {
		return ""
	}
	os.Chmod(filepath.Join(m.dir, path), mode)
	return path
}

// touch gives a file another mtime, before or after that of others.
func (h *history) touch(m *member) string {
	path := h.existing(m, "file")
	if path != "" {
		os.Chtimes(filepath.Join(m.dir, path), time.Time{}, time.Now().Add(time.Duration(h.rng.IntN(3)-1)*time.Hour))
	}
	return path
}

// resolve settles an open conflict, drawn from all, on the hub, as "dfs resolve" does from any replica.
func (h *history) resolve() {
	if h.head.volume.IsZero() {
		return
	}
	var open []api.Conflict
	for c, err := range h.box.hub().Conflicts(background, api.ConflictsRequest{Volume: h.head.volume}) {
		if err != nil {
			h.fail("conflicts: %v", err)
		}
		open = append(open, c)
	}
	if len(open) == 0 {
		return
	}
	c := open[h.rng.IntN(len(open))]
	if m := h.replicas[h.rng.IntN(len(h.replicas))]; m.away == 0 && !m.adopt && h.rng.IntN(2) == 0 {
		h.resolveAt(m, c)
		return
	}
	take := []struct {
		name string
		m    *manifest.Manifest
	}{{"theirs", c.Theirs}, {"ours", c.Ours}, {"base", c.Base}}[h.rng.IntN(3)]
	settled := api.Settlement{Conflict: c.ID, Ours: c.Ours.Hash(), Theirs: c.Theirs.Hash(), Take: take.name}
	req := api.CommitRequest{Key: randomID(), Settle: []api.Settlement{settled}, Seen: h.head.snapshot}
	if take.m.Hash() != c.Theirs.Hash() {
		req.Edits = []api.Edit{{Path: c.Path, Base: c.Theirs.Hash(), New: take.m}}
	}
	hub := h.box.hub()
	start, err := hub.Start(background, api.StartRequest{
		Protocol: api.ProtocolVersion, Replica: randomID(), Volume: h.head.volume, Run: randomID(), Command: "resolve",
	})
	if err != nil {
		h.fail("resolve: %v", err)
	}
	req.Session = start.Session
	answer, err := hub.Commit(background, req)
	if errors.Is(err, api.ErrMoved) && take.name != "theirs" { // something lives in it, or stands above it
		h.count("resolve that the tree does not take")
		return
	}
	if err != nil {
		h.fail("resolve %s, take %s: %v", c.Path, take.name, err)
	}
	h.count("resolve --take " + take.name)
	h.tell("resolve %s of %s, take %s: conflicts %v", c.Path, c.Client, take.name, len(answer.Conflicts))
	for v := range h.see() {
		if v != nodeOf(take.m).value {
			h.fail("resolve %s, take %s, brought %s to the head: %s", c.Path, take.name, v, h.written[v])
		}
		delete(h.gone, v)
	}
	h.balance()
}

// resolveAt runs "dfs resolve" in a replica.
func (h *history) resolveAt(m *member, c api.Conflict) {
	take := []string{reconcile.TakeOurs, reconcile.TakeTheirs, reconcile.TakeBase, reconcile.TakeBoth}[h.rng.IntN(4)]
	cfg := h.config(m, &wire{box: h.box}, reconcile.Manual)
	done, err := client.Resolve(background, cfg, client.Resolution{Names: []string{c.ID.String()}, Take: take})
	var usage *client.UsageError
	if errors.As(err, &usage) || err != nil && c.Base == nil && take == reconcile.TakeBase {
		return // this is no replica yet, or the base is not known here
	}
	if err != nil && !errors.Is(err, api.ErrMoved) {
		h.fail("%s resolve %s, take %s: %v", m.name, c.Path, take, err)
	}
	h.count("dfs resolve --take " + take)
	h.tell("%s: dfs resolve %s of %s, take %s: %d settled", m.name, c.Path, c.Client, take, len(done.Done))
	tree, head := m.tree, h.head.tree
	if h.look(m); !maps.Equal(tree, m.tree) {
		h.fail("%s resolve %s changed the directory", m.name, c.Path)
	}
	came := h.see()
	for path, n := range head { // a directory gives way with all that is in it
		if strings.HasPrefix(path, c.Path+"/") && h.head.tree[path] != n {
			h.released[n.value] = "resolve " + c.Path
		}
	}
	for v := range came {
		if v != nodeOf(c.Ours).value && (take != reconcile.TakeBase || v != h.head.tree[c.Path].value) {
			h.fail("%s resolve %s, take %s, brought %s to the head: %s", m.name, c.Path, take, v, h.written[v])
		}
		delete(h.gone, v)
	}
	h.balance()
}

func randomID() (id cas.VolumeID) {
	copy(id[:], fmt.Sprintf("%016x", time.Now().UnixNano()))
	return id
}
