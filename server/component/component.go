// Package component has the parts of a hub's process that listen on its bus: log, metrics, progress, queue, verifier, alarm,
// and the feed of those who listen from afar. Each is a package of its own, and none knows of another.
package component

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"dfs/server/api"
	"dfs/server/component/alarm"
	"dfs/server/component/eventlog"
	"dfs/server/component/feed"
	"dfs/server/component/metrics"
	"dfs/server/component/progress"
	"dfs/server/component/syncqueue"
	"dfs/server/component/verifier"
	"dfs/server/events"
)

// A Hub is what the components ask of a hub beyond what it says on the bus.
type Hub interface {
	metrics.Hub
	verifier.Hub
}

// Options are the choices of Start. The zero Options are good.
type Options struct {
	Log    slog.Handler     // gets a record of each event; nil: none
	Verify verifier.Options // how much of what is committed is read again
}

// A Set is the components of one hub.
type Set struct {
	bus      *events.Bus
	feed     *feed.Feed
	metrics  *metrics.Metrics
	progress *progress.Tracker
	queue    *syncqueue.Queue
	alarms   alarm.Keeper
	stop     context.CancelFunc // of work that the end does not wait for
	running  sync.WaitGroup
}

// Events that may wait for a component, which is never slow for long but the verifier.
const (
	depth    = 1 << 14
	unlooked = 64 // snapshots that wait for the verifier
)

// Start starts the components. They are to be stopped with Close.
func Start(bus *events.Bus, hub Hub, opts Options) *Set {
	ctx, stop := context.WithCancel(context.Background())
	s := &Set{bus: bus, feed: feed.New(0), metrics: metrics.New(hub), progress: progress.New(), queue: syncqueue.New(), stop: stop}
	s.start(s.feed.Run)
	s.start(s.metrics.Run)
	s.start(s.progress.Run)
	s.start(s.queue.Run)
	if opts.Log != nil {
		s.start(func(ctx context.Context, sub *events.Subscription) { eventlog.Run(ctx, sub, opts.Log) })
	}
	alarms := events.Subscribe[events.BlobDamaged](bus, 0)
	s.running.Go(func() { s.alarms.Run(context.Background(), alarms) })
	snapshots := events.Subscribe[events.SnapshotCommitted](bus, unlooked)
	s.running.Go(func() { verifier.New(hub, bus, opts.Verify).Run(ctx, snapshots) })
	return s
}

// start has run see all events.
func (s *Set) start(run func(context.Context, *events.Subscription)) {
	sub := events.Subscribe[events.Event](s.bus, depth)
	s.running.Go(func() { run(context.Background(), sub) })
}

// Close closes the bus and returns when the components have seen what was published. The hub
// must still be open.
func (s *Set) Close() {
	s.stop()
	s.bus.Close()
	s.running.Wait()
}

// Feed returns the feed of the hub's events.
func (s *Set) Feed() *feed.Feed { return s.feed }

// Metrics answers with the metrics.
func (s *Set) Metrics() http.Handler { return s.metrics.Handler() }

// Observe adds to a hub's status what the components know of it.
func (s *Set) Observe(status *api.Status) {
	now := time.Now()
	for i := range status.Sessions {
		status.Sessions[i].Transfer = s.progress.Of(status.Sessions[i].ID, now)
	}
	status.Queue = s.queue.Of(status.Volume.ID)
}

// Oversee adds to an overview of the hub what the components know of it.
func (s *Set) Oversee(o *api.Overview) { o.Alarm = s.alarms.Last() }
