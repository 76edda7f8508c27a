package client

import (
	"encoding/binary"

	"dfs/cas"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
)

const (
	// maxLocal is the most chunks of local files that are remembered, to bound memory.
	maxLocal = 1 << 20
	// lastFrom is the size from which of equal files the last in path order is read: a pull replaces
	// it last, and may have replaced a large one before the next is made.
	lastFrom = 1 << 20
)

// localChunks tells where local files hold chunks, as far as the index knows, so that
// what moved or was copied need not be fetched. Where several do, it is one that is as the
// index has it. Only what is said so is safe for concurrent use.
type localChunks struct {
	root    *worktree.Root
	sources []source
	at      map[uint64]place // by the first bytes of the ID
}

// source is a file that holds chunks.
type source struct {
	path  string
	stamp uint64 // of its size and mtime, as the index has them
	state sourceState
}

type sourceState uint8

const (
	unasked sourceState = iota
	asIndexed
	changed // or gone
)

type place struct {
	source int32
	size   uint32
	off    int64
}

// findLocal reads the index.
func findLocal(r *run) (*localChunks, error) {
	l := &localChunks{root: r.root, at: map[uint64]place{}}
	for rec, err := range r.index.All() {
		if err != nil {
			return nil, err
		}
		runs, err := contentRuns(&rec)
		if err != nil {
			return nil, err
		}
		l.add(&rec, runs)
		if len(l.at) >= maxLocal {
			break
		}
	}
	return l, nil
}

// add takes in the file of a record, with its runs.
func (l *localChunks) add(rec *worktree.Record, runs []manifest.Run) {
	n := len(l.sources)
	l.sources = append(l.sources, source{path: rec.Path, stamp: stamp(rec.Size, rec.Mtime)})
	off, placed := int64(0), false
	for _, run := range runs {
		if len(l.at) >= maxLocal {
			break
		}
		before, ok := l.at[prefix(run.ID)]
		if !ok || l.better(n, int(before.source), rec.Size) {
			l.at[prefix(run.ID)] = place{int32(n), run.Size, off}
			placed = true
		}
		off += int64(run.Bytes())
	}
	if !placed {
		l.sources = l.sources[:n]
	}
}

// better reports whether a chunk is better read from the new source, a file of so many bytes, than
// from one before.
func (l *localChunks) better(new, before int, size uint64) bool {
	if new == before || !l.holds(before) {
		return new != before && l.holds(new)
	}
	return size >= lastFrom && merkle.Compare(l.sources[new].path, l.sources[before].path) > 0 && l.holds(new)
}

// holds reports whether a source is as the index has it; it looks once.
func (l *localChunks) holds(n int) bool {
	s := &l.sources[n]
	if s.state == unasked {
		s.state = changed
		if e, err := l.root.Stat(s.path); err == nil && e.Kind == manifest.File && stamp(e.Size, e.Mtime) == s.stamp {
			s.state = asIndexed
		}
	}
	return s.state == asIndexed
}

// has reports whether a file that is as the index has it holds the chunk.
func (l *localChunks) has(id cas.ID) bool {
	at, ok := l.at[prefix(id)]
	return ok && l.holds(int(at.source))
}

// stamp tells versions of a file apart. Equal ones of different versions cost a read in vain.
func stamp(size uint64, mtime manifest.Time) uint64 {
	const odd = 0x9e3779b97f4a7c15
	return size*odd + uint64(mtime.Sec)*1e9 + uint64(mtime.Nsec)
}

func prefix(id cas.ID) uint64 { return binary.LittleEndian.Uint64(id[:]) }

// copier reads chunks from local files, keeping the last file open. Several may be at work at once.
type copier struct {
	local  *localChunks
	root   *worktree.Root
	source int32
	file   *worktree.File
	buf    []byte
}

func (l *localChunks) copier() *copier {
	return &copier{local: l, root: l.root, source: -1}
}

// chunk returns the bytes of a chunk if a local file still holds them; they are
// valid until the next call.
func (c *copier) chunk(id cas.ID) ([]byte, bool) {
	at, ok := c.local.at[prefix(id)]
	if !ok {
		return nil, false
	}
	if at.source != c.source {
		c.close()
		e, err := c.root.Stat(c.local.sources[at.source].path)
		if err != nil || e.Kind != manifest.File {
			return nil, false
		}
		if c.file, err = c.root.OpenFile(e); err != nil {
			c.file = nil
			return nil, false
		}
		c.source = at.source
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
	c.file, c.source = nil, -1
}
