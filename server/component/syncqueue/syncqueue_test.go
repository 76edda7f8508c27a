package syncqueue_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/syncqueue"
	"dfs/server/events"
)

// scene tells a queue what replicas do with a volume, as a hub does.
type scene struct {
	t     *testing.T
	queue *syncqueue.Queue
	head  uint64
	clock time.Time
}

var volume = cas.VolumeID{9}

func newScene(t *testing.T) *scene {
	return &scene{t: t, queue: syncqueue.New(), head: 1, clock: time.Unix(1e9, 0)}
}

func (s *scene) tell(all ...events.Event) {
	var bus events.Bus
	sub := events.Subscribe[events.Event](&bus, len(all))
	for _, e := range all {
		bus.Publish(e)
	}
	bus.Close()
	s.queue.Run(context.Background(), sub)
}

func head(seq uint64) api.Head { return api.Head{Snapshot: cas.ID{byte(seq)}, Seq: seq} }

// start begins a session of a replica, whose ID is also that of the session.
func (s *scene) start(replica byte, command string, seen uint64) {
	s.clock = s.clock.Add(time.Second)
	s.tell(events.SessionStarted{
		Session: cas.VolumeID{replica}, Replica: cas.VolumeID{replica}, Volume: volume,
		Command: command, SeenSeq: seen, Head: head(s.head), At: s.clock,
	})
}

func (s *scene) end(replica byte, to api.State) {
	s.tell(events.SessionStateChanged{Session: cas.VolumeID{replica}, Replica: cas.VolumeID{replica}, Volume: volume, To: to, At: s.clock})
}

// push is a session with a commit.
func (s *scene) push(replica byte, seen uint64) {
	s.start(replica, "sync", seen)
	s.head++
	s.tell(events.SnapshotCommitted{Volume: volume, Replica: cas.VolumeID{replica}, Snapshot: head(s.head).Snapshot, Seq: s.head},
		events.CommitCompleted{Session: cas.VolumeID{replica}, Replica: cas.VolumeID{replica}, Volume: volume,
			Former: head(s.head - 1), Head: head(s.head), Merged: seen != s.head-1, At: s.clock})
	s.end(replica, api.Complete)
}

// want compares what waits: for each replica how many snapshots, and which.
func (s *scene) want(want ...string) {
	s.t.Helper()
	got := []string{}
	for _, w := range s.queue.Of(volume).Replicas {
		line := fmt.Sprintf("%d: %d", w.Replica[0], w.Behind)
		for _, id := range w.Snapshots {
			line += fmt.Sprint(" ", id[0])
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%q, not %q", got, want)
	}
}

func TestReplicas(t *testing.T) {
	s := newScene(t)
	s.start(2, "pull", 0)
	s.want()
	s.end(2, api.Complete)
	s.push(1, 0) // the first, of a replica that has seen nothing
	s.want("2: 1 2")
	s.push(1, 2)
	s.want("2: 2 2 3")
	s.push(2, 1) // merged: what 1 did still waits for 2
	s.want("1: 1 4", "2: 2 2 3")
	s.start(2, "pull", 1)
	s.end(2, api.Failed)
	s.want("1: 1 4", "2: 2 2 3")
	s.start(2, "pull", 1)
	s.push(1, 3) // while 2 pulls
	s.want("1: 1 4", "2: 3 2 3 5")
	s.end(2, api.Complete)
	s.want("1: 1 4", "2: 1 5")
	s.start(1, "push", 5)
	s.end(1, api.Complete)
	s.want("2: 1 5")
	s.start(2, "sync", 5) // it says that it has all
	s.want()
	s.start(3, "pull", 0) // what was there before 3 was counts too
	s.want("3: 4 2 3 4 5")
}

func TestUploads(t *testing.T) {
	s := newScene(t)
	want := func(ids ...api.SessionID) {
		t.Helper()
		if got := s.queue.Of(volume).Uploads; !slices.Equal(got, ids) {
			t.Errorf("%v, not %v", got, ids)
		}
	}
	one, two := cas.VolumeID{1}, cas.VolumeID{2}
	s.start(1, "push", 0)
	s.start(2, "push", 0)
	want()
	s.tell(events.UploadStarted{Session: two, At: s.clock}, events.UploadStarted{Session: one, At: s.clock.Add(1)})
	want(two, one)
	s.tell(events.UploadCompleted{Session: two})
	want(one)
	s.end(1, api.Expired)
	want()
	if got := s.queue.Of(cas.VolumeID{8}); len(got.Uploads)+len(got.Replicas) != 0 {
		t.Errorf("%+v waits in a volume that nobody uses", got)
	}
}

// TestLoss: who lost events does not say what may be wrong.
func TestLoss(t *testing.T) {
	s := newScene(t)
	s.start(2, "pull", 0)
	s.push(1, 1)
	s.want("2: 1 2")
	s.tell(events.Lost{Count: 1})
	s.want()
}

// TestBounds: what is kept is bounded, and who said something last is kept.
func TestBounds(t *testing.T) {
	s := newScene(t)
	s.start(2, "pull", 0)
	for range 100 {
		s.push(1, s.head)
	}
	waiting := s.queue.Of(volume).Replicas
	if len(waiting) != 1 || waiting[0].Behind != 100 || len(waiting[0].Snapshots) != 16 || waiting[0].Snapshots[15] != (head(s.head).Snapshot) {
		t.Errorf("%+v", waiting)
	}
	var many []events.Event
	for i := range 5000 {
		id := cas.VolumeID{3, byte(i >> 8), byte(i)}
		many = append(many, events.SessionStarted{Session: id, Replica: id, Volume: volume, Head: head(s.head), At: s.clock.Add(time.Duration(i))})
	}
	s.tell(many...)
	waiting = s.queue.Of(volume).Replicas
	last := many[len(many)-1].(events.SessionStarted)
	if len(waiting) != 4096 || waiting[len(waiting)-1].Replica != last.Replica {
		t.Errorf("%d replicas are known, the last %v", len(waiting), waiting[len(waiting)-1].Replica)
	}
}
