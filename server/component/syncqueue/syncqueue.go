// Package syncqueue knows what waits in the volumes of a hub: uploads that are not complete, and for
// each replica the snapshots of others that it has not taken yet.
//
// What a replica has is what it says when it begins a session, and the empty tree with which a volume begins. It
// also has the snapshot that it made, if it had all before that, and after a pull that came to its end the
// head that the pull began with.
// A replica is known from its first session on that the hub's process sees.
package syncqueue

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/events"
)

const (
	mostReplicas  = 4096 // that are known; those that said nothing for longest are forgotten
	mostSnapshots = 64   // that are remembered of a volume
	mostListed    = 16   // of those that wait for a replica
	mostSessions  = 8192
)

// A Queue knows of all volumes of a hub. It is safe for concurrent use.
type Queue struct {
	mu       sync.Mutex
	volumes  map[cas.VolumeID]*volume
	sessions map[api.SessionID]session
	replicas int
}

// New returns a queue in which nothing waits.
func New() *Queue {
	q := &Queue{}
	q.reset()
	return q
}

func (q *Queue) reset() {
	q.volumes, q.sessions, q.replicas = make(map[cas.VolumeID]*volume), make(map[api.SessionID]session), 0
}

type volume struct {
	head      uint64
	snapshots []events.SnapshotCommitted // the latest, the newest last
	replicas  map[api.ReplicaID]*replica
}

type replica struct {
	client string
	seen   uint64
	told   time.Time
}

// session is a session under way.
type session struct {
	replica   api.ReplicaID
	volume    cas.VolumeID
	pulls     bool   // it brings the replica to the head if no commit ends it
	head      uint64 // that it began with
	uploading time.Time
}

// Run follows what s brings until that or ctx ends.
func (q *Queue) Run(ctx context.Context, s *events.Subscription) { events.Each(ctx, s, q.see) }

func (q *Queue) see(e events.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch e := e.(type) {
	case events.Lost:
		q.reset() // rather nothing than what is not so
	case events.SessionStarted:
		q.started(e)
	case events.UploadStarted:
		if s, ok := q.sessions[e.Session]; ok {
			s.uploading = e.At
			q.sessions[e.Session] = s
		}
	case events.UploadCompleted:
		if s, ok := q.sessions[e.Session]; ok {
			s.uploading = time.Time{}
			q.sessions[e.Session] = s
		}
	case events.SnapshotCommitted:
		v := q.volume(e.Volume)
		v.head = max(v.head, e.Seq)
		v.snapshots = append(v.snapshots, e)
		v.snapshots = v.snapshots[max(len(v.snapshots)-mostSnapshots, 0):]
	case events.CommitCompleted:
		q.committed(e)
	case events.SessionStateChanged:
		if e.To.Ended() {
			q.ended(e)
		}
	}
}

func (q *Queue) volume(id cas.VolumeID) *volume {
	v := q.volumes[id]
	if v == nil {
		v = &volume{replicas: make(map[api.ReplicaID]*replica)}
		q.volumes[id] = v
	}
	return v
}

func (q *Queue) started(e events.SessionStarted) {
	v := q.volume(e.Volume)
	v.head = max(v.head, e.Head.Seq)
	r := v.replicas[e.Replica]
	if r == nil {
		q.makeRoom()
		r = &replica{}
		v.replicas[e.Replica] = r
		q.replicas++
	}
	// A replica that was set back has less than it had.
	r.client, r.seen, r.told = e.Client, min(max(e.SeenSeq, 1), v.head), e.At
	if len(q.sessions) < mostSessions {
		s := q.sessions[e.Session]
		s.replica, s.volume, s.pulls, s.head = e.Replica, e.Volume, e.Command == "pull" || e.Command == "sync", e.Head.Seq
		q.sessions[e.Session] = s
	}
}

// makeRoom forgets the replica that said nothing for longest, when there are too many.
func (q *Queue) makeRoom() {
	if q.replicas < mostReplicas {
		return
	}
	var in *volume
	var oldest api.ReplicaID
	for _, v := range q.volumes {
		for id, r := range v.replicas {
			if in == nil || r.told.Before(in.replicas[oldest].told) {
				in, oldest = v, id
			}
		}
	}
	delete(in.replicas, oldest)
	q.replicas--
}

// committed takes note of what a replica has after its commit. If others had changed something too, that still
// waits for it.
func (q *Queue) committed(e events.CommitCompleted) {
	if s, ok := q.sessions[e.Session]; ok {
		s.pulls = false
		q.sessions[e.Session] = s
	}
	if r := q.volume(e.Volume).replicas[e.Replica]; r != nil && (!e.Merged || e.Former.Seq <= r.seen) {
		r.seen, r.told = e.Head.Seq, e.At
	}
}

func (q *Queue) ended(e events.SessionStateChanged) {
	s, ok := q.sessions[e.Session]
	if !ok {
		return
	}
	delete(q.sessions, e.Session)
	if r := q.volume(s.volume).replicas[s.replica]; r != nil && s.pulls && e.To == api.Complete {
		r.seen, r.told = max(r.seen, s.head), e.At
	}
}

// Of returns what waits in a volume.
func (q *Queue) Of(id cas.VolumeID) *api.Queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	answer := &api.Queue{Uploads: q.uploads(id), Replicas: []api.Waiting{}}
	v := q.volumes[id]
	if v == nil {
		return answer
	}
	for id, r := range v.replicas {
		if w := v.waiting(id, r); w.Behind > 0 {
			answer.Replicas = append(answer.Replicas, w)
		}
	}
	slices.SortFunc(answer.Replicas, func(a, b api.Waiting) int { return bytes.Compare(a.Replica[:], b.Replica[:]) })
	return answer
}

// uploads lists the sessions of a volume that upload, oldest first.
func (q *Queue) uploads(id cas.VolumeID) []api.SessionID {
	found := []api.SessionID{}
	for session, s := range q.sessions {
		if s.volume == id && !s.uploading.IsZero() {
			found = append(found, session)
		}
	}
	slices.SortFunc(found, func(a, b api.SessionID) int {
		return cmp.Or(q.sessions[a].uploading.Compare(q.sessions[b].uploading), bytes.Compare(a[:], b[:]))
	})
	return found
}

func (v *volume) waiting(id api.ReplicaID, r *replica) api.Waiting {
	w := api.Waiting{Replica: id, Client: r.client, SeenSeq: r.seen, Behind: v.head - r.seen, Snapshots: []cas.ID{}, Told: r.told.UTC()}
	for _, s := range v.snapshots {
		switch {
		case s.Seq <= r.seen:
		case s.Replica == id:
			w.Behind--
		default:
			w.Snapshots = append(w.Snapshots, s.Snapshot)
		}
	}
	w.Snapshots = w.Snapshots[max(len(w.Snapshots)-mostListed, 0):]
	return w
}
