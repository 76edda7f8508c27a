package hub

import (
	"context"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// maxBytes bounds the bytes of a volume's files: sums of them are numbers of 64 bits.
const maxBytes = 1 << 62

// usageOf returns what an entry adds to a tree; nil is none.
func usageOf(m *manifest.Manifest) api.Usage {
	switch api.StandingOf(m) {
	case api.Absent:
		return api.Usage{}
	case api.IsDirectory:
		return api.Usage{Entries: 1}
	}
	return api.Usage{Bytes: int64(min(m.Size, maxBytes+1)), Files: 1, Entries: 1}
}

// plus returns the sum. That of bytes stays where it is once it is above maxBytes.
func plus(u, v api.Usage) api.Usage {
	if u.Bytes <= maxBytes {
		u.Bytes += v.Bytes
	}
	u.Files += v.Files
	u.Entries += v.Entries
	return u
}

// growth is what edits do to a tree's usage.
type growth struct{ added, removed api.Usage }

func (g *growth) add(before, after api.Usage) {
	g.added, g.removed = plus(g.added, after), plus(g.removed, before)
}

// of returns the usage of a tree that had u.
func (g *growth) of(u api.Usage) api.Usage {
	u = plus(u, g.added)
	u.Bytes -= g.removed.Bytes
	u.Files -= g.removed.Files
	u.Entries -= g.removed.Entries
	return u
}

// A weight is the usage of an entry in eight bytes: the size of a file, or what it is instead.
type weight int64

const (
	weighsNothing   weight = -1
	weighsDirectory weight = -2
)

func weigh(m *manifest.Manifest) weight {
	switch api.StandingOf(m) {
	case api.Absent:
		return weighsNothing
	case api.IsDirectory:
		return weighsDirectory
	}
	return weight(usageOf(m).Bytes)
}

func (w weight) usage() api.Usage {
	switch w {
	case weighsNothing:
		return api.Usage{}
	case weighsDirectory:
		return api.Usage{Entries: 1}
	}
	return api.Usage{Bytes: int64(w), Files: 1, Entries: 1}
}

// usageOf returns the usage of the volume's head.
func (h *Hub) usageOf(v *volume) api.Usage {
	return h.standOf(v).usage
}

// recorded returns the usage of a volume's head as its record says, else counted.
func (h *Hub) recorded(v cas.VolumeID, rec *volumeRecord) (api.Usage, error) {
	if rec.Usage != nil {
		return *rec.Usage, nil
	}
	return h.count(context.Background(), v, rec.Head.Root)
}

// count returns the usage of a tree by walking it.
func (h *Hub) count(ctx context.Context, v cas.VolumeID, root cas.ID) (u api.Usage, err error) {
	for e, err := range merkle.Walk(ctx, h.nodes(v), root, "") {
		if err != nil {
			return u, err
		}
		m, err := decodeEntry(e.Path, e.Value)
		if err != nil {
			return u, err
		}
		u = plus(u, usageOf(m))
	}
	return u, nil
}
