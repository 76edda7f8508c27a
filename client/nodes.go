package client

import (
	"context"

	"dfs/cas"
	"dfs/server/api"
)

// nodes reads the nodes of a volume's trees from its hub: a merkle.Source.
type nodes struct {
	hub    api.Hub
	volume cas.VolumeID
}

func (n nodes) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	return n.hub.Nodes(ctx, n.volume, ids, fn)
}
