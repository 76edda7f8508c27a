package hub

import (
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
	"dfs/server/events"
)

// tally counts the manifests of changes.
type tally struct {
	changes, files, bytes int64
}

// add counts a path whose manifest is m now; nil is absent.
func (t *tally) add(m *manifest.Manifest) {
	t.changes++
	if m != nil && m.Kind != manifest.Directory {
		t.files++
		t.bytes += int64(m.Size)
	}
}

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
	if answer.Head != c.was.head {
		c.h.events.Publish(events.SnapshotCommitted{
			Volume: c.v.id, Snapshot: answer.Head.Snapshot, Seq: answer.Head.Seq, Parent: c.was.head.Snapshot,
			Replica: c.s.slot.replica, Client: c.s.client(),
			Changes: c.tally.changes, Files: c.tally.files, Bytes: c.tally.bytes, At: at,
		})
	}
	c.h.events.Publish(events.CommitCompleted{
		Session: c.s.id, Replica: c.s.slot.replica, Volume: c.v.id,
		Former: c.was.head, Head: answer.Head, Merged: answer.Merged,
		Conflicts: len(answer.Conflicts), Kept: len(answer.Kept), Duration: c.h.now().Sub(c.began).Seconds(), At: at,
	})
}

// publishStart says what a client told that starts or resumes its session.
func (h *Hub) publishStart(v *volume, s *session, req *api.StartRequest, seenOK bool) {
	e := events.SessionStarted{
		Session: s.id, Replica: req.Replica, Volume: v.id, Client: req.Client, Command: req.Command,
		Head: h.headOf(v), Bytes: max(req.Bytes, 0), At: h.now().UTC(),
	}
	if seenOK && !req.Seen.IsZero() {
		e.SeenSeq = req.SeenSeq
	}
	h.events.Publish(e)
}

// publishNamed says how many blobs of a part the hub lacked.
func (s *session) publishNamed(missing []bool) {
	if len(missing) == 0 {
		return
	}
	e := events.BlobsNamed{Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume, At: s.now().UTC()}
	for _, no := range missing {
		if no {
			e.New++
		} else {
			e.Known++
		}
	}
	s.bus.Publish(e)
}

// publishUpload says that blobs are coming, if so many are some, and the session's first.
func (s *session) publishUpload(blobs int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began || blobs == 0 {
		return
	}
	s.began = true
	s.bus.Publish(events.UploadStarted{Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume, At: s.now().UTC()})
}

// publishEnd says why a client ended its session, if that is not for success.
func (h *Hub) publishEnd(state api.State, failed events.SessionFailed) {
	failed.At = h.now().UTC()
	switch state {
	case api.Failed:
		h.events.Publish(failed)
	case api.Braked:
		h.events.Publish(events.Brake{
			Session: failed.Session, Replica: failed.Replica, Volume: failed.Volume, State: failed.State, At: failed.At,
		})
	}
}

func (h *Hub) publishDownload(v cas.VolumeID, blobs int, bytes int64, began time.Time) {
	now := h.now()
	h.events.Publish(events.DownloadCompleted{
		Volume: v, Blobs: int64(blobs), Bytes: bytes, Duration: now.Sub(began).Seconds(), At: now.UTC(),
	})
}

func (h *Hub) publishChanges(v cas.VolumeID, told tally) {
	h.events.Publish(events.ChangesTold{Volume: v, Changes: told.changes, Files: told.files, At: h.now().UTC()})
}
