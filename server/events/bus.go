// Package events is the bus on which a hub tells what happens on it, and a client what
// it found in a directory: a session changed its state, a commit is durable, a conflict
// came up, a file was added. Who publishes does not know who listens, and is never
// kept waiting: a subscriber that does not keep up loses events, and is told how many.
//
// An event says that something has happened. It is information, not part of a protocol: nobody's
// correctness may rest on having got it, and who hears of a loss looks at the thing itself.
//
// # JSON
//
// [Encode] gives an event the form in which it leaves the process: one object with
// "type" first, then the fields of its type. Names and meanings of types and fields stay as they
// are; fields may be added. Identities are hexadecimal, times RFC 3339 in UTC, paths as
// everywhere in the protocol: a string, or {"bytes": base64} when they are not UTF-8.
//
//	{"type":"session_state_changed","session":"…","replica":"…","volume":"…",
//	 "from":"IDLE","to":"REQUESTING_METADATA","at":"2001-09-09T01:46:40Z"}
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
)

// DefaultDepth is how many events wait for a subscriber that does not say how many.
const DefaultDepth = 1024

// An Event is a value that several goroutines may read: it is not changed once it was
// published.
type Event interface {
	// Type is the name of the event's type in its JSON form.
	Type() string
}

// Encode returns the JSON form of an event: see the package comment.
func Encode(e Event) ([]byte, error) {
	fields, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.Type(), err)
	}
	return fmt.Appendf(nil, `{"type":%q,%s`, e.Type(), fields[1:]), nil
}

// Lost tells a subscriber that Count events that it wants were published between the event
// before and the one after, and dropped because its queue was full. Whoever reads events from afar
// may get a Count of 0: it is not known how many.
type Lost struct {
	Count uint64 `json:"count"`
}

// Type implements [Event].
func (Lost) Type() string { return "lost" }

// A Bus hands each published event to those who subscribed to its type. The zero Bus is
// ready; it has no goroutines of its own. It is safe for concurrent use.
type Bus struct {
	mu     sync.Mutex // held while an event goes to all queues: all subscribers see one order
	subs   []*Subscription
	closed bool
}

// Publish queues e for the subscribers. It does not wait for any of them: where a queue is full
// e is dropped. Events of one goroutine arrive in the order in which it published them. On a
// nil or closed Bus nothing happens.
func (b *Bus) Publish(e Event) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		if s.wants(e) {
			s.offer(e)
		}
	}
}

// Close ends the bus: subscribers get what is queued for them, and then the end.
func (b *Bus) Close() {
	b.mu.Lock()
	subs := b.subs
	b.subs, b.closed = nil, true
	b.mu.Unlock()
	for _, s := range subs {
		s.end(false)
	}
}

func (b *Bus) drop(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.subs, s); i >= 0 {
		b.subs = slices.Delete(b.subs, i, i+1)
	}
}

// A Subscription is a queue of events for one subscriber, of which one goroutine at a time
// calls Next.
type Subscription struct {
	bus   *Bus
	wants func(Event) bool
	depth int

	mu    sync.Mutex
	queue []Event
	lost  uint64        // dropped after the last of queue
	ready chan struct{} // holds a token when there may be something to take; closed at the end
	ended bool
}

// Subscribe returns a subscription to what is published on b from now on and is an E: one
// type of event, all types that implement an interface E, or with E = [Event] all. Up to depth
// events wait for the subscriber, a [Lost] among them counting as one, or [DefaultDepth] if
// depth is not positive. It must be closed, or its bus. On a closed bus it has ended already.
func Subscribe[E Event](b *Bus, depth int) *Subscription {
	if depth < 1 {
		depth = DefaultDepth
	}
	s := &Subscription{bus: b, depth: depth, ready: make(chan struct{}, 1)}
	s.wants = func(e Event) bool { _, ok := e.(E); return ok }
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		s.end(false)
		return s
	}
	b.subs = append(b.subs, s)
	return s
}

// offer queues e, or counts it as lost.
func (s *Subscription) offer(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	switch {
	case len(s.queue) >= s.depth:
		s.lost++
	case s.lost > 0:
		s.queue = append(s.queue, Lost{s.lost}, e)
		s.lost = 0
	default:
		s.queue = append(s.queue, e)
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Next waits for the next event and returns it: one that was subscribed to, or [Lost] in
// the place of those that were dropped. The error is io.EOF after the end of the subscription
// or of the bus, or that of ctx.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		e, ended := s.take()
		switch {
		case e != nil:
			return e, nil
		case ended:
			return nil, io.EOF
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns what comes next, nil when there is nothing yet.
func (s *Subscription) take() (e Event, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.queue) > 0:
		e = s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
	case s.lost > 0:
		e, s.lost = Lost{s.lost}, 0
	default:
		return nil, s.ended
	}
	return e, false
}

// Close ends the subscription at once: what is queued is dropped, and Next returns io.EOF.
func (s *Subscription) Close() {
	s.bus.drop(s)
	s.end(true)
}

// end ends the subscription, now or when its queue is empty.
func (s *Subscription) end(now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now {
		s.queue, s.lost = nil, 0
	}
	if !s.ended {
		s.ended = true
		close(s.ready)
	}
}
