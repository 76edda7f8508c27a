package server

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"dfs/server/api"
	"dfs/server/events"
)

func TestBudgetIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, time.Second)
		ctx := t.Context()
		take := func(client string, n int64) *holding {
			t.Helper()
			h, err := b.acquire(ctx, client, n)
			if err != nil {
				t.Fatalf("%s: %d bytes: %v", client, n, err)
			}
			return h
		}
		greedy := take("greedy", 1000)
		if greedy.n != 50 {
			t.Errorf("a client holds %d of 100", greedy.n)
		}
		if _, err := b.acquire(ctx, "greedy", 1); !errors.Is(err, api.ErrTooMany) {
			t.Errorf("more than half: %v", err)
		}
		if err := greedy.grow(1); !errors.Is(err, api.ErrTooMany) {
			t.Errorf("grown above half: %v", err)
		}
		modest := take("modest", 30)
		if err := modest.grow(20); err != nil {
			t.Error(err)
		}
		greedy.release()
		greedy.release()
		modest.release()
		if b.free != 100 || len(b.held) != 0 {
			t.Errorf("%d free and %v held after all", b.free, b.held)
		}
		if all := take("", 1000); all.n != 100 {
			t.Errorf("the nameless hold %d", all.n)
		}
	})
}

// TestBudgetServesTheLeast has a client with many requests wait before another comes.
func TestBudgetServesTheLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		half := func() *holding {
			h, err := b.acquire(ctx, "", 50)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		first, second := half(), half()
		served := make(chan string, 5)
		for _, client := range []string{"many", "many", "many", "many", "one"} {
			go func() {
				if h, err := b.acquire(ctx, client, 25); err == nil {
					served <- client
					<-ctx.Done()
					h.release()
				}
			}()
			synctest.Wait()
		}
		first.release()
		synctest.Wait()
		if a, b := <-served, <-served; a == b {
			t.Errorf("both parts went to %s", a)
		}
		cancel()
		synctest.Wait()
		second.release()
		synctest.Wait()
		if b.free != 100 || len(b.queue) != 0 {
			t.Errorf("%d free, %d wait after all", b.free, len(b.queue))
		}
	})
}

func TestBudgetRefusesWhenTheServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1, time.Hour)
		server, stop := context.WithCancel(t.Context())
		ctx := context.WithValue(t.Context(), serving{}, lifetime{stop: server})
		if _, err := b.acquire(ctx, "", 1); err != nil {
			t.Fatal(err)
		}
		refused := make(chan error, 1)
		go func() {
			_, err := b.acquire(ctx, "", 1)
			refused <- err
		}()
		synctest.Wait()
		stop()
		if err := <-refused; !errors.Is(err, api.ErrBusy) {
			t.Error(err)
		}
	})
}

// TestReliefIsOfTheSameMemory cuts for who waits for memory only who has some of that, and the slowest of them.
func TestReliefIsOfTheSameMemory(t *testing.T) {
	l := newConns(nil, 9, time.Minute, nil)
	requests, downloads := newBudget(1, time.Second), newBudget(1, time.Second)
	lagging := func(b *budget, lag time.Duration) *conn {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = there.Close() })
		c := &conn{Conn: here, of: l}
		l.admit(c)
		c.hold(b)
		c.pace.since = time.Now().Add(-lag)
		return c
	}
	upload, slow, slower, quick := lagging(requests, 9*patience), lagging(downloads, 2*patience), lagging(downloads, 3*patience), lagging(downloads, 0)
	for _, cut := range []*conn{slower, slow, nil} {
		if l.relieve(downloads); cut != nil && l.open[cut] {
			t.Error("the slowest of the downloads was not cut")
		}
	}
	if !l.open[upload] || !l.open[quick] {
		t.Error("one was cut that has other memory, or is not slow")
	}
}

// TestCutsAreTold says on the bus for what a connection is cut that has a request under way.
func TestCutsAreTold(t *testing.T) {
	var bus events.Bus
	defer bus.Close()
	sub := events.Subscribe[events.Event](&bus, 0)
	l := newConns(nil, 1, time.Minute, &bus)
	enter := func(host string) *conn {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = there.Close() })
		c := &conn{Conn: here, of: l, host: host}
		if _, ok := l.admit(c); !ok {
			t.Fatalf("there is no place for %s", host)
		}
		return c
	}
	busy := func(c *conn) { c.quiet, c.pace.since = time.Time{}, time.Now().Add(-2*patience) }
	enter("idle").quiet = time.Now().Add(-time.Hour)
	slow := enter("slow")
	busy(slow)
	held := enter("held")
	busy(held)
	b := newBudget(1, time.Second)
	held.hold(b)
	l.relieve(b)
	for _, want := range []events.ConnectionCut{{Peer: "slow", For: "place"}, {Peer: "held", For: "memory"}} {
		e, err := sub.Next(t.Context())
		got, _ := e.(events.ConnectionCut)
		if err != nil || got.Peer != want.Peer || got.For != want.For || got.Lag < patience.Seconds() || got.At.IsZero() {
			t.Errorf("%+v, %v, want %+v", e, err, want)
		}
	}
}
