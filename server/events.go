package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
)

const (
	maxTails = 256 // requests for events at a time, or a quarter of the connections if that is less
	tailRun  = 64  // events that are written at once
)

func tailsOf(limits api.Limits) int64 { return int64(max(min(maxTails, limits.Connections/4), 1)) }

// publishRefusal says on the bus that a request of a client was refused, or of somebody unknown if that is zero. The
// path is the route's, empty for none.
func (s *server) publishRefusal(path string, client api.ClientID, status int, code api.Code) {
	s.opts.Bus.Publish(events.RequestRefused{Route: path, Code: code, Status: status, Anonymous: client.IsZero(), At: time.Now().UTC()})
}

func (s *server) metrics(c *gin.Context) (any, error) {
	if s.opts.Metrics == nil {
		return nil, invalid(api.ErrNotFound, "this hub has no metrics")
	}
	if !api.CallerOf(c.Request.Context()).MayAll(api.RightAdmin) {
		return nil, invalid(api.ErrForbidden, "the metrics are of all volumes: they take the right admin for all")
	}
	s.opts.Metrics.ServeHTTP(c.Writer, c.Request)
	return nil, nil
}

// events answers with the events that the caller may see, until that is gone or the server stops.
func (s *server) events(c *gin.Context) (any, error) {
	if s.opts.Feed == nil {
		return nil, invalid(api.ErrNotFound, "this hub tells no events")
	}
	ctx := c.Request.Context()
	t := &tail{c: c, feed: s.opts.Feed, caller: api.CallerOf(ctx), beat: s.opts.Beat}
	if c.Query("volume") != "" {
		var err error
		if t.volume, err = s.queryVolume(c); err != nil {
			return nil, err
		}
		// Whether it is there, and for the caller, the hub knows.
		if _, err := s.hub.Snapshot(ctx, t.volume, cas.ID{}); err != nil {
			return nil, err
		}
	}
	ctx, done, err := s.linger(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if !s.tails.TryAcquire(1) {
		return nil, api.ErrBusy
	}
	defer s.tails.Release(1)
	t.resume(cmp.Or(c.Request.Header.Get("Last-Event-ID"), c.Query("after")))
	c.Header("Content-Type", api.EventStream)
	t.run(ctx)
	return nil, nil
}

// A tail is a request for events under way. It reads from the feed what it can write, so it holds
// no more than that however slow its peer is; one that takes nothing is dropped as any is.
type tail struct {
	c      *gin.Context
	feed   *feed.Feed
	caller *api.Caller
	volume cas.VolumeID // the only one; zero: all
	beat   time.Duration
	at     feed.Position
	lost   bool // something before at is missing
	out    bytes.Buffer
}

// resume finds the place to begin at: after the event with the ID or, without one, now. What a former process of the hub
// told is lost.
func (t *tail) resume(id string) {
	if id == "" {
		t.at = t.feed.End()
		return
	}
	at, ok := t.feed.Parse(id)
	t.at, t.lost = at, !ok
	if !ok {
		t.at = 0
	}
}

func (t *tail) run(ctx context.Context) {
	fmt.Fprint(&t.out, "retry: 1000\n")
	t.position()
	if t.lost {
		t.tellLost(0)
	}
	buf := make([]feed.Entry, 0, tailRun)
	for t.flush() && ctx.Err() == nil {
		entries, next, lost, more := t.feed.Read(t.at, buf)
		switch {
		case len(entries) > 0:
			t.at = next - feed.Position(len(entries))
			t.write(entries, lost)
		case more == nil:
			return // the feed has ended
		case !t.wait(ctx, more):
			return
		}
	}
}

// write writes the entries at the position that the caller may see, and moves on after them.
func (t *tail) write(entries []feed.Entry, lost uint64) {
	if lost > 0 {
		t.tellLost(lost)
	}
	for _, e := range entries {
		t.at++
		if t.sees(e) {
			data := e.Data
			if e.Admin != nil && t.caller.MayAll(api.RightAdmin) {
				data = e.Admin
			}
			fmt.Fprintf(&t.out, "event: %s\ndata: %s\n", e.Type, data)
			t.position()
		} else if e.Type == (events.Lost{}).Type() {
			t.tellLost(0)
		}
	}
}

// wait waits for more, with a sign of life from time to time. It reports false at the end. With the sign the
// position is told, so that who goes on after it need not read so much again; not when it moves, which
// would tell when something happens that the caller does not see.
func (t *tail) wait(ctx context.Context, more <-chan struct{}) bool {
	beat := time.NewTimer(t.beat)
	defer beat.Stop()
	select {
	case <-more:
	case <-beat.C:
		fmt.Fprint(&t.out, ": \n")
		t.position()
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// sees reports whether an event is for the caller: of a volume that it may read or, if it administers the hub, of none.
func (t *tail) sees(e feed.Entry) bool {
	if !e.Scoped {
		return t.volume.IsZero() && t.caller.MayAll(api.RightAdmin)
	}
	return (t.volume.IsZero() || e.Volume == t.volume) && t.caller.May(e.Volume, api.RightRead)
}

// tellLost says that events are missing, and how many where the caller may know of all of them; 0: it is not known.
func (t *tail) tellLost(n uint64) {
	if !t.volume.IsZero() || !t.caller.MayAll(api.RightAdmin) {
		n = 0
	}
	form, err := events.Encode(events.Lost{Count: n})
	if err != nil {
		return // it has a form
	}
	fmt.Fprintf(&t.out, "event: %s\ndata: %s\n\n", (events.Lost{}).Type(), form)
}

// position ends what was written with the ID of the place after it.
func (t *tail) position() { fmt.Fprintf(&t.out, "id: %s\n\n", t.feed.ID(t.at)) }

// flush sends what is written, and reports whether the peer is there.
func (t *tail) flush() bool {
	_, err := t.c.Writer.Write(t.out.Bytes())
	t.out.Reset()
	t.c.Writer.Flush()
	return err == nil
}

// Flush implements [http.Flusher]. That it fails shows in the next write.
func (x *exchange) Flush() {
	_ = x.ctl.Flush()
}
