// Package progress follows how far the sending of each session has come.
package progress

import (
	"context"
	"sync"
	"time"

	"dfs/server/api"
	"dfs/server/events"
)

const (
	window     = 10 * time.Second // over which the rate is measured
	resolution = 250 * time.Millisecond
	most       = 8192 // sessions that are followed
)

// A Tracker knows the sessions of a hub that are under way. It is safe for concurrent use.
type Tracker struct {
	mu       sync.Mutex
	sessions map[api.SessionID]*sending
}

// New returns a tracker that knows of none yet.
func New() *Tracker { return &Tracker{sessions: make(map[api.SessionID]*sending)} }

// sending is the sending of a session.
type sending struct {
	known, lacked int64
	total         int64 // as the client said; 0: it did not
	bytes         int64 // that came
	whole         bool  // the hub has all that the commit names
	samples       []sample
}

// sample says that so many bytes had come at a time.
type sample struct {
	at    time.Time
	bytes int64
}

// Run follows what s brings until that or ctx ends.
func (t *Tracker) Run(ctx context.Context, s *events.Subscription) { events.Each(ctx, s, t.see) }

func (t *Tracker) see(e events.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := e.(type) {
	case events.SessionStarted:
		t.of(e.Session).total = e.Bytes
	case events.UploadExpected:
		t.of(e.Session).total = e.Bytes
	case events.BlobsNamed:
		s := t.of(e.Session)
		s.known += e.Known
		s.lacked += e.New
	case events.UploadStarted:
		s := t.of(e.Session)
		s.samples = append(s.samples, sample{e.At, s.bytes})
	case events.BlobsReceived:
		t.of(e.Session).received(e.At, e.TotalBytes)
	case events.UploadCompleted:
		t.of(e.Session).whole = true
	case events.SessionStateChanged:
		if e.To.Ended() {
			delete(t.sessions, e.Session)
		}
	}
}

// of returns the sending of a session. Where an end was lost, some session goes for a new one.
func (t *Tracker) of(id api.SessionID) *sending {
	s := t.sessions[id]
	if s == nil {
		for old := range t.sessions {
			if len(t.sessions) < most {
				break
			}
			delete(t.sessions, old)
		}
		s = new(sending)
		t.sessions[id] = s
	}
	return s
}

// received takes note that bytes had come at a time. Of what came within a moment one sample is kept, and of
// what came before the window the last.
func (s *sending) received(at time.Time, bytes int64) {
	s.bytes = bytes
	last := len(s.samples) - 1
	if last > 0 && at.Sub(s.samples[last-1].at) < resolution {
		s.samples[last] = sample{at, bytes}
	} else {
		s.samples = append(s.samples, sample{at, bytes})
	}
	for len(s.samples) > 2 && at.Sub(s.samples[1].at) >= window {
		s.samples = s.samples[1:]
	}
}

// rate returns bytes a second up to now, and false when nothing was measured.
func (s *sending) rate(now time.Time) (float64, bool) {
	if len(s.samples) < 2 {
		return 0, false
	}
	first := s.samples[0]
	for _, next := range s.samples[1:] {
		if now.Sub(next.at) >= window {
			first = next
		}
	}
	passed := now.Sub(first.at).Seconds()
	if passed <= 0 {
		return 0, false
	}
	return float64(s.bytes-first.bytes) / passed, true
}

// Of returns what is known at a time about a session's sending, nil when that is nothing.
func (t *Tracker) Of(id api.SessionID, now time.Time) *api.Transfer {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[id]
	if s == nil {
		return nil
	}
	answer := &api.Transfer{Known: s.known, New: s.lacked}
	rate, measured := s.rate(now)
	if measured {
		answer.Rate = &rate
	}
	if s.total > 0 {
		total, percent := s.total, min(100, 100*float64(s.bytes)/float64(s.total))
		answer.Total, answer.Percent = &total, &percent
		if rate > 0 {
			eta := max(0, float64(total-s.bytes)/rate)
			answer.ETA = &eta
		}
	}
	if s.whole {
		percent, eta := 100., 0.
		answer.Percent, answer.ETA = &percent, &eta
	}
	return answer
}
