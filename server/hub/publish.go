package hub

import (
	"dfs/server/api"
	"dfs/server/events"
)

// publish says on the bus what the commit did, which is durable now.
func (c *commit) publish(answer *api.CommitAnswer) {
	at := c.time.UTC()
	for i := range c.settled {
		x := &c.settled[i]
		c.h.events.Publish(events.ConflictResolved{
			Conflict: x.ID, Replica: x.Replica, Volume: c.v.id, Path: api.Path(x.Path), Take: x.Take, At: at,
		})
	}
	for i := range answer.Conflicts {
		x := &answer.Conflicts[i]
		c.h.events.Publish(events.ConflictDetected{
			Conflict: x.ID, Replica: x.Replica, Volume: c.v.id, Path: api.Path(x.Path),
			Base: x.Base.Hash(), Ours: x.Ours.Hash(), Theirs: x.Theirs.Hash(), At: at,
		})
	}
	c.h.events.Publish(events.CommitCompleted{
		Session: c.s.id, Replica: c.s.slot.replica, Volume: c.v.id,
		Former: c.head, Head: answer.Head, Merged: answer.Merged,
		Conflicts: len(answer.Conflicts), Kept: len(answer.Kept), At: at,
	})
}
