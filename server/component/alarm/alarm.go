// Package alarm keeps the last alarm of a hub, for who looks how it fares.
package alarm

import (
	"context"
	"sync"

	"dfs/server/api"
	"dfs/server/events"
)

// A Keeper keeps the last alarm. The zero Keeper has heard of none. It is safe for concurrent use.
type Keeper struct {
	mu   sync.Mutex
	last api.Alarm
}

// Run hears the alarms that s brings until that or ctx ends.
func (k *Keeper) Run(ctx context.Context, s *events.Subscription) {
	events.Each(ctx, s, func(e events.Event) {
		if e, ok := e.(events.BlobDamaged); ok {
			k.hear(e)
		}
	})
}

func (k *Keeper) hear(e events.BlobDamaged) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = api.Alarm{Volume: e.Volume, Path: api.Text(e.Path), Detail: e.Detail, Count: k.last.Count + 1, At: e.At}
}

// Last returns the last alarm, nil when there was none.
func (k *Keeper) Last() *api.Alarm {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last.Count == 0 {
		return nil
	}
	last := k.last
	return &last
}
