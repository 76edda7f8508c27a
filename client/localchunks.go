package client

import (
	"encoding/binary"

	"dfs/cas"
	"dfs/client/worktree"
	"dfs/manifest"
)

// maxLocal is the most chunks of local files that are remembered, to bound memory.
const maxLocal = 1 << 20

// localChunks tells where local files hold chunks, as far as the index knows, so that
// what moved or was copied need not be fetched.
type localChunks struct {
	paths []string
	at    map[uint64]place // by the first bytes of the ID
}

type place struct {
	path int32
	size uint32
	off  int64
}

// findLocal reads the index.
func findLocal(r *run) (*localChunks, error) {
	l := &localChunks{at: map[uint64]place{}}
	for rec, err := range r.index.All() {
		if err != nil {
			return nil, err
		}
		runs, err := contentRuns(&rec)
		if err != nil {
			return nil, err
		}
		l.add(rec.Path, runs)
		if len(l.at) >= maxLocal {
			break
		}
	}
	return l, nil
}

func (l *localChunks) add(path string, runs []manifest.Run) {
	if len(runs) == 0 {
		return
	}
	l.paths = append(l.paths, path)
	off := int64(0)
	for _, run := range runs {
		if len(l.at) >= maxLocal {
			return
		}
		l.at[prefix(run.ID)] = place{int32(len(l.paths) - 1), run.Size, off}
		off += int64(run.Bytes())
	}
}

func prefix(id cas.ID) uint64 { return binary.LittleEndian.Uint64(id[:]) }

// copier reads chunks from local files, keeping the last file open.
type copier struct {
	local *localChunks
	root  *worktree.Root
	path  int32
	file  *worktree.File
	buf   []byte
}

func (l *localChunks) copier(root *worktree.Root) *copier {
	return &copier{local: l, root: root, path: -1}
}

// chunk returns the bytes of a chunk if a local file still holds them; they are
// valid until the next call.
func (c *copier) chunk(id cas.ID) ([]byte, bool) {
	at, ok := c.local.at[prefix(id)]
	if !ok {
		return nil, false
	}
	if at.path != c.path {
		c.close()
		e, err := c.root.Stat(c.local.paths[at.path])
		if err != nil || e.Kind != manifest.File {
			return nil, false
		}
		if c.file, err = c.root.OpenFile(e); err != nil {
			c.file = nil
			return nil, false
		}
		c.path = at.path
	}
	if cap(c.buf) < int(at.size) {
		c.buf = make([]byte, at.size)
	}
	data := c.buf[:at.size]
	if n, _ := c.file.ReadAt(data, at.off); n < len(data) || cas.Sum(data) != id {
		return nil, false
	}
	return data, true
}

func (c *copier) close() {
	if c.file != nil {
		c.file.Close()
	}
	c.file, c.path = nil, -1
}
