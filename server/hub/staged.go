package hub

import (
	"context"

	"dfs/server/api"
)

const (
	// uploadSlack is what the uploads of sessions may have beyond a quota: blobs that were sent
	// twice, or of files that changed meanwhile.
	uploadSlack = 64 << 20
	// maxLeft is how many times a quota, with the slack, the uploads may come to with those of sessions that
	// ended without a commit. These stay in the store, so that the run that goes on need not send them again.
	maxLeft = 3
)

// An addition is what a call is about to add to its session. It counts as if it had been added.
type addition struct {
	part  int // the number of a part, or noPart
	usage api.Usage
	bytes int64 // of blobs
}

const noPart = -1

// admitStaged refuses what a session adds to what the sessions of its quotas have staged and not
// committed, when that comes to more than the quotas. What comes to less may still be
// too much for the commit: how much of the head goes with it is known only then. After
// the hub was started again, what sessions staged or sent before does not count.
//
// What is admitted counts from then on, also for calls at the same time. The caller calls added
// once the session has it, or will not.
func (h *Hub) admitStaged(ctx context.Context, s *session, v *volume, c addition) (added func(), err error) {
	h.mu.Lock()
	bounds := h.bounds(v)
	h.mu.Unlock()
	if len(bounds) == 0 {
		return func() {}, nil
	}
	h.admitting.Lock()
	defer h.admitting.Unlock()
	h.mu.Lock()
	sessions := make(map[*session]*volume, len(h.sessions))
	for _, other := range h.sessions {
		if at := h.volumes[other.slot.volume]; at != nil {
			sessions[other] = at
		}
	}
	h.mu.Unlock()
	for _, of := range bounds {
		staged, sent := c.usage, c.bytes
		for other, at := range sessions {
			if !of.covers(at) {
				continue
			}
			except := noPart
			if other == s {
				except = c.part
			}
			u, bytes := other.holds(except)
			staged, sent = plus(staged, u), sent+bytes
		}
		if err := h.admitSum(ctx, of, v, staged, sent); err != nil {
			return nil, err
		}
	}
	return s.adds(c), nil
}

// admitSum refuses what the sessions of a quota have staged in all, or the bytes that they sent.
func (h *Hub) admitSum(ctx context.Context, of quotaOf, v *volume, staged api.Usage, sent int64) error {
	const waiting, left = "are waiting for a commit", "were sent, with those of runs that ended without a commit"
	h.mu.Lock()
	defer h.mu.Unlock()
	q, all := h.quotas[of], sent
	for _, other := range h.volumes {
		if of.covers(other) {
			all += other.left
		}
	}
	switch {
	case q.Bytes > 0 && (staged.Bytes > q.Bytes || sent > q.Bytes+uploadSlack):
		return h.exceeded(ctx, of, v, "bytes", max(staged.Bytes, sent), waiting)
	case q.Bytes > 0 && all > sent && all/maxLeft > q.Bytes+uploadSlack:
		return h.exceeded(ctx, of, v, "bytes", all, left)
	case q.Files > 0 && staged.Files > q.Files:
		return h.exceeded(ctx, of, v, "files", staged.Files, waiting)
	}
	return nil
}

// abandoned counts what a session that ended without a commit has sent.
func (h *Hub) abandoned(s *session) {
	bytes := s.abandon()
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.volumes[s.slot.volume]; v != nil {
		v.left += bytes
	}
}

// redeem counts as left no more what a commit brought to the volume, be it of earlier sessions.
func (h *Hub) redeem(v *volume, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.left = max(v.left-bytes, 0)
}

// addedBy returns the usage of what edits bring.
func addedBy(edits []api.Edit) (u api.Usage) {
	for _, e := range edits {
		u = plus(u, usageOf(e.New))
	}
	return u
}

// adds has the session hold an addition until added is called.
func (s *session) adds(c addition) (added func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.additions[&c] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.additions, &c)
	}
}

// holds returns what the session has staged, but for a part, and the bytes of blobs that it
// sent, unless it has ended.
func (s *session) holds(except int) (u api.Usage, sent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended(s.state) {
		return u, 0
	}
	claimed := map[int]api.Usage{}
	for c := range s.additions {
		sent += c.bytes
		if old, ok := claimed[c.part]; c.part != noPart && (!ok || old.Bytes < c.usage.Bytes) {
			claimed[c.part] = c.usage // of a request that came twice, one
		}
	}
	for n, p := range s.parts {
		if _, ok := claimed[n]; !ok {
			claimed[n] = p.adds
		}
	}
	delete(claimed, except)
	for _, adds := range claimed {
		u = plus(u, adds)
	}
	return u, sent + s.bytes - s.abandoned
}

// brings returns the bytes of what the session has staged.
func (s *session) brings() int64 {
	u, _ := s.holds(noPart)
	return u.Bytes
}

// abandon returns the bytes of blobs that the session sent and nobody has counted yet.
func (s *session) abandon() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := s.bytes - s.abandoned
	s.abandoned = s.bytes
	return bytes
}
