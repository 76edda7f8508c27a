package hub

import (
	"context"
	"maps"
	"slices"
	"time"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/manifest"
	"dfs/server/api"
)

// loadSessions brings back the live sessions with their parts. They count as active
// now: that the hub was down is not their delay.
func (h *Hub) loadSessions() error {
	err := h.meta.each([]byte{keySlot}, false, func(key, value []byte) error {
		var rec slotRecord
		if err := decodeRecord(key, value, &rec); err != nil {
			return err
		}
		if !ended(rec.State) {
			h.register(h.newSession(parseSlotKey(key), rec)).stored = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.loadParts()
}

// loadParts finds the sessions' staged parts, and deletes those of sessions that have ended.
func (h *Hub) loadParts() error {
	var orphans []kv
	err := h.meta.each([]byte{keyPart}, true, func(key, _ []byte) error {
		id, n, slice := parsePartKey(key)
		s := h.sessions[id]
		switch {
		case s == nil:
			orphans = append(orphans, kv{key: slices.Clone(key)})
		case slice == 0:
			s.parts[n] = &part{slices: 1}
		case s.parts[n] != nil:
			s.parts[n].slices++
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.meta.writeBatches(orphans)
}

func (h *Hub) newSession(at slot, rec slotRecord) *session {
	now := h.now()
	return &session{
		id: rec.Session, slot: at, now: h.now, bus: h.events,
		rec: rec, state: rec.State, started: now, active: now, parts: make(map[int]*part), additions: make(map[*addition]struct{}),
	}
}

// register makes s the session of its slot, in place of the former, and returns it.
func (h *Hub) register(s *session) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.slots[s.slot]; old != nil {
		delete(h.sessions, old.id)
	}
	h.sessions[s.id] = s
	h.slots[s.slot] = s
	return s
}

// find returns a session of the caller's that has not expired, with its volume, with which the
// caller must have the right.
func (h *Hub) find(ctx context.Context, id api.SessionID, right api.Right) (*session, *volume, error) {
	h.mu.Lock()
	s := h.sessions[id]
	h.mu.Unlock()
	if s == nil || !s.of(api.CallerOf(ctx)) {
		return nil, nil, noSession(id)
	}
	if err := h.expire(s); err != nil {
		return nil, nil, err
	}
	v, err := h.reach(ctx, s.slot.volume, right)
	return s, v, err
}

// expire ends the session and drops its parts if it made no progress for too long. No other
// session can take its place meanwhile, whose record the end of this one would replace.
func (h *Hub) expire(s *session) error {
	if s.left(h.idle) >= 0 {
		return nil
	}
	h.starting.Lock()
	defer h.starting.Unlock()
	expired, ok := s.expire(h.idle)
	if !ok {
		return nil
	}
	if err := h.drop(s); err != nil {
		return err
	}
	h.events.Publish(expired)
	return nil
}

// drop deletes what a session that has just ended had staged.
func (h *Hub) drop(s *session) error {
	s.stage.Lock()
	defer s.stage.Unlock()
	rec, stored := s.record()
	if !stored {
		return nil
	}
	closed, err := put(slotKey(s.slot), rec)
	if err != nil {
		return err
	}
	if err := h.meta.writeAll(nil, []kv{closed}, s.partDeletes()); err != nil {
		return err
	}
	s.close(rec)
	h.abandoned(s)
	return nil
}

// tend expires sessions when their time is over, whether or not anybody calls, until the hub
// closes. After an I/O error, of which callers learn, nothing can be dropped any more.
func (h *Hub) tend() {
	for wait := h.idle; ; wait = h.untilExpiry() {
		select {
		case <-h.closing:
			return
		case <-time.After(wait):
		}
		if h.sweep() != nil {
			return
		}
	}
}

// untilExpiry returns how long no session can expire.
func (h *Hub) untilExpiry() time.Duration {
	least := h.idle
	for _, s := range h.allSessions() {
		least = min(least, s.left(h.idle))
	}
	return max(least, 0) + time.Nanosecond
}

// sweep expires what made no progress and forgets what ended long ago, or, when there
// are many sessions, what ended at all.
func (h *Hub) sweep() error {
	all := h.allSessions()
	keep := 2 * h.idle
	if len(all) >= h.limits.Sessions/2 {
		keep = 0
	}
	for _, s := range all {
		if err := h.expire(s); err != nil {
			return err
		}
		if s.stale(keep) {
			h.forget(s)
		}
	}
	return nil
}

func (h *Hub) allSessions() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.sessions))
}

func (h *Hub) forget(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.id)
	if h.slots[s.slot] == s {
		delete(h.slots, s.slot)
	}
}

// running lists the volume's sessions that are neither idle nor ended, oldest first, as the caller may see them.
func (h *Hub) running(caller *api.Caller, v cas.VolumeID) []api.SessionInfo {
	return h.list(caller, func(info *api.SessionInfo) bool {
		return info.Volume == v && info.State != api.Idle && !ended(info.State)
	})
}

// Start implements [api.Hub].
func (h *Hub) Start(ctx context.Context, req api.StartRequest) (api.StartAnswer, error) {
	if err := h.enter(); err != nil {
		return api.StartAnswer{}, err
	}
	defer h.leave()
	answer, err := h.start(ctx, &req)
	return answer, wire(err)
}

func (h *Hub) start(ctx context.Context, req *api.StartRequest) (api.StartAnswer, error) {
	if err := checkStart(req); err != nil {
		return api.StartAnswer{}, err
	}
	v, fresh, err := h.startVolume(ctx, req)
	if err != nil {
		return api.StartAnswer{}, err
	}
	seenOK, err := h.knows(v, req.Seen, req.SeenSeq)
	if err != nil {
		return api.StartAnswer{}, err
	}
	if err := h.sweep(); err != nil {
		return api.StartAnswer{}, err
	}
	req.Heard = min(req.Heard, h.standOf(v).settled) // more is of a hub that went back in time
	s, err := h.resume(ctx, req)
	for s == nil && err == nil {
		// A commit of the replica's former run is under way, and ends first.
		if err := v.acquire(ctx); err != nil {
			return api.StartAnswer{}, err
		}
		v.release()
		s, err = h.resume(ctx, req)
	}
	if err != nil {
		return api.StartAnswer{}, err
	}
	open, err := h.openConflicts(v.id, req.Replica)
	if err != nil {
		return api.StartAnswer{}, err
	}
	h.publishStart(v, s, req, seenOK)
	info := s.info()
	now := h.standOf(v)
	return api.StartAnswer{
		HubID: h.id, Session: s.id, State: info.State, Head: now.head, SeenOK: seenOK, Settled: now.settled, Open: len(open),
		Staged: s.staged(), Fresh: fresh, Profile: chunker.Profile1, Limits: h.limits,
	}, nil
}

// startVolume returns the volume of a start, which it makes where the request says so.
// Fresh means that it is the first on this hub.
func (h *Hub) startVolume(ctx context.Context, req *api.StartRequest) (v *volume, fresh bool, err error) {
	v, err = h.reach(ctx, req.Volume, api.RightRead)
	if err == nil || req.Create == "" || req.Hub != h.id {
		return v, false, err
	}
	if _, err := h.createVolume(ctx, req.Create, req.Volume); err != nil {
		return nil, false, err
	}
	v, err = h.volume(req.Volume)
	h.mu.Lock()
	defer h.mu.Unlock()
	return v, len(h.volumes) == 1, err
}

func checkStart(req *api.StartRequest) error {
	switch {
	case req.Protocol != api.ProtocolVersion:
		return api.VersionError(req.Protocol, api.ProtocolVersion)
	case req.Replica.IsZero() || req.Run.IsZero():
		return refuse(api.ErrInvalid, "start: replica or run is zero")
	case len(req.Client) > manifest.MaxClient || !api.IsLabel(req.Client):
		return refuse(api.ErrInvalid, "start: client %.64q is above %d bytes, or not UTF-8 without control characters and secrets", req.Client, manifest.MaxClient)
	case len(req.Command) > maxCommand || !api.IsLabel(req.Command):
		return refuse(api.ErrInvalid, "start: command %.64q is above %d bytes, or not UTF-8 without control characters and secrets", req.Command, maxCommand)
	case req.Bytes < 0:
		return refuse(api.ErrInvalid, "start: %d bytes cannot be expected", req.Bytes)
	}
	return nil
}

// knows reports whether the volume has the snapshot under that number.
func (h *Hub) knows(v *volume, id cas.ID, seq uint64) (bool, error) {
	if id.IsZero() {
		return true, nil
	}
	var head api.Head
	ok, err := h.meta.load(snapshotKey(v.id, id), &head)
	return ok && head.Seq == seq, err
}

// resume returns the slot's live session if it is of the same run, else a new one in its
// place; nil while the live one is being committed.
func (h *Hub) resume(ctx context.Context, req *api.StartRequest) (*session, error) {
	h.starting.Lock()
	defer h.starting.Unlock()
	caller := api.CallerOf(ctx)
	at := slot{req.Replica, req.Volume, caller.ID()}
	h.mu.Lock()
	old, full := h.slots[at], len(h.sessions) >= h.limits.Sessions
	h.mu.Unlock()
	if old != nil && old.again(req) {
		return old, nil
	}
	var rec slotRecord
	if old != nil {
		live, sealed := old.abort()
		if sealed {
			return nil, nil
		}
		if live {
			if err := h.drop(old); err != nil {
				return nil, err
			}
		}
		rec, _ = old.record()
	} else if _, err := h.meta.load(slotKey(at), &rec); err != nil {
		return nil, err
	}
	if full {
		return nil, refuse(api.ErrBusy, "the hub has %d sessions, the most it may have; try again later", h.limits.Sessions)
	}
	if n := h.sessionsOf(caller.ID()); !caller.ID().IsZero() && n >= h.limits.ClientSessions {
		return nil, refuse(api.ErrTooMany, "the client has %d sessions, the most of one client; try again later", n)
	}
	s := h.newSession(at, slotRecord{
		Session: randomID(), Run: req.Run, Client: req.Client, Command: req.Command,
		Seen: req.Seen, Heard: req.Heard, State: api.Idle, Answers: rec.Answers, Owner: caller.ID(),
	})
	h.register(s).opened()
	return s, nil
}

// rootsOf returns the roots of those snapshots that the volume has, each once.
func (h *Hub) rootsOf(v cas.VolumeID, ids ...cas.ID) ([]cas.ID, error) {
	var roots []cas.ID
	for _, id := range ids {
		var head api.Head
		ok, err := h.meta.load(snapshotKey(v, id), &head)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(roots, head.Root) {
			roots = append(roots, head.Root)
		}
	}
	return roots, nil
}
