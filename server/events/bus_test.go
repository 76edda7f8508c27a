package events_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"dfs/server/api"
	"dfs/server/events"
)

// numbered is an event of a publisher.
type numbered struct{ publisher, n int }

func (numbered) Type() string { return "numbered" }

func (e numbered) number() int { return e.n }

// counted is what events with a number are.
type counted interface {
	events.Event
	number() int
}

// other is an event of another type.
type other struct{}

func (other) Type() string { return "other" }

// next returns what comes next, which must be there.
func next(t testing.TB, s *events.Subscription) events.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what is queued comes all the same
	e, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// wantNothing fails when anything is queued.
func wantNothing(t testing.TB, s *events.Subscription) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("event %v, error %v", e, err)
	}
}

func wantEnd(t testing.TB, s *events.Subscription) {
	t.Helper()
	if e, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatalf("event %v, error %v, not the end", e, err)
	}
}

func TestSubscribersGetTheirTypes(t *testing.T) {
	var bus events.Bus
	defer bus.Close()
	bus.Publish(numbered{0, 0}) // nobody is there yet
	all := events.Subscribe[events.Event](&bus, 0)
	one := events.Subscribe[other](&bus, 0)
	counting := events.Subscribe[counted](&bus, 0)
	bus.Publish(numbered{0, 1})
	bus.Publish(other{})
	bus.Publish(numbered{0, 2})
	for _, want := range []events.Event{numbered{0, 1}, other{}, numbered{0, 2}} {
		if got := next(t, all); got != want {
			t.Errorf("all: %v, not %v", got, want)
		}
	}
	if got := next(t, one); got != (other{}) {
		t.Errorf("one: %v", got)
	}
	wantNothing(t, all)
	wantNothing(t, one)
	for _, want := range []events.Event{numbered{0, 1}, numbered{0, 2}} {
		if got := next(t, counting); got != want {
			t.Errorf("an interface: %v, not %v", got, want)
		}
	}
	wantNothing(t, counting)
}

func TestSlowSubscriberIsToldWhatItLost(t *testing.T) {
	var bus events.Bus
	defer bus.Close()
	slow, quick := events.Subscribe[numbered](&bus, 2), events.Subscribe[events.Event](&bus, 9)
	for n := range 5 {
		bus.Publish(numbered{n: n})
		bus.Publish(other{}) // which slow does not want, and so does not lose
	}
	if got := next(t, slow); got != (numbered{n: 0}) {
		t.Fatal(got)
	}
	bus.Publish(numbered{n: 5})
	for _, want := range []events.Event{numbered{n: 1}, events.Lost{Count: 3}, numbered{n: 5}} {
		if got := next(t, slow); got != want {
			t.Fatalf("%v, not %v", got, want)
		}
	}
	for n := range 3 {
		bus.Publish(numbered{n: 6 + n})
	}
	// A loss is told also when nothing comes after it.
	for _, want := range []events.Event{numbered{n: 6}, numbered{n: 7}, events.Lost{Count: 1}} {
		if got := next(t, slow); got != want {
			t.Fatalf("%v, not %v", got, want)
		}
	}
	wantNothing(t, slow)
	for range 9 {
		if _, lost := next(t, quick).(events.Lost); lost {
			t.Fatal("the slow subscriber cost the quick one events")
		}
	}
}

// TestQueue: whatever is published and taken in whichever order, a subscriber gets
// each event once, in order, or is told in its place that it lost it; and it loses none
// while it is less than its depth behind.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var bus events.Bus
		defer bus.Close()
		depth := rapid.IntRange(1, 5).Draw(t, "depth")
		s := events.Subscribe[events.Event](&bus, depth)
		var safe []bool // by event: it may not be lost
		known := 0
		take := func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			switch e, err := s.Next(ctx); e := e.(type) {
			case numbered:
				if e.n != known {
					t.Fatalf("event %d after %d are known", e.n, known)
				}
				known++
			case events.Lost:
				lost := safe[known:][:e.Count]
				if e.Count == 0 || slices.Contains(lost, true) {
					t.Fatalf("lost from event %d on: %v", known, lost)
				}
				known += len(lost)
			default:
				if known != len(safe) {
					t.Fatalf("%d of %d events are known: %v", known, len(safe), err)
				}
			}
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "publish") {
				bus.Publish(numbered{n: len(safe)})
				safe = append(safe, len(safe)-known < depth)
			} else {
				take()
			}
		}
		for known < len(safe) {
			take()
		}
	})
}

func TestPublishersKeepTheirOrder(t *testing.T) {
	const publishers, each = 8, 2000
	var bus events.Bus
	subs := []*events.Subscription{
		events.Subscribe[events.Event](&bus, publishers*each),
		events.Subscribe[numbered](&bus, publishers*each),
		events.Subscribe[numbered](&bus, 7),
	}
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for n := range each {
				bus.Publish(numbered{p, n})
			}
		})
	}
	go func() {
		publishing.Wait()
		bus.Close()
	}()
	got := make([][]numbered, len(subs))
	var reading sync.WaitGroup
	for i, s := range subs {
		reading.Go(func() {
			var last [publishers]int
			var lost uint64
			for {
				e, err := s.Next(context.Background())
				if err != nil {
					break
				}
				switch e := e.(type) {
				case events.Lost:
					lost += e.Count
				case numbered:
					if e.n+1 <= last[e.publisher] {
						t.Errorf("subscriber %d: event %d of publisher %d after event %d", i, e.n, e.publisher, last[e.publisher]-1)
					}
					last[e.publisher] = e.n + 1
					got[i] = append(got[i], e)
				}
			}
			if total := lost + uint64(len(got[i])); total != publishers*each {
				t.Errorf("subscriber %d: %d events and %d lost", i, len(got[i]), lost)
			}
		})
	}
	reading.Wait()
	if !slices.Equal(got[0], got[1]) {
		t.Error("two subscribers saw two orders")
	}
}

func TestEnd(t *testing.T) {
	// In a bubble a goroutine that is left behind fails the test.
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		queued, waiting, closed := events.Subscribe[numbered](&bus, 2), events.Subscribe[other](&bus, 2), events.Subscribe[numbered](&bus, 2)
		ended := make(chan error, 1)
		go func() {
			_, err := waiting.Next(context.Background())
			ended <- err
		}()
		for n := range 3 {
			bus.Publish(numbered{n: n})
		}
		closed.Close()
		closed.Close()
		wantEnd(t, closed)
		synctest.Wait()
		bus.Close()
		bus.Close()
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("who waits gets %v", err)
		}
		bus.Publish(numbered{n: 3})
		for _, want := range []events.Event{numbered{n: 0}, numbered{n: 1}, events.Lost{Count: 1}} {
			if got := next(t, queued); got != want {
				t.Errorf("%v, not %v", got, want)
			}
		}
		wantEnd(t, queued)
		queued.Close()
		wantEnd(t, events.Subscribe[numbered](&bus, 2))
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		s := events.Subscribe[numbered](&bus, 1)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			_, err := s.Next(ctx)
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		bus.Publish(numbered{n: 1}) // which is not lost by it
		if got := next(t, s); got != (numbered{n: 1}) {
			t.Error(got)
		}
		s.Close()
	})
}

func TestNoBus(t *testing.T) {
	var none *events.Bus
	none.Publish(events.SessionStateChanged{To: api.Idle})
}

func BenchmarkPublish(b *testing.B) {
	var bus events.Bus
	defer bus.Close()
	events.Subscribe[other](&bus, 1)
	events.Subscribe[events.Event](&bus, 1)
	for b.Loop() {
		bus.Publish(numbered{})
	}
}
