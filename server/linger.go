package server

import (
	"context"
	"time"

	"dfs/server/api"
)

// errGiveWay is of a wait that was ended because others want the place of its connection.
var errGiveWay error = invalid(api.ErrTooMany, "all connections are taken, and this one only waited; try again")

// linger begins a wait for news of a request: for a head, or for events. The context ends with ctx, when the server
// stops, and with errGiveWay when the connection's place is wanted. ErrTooMany when so much of the client waits already.
func (s *server) linger(ctx context.Context) (_ context.Context, done func(), err error) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok || x.who == nil {
		ctx, cancel := untilStop(ctx)
		return ctx, cancel, nil
	}
	if err := s.guests.wait(x.who); err != nil {
		return nil, nil, err
	}
	ctx, stop := untilStop(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	x.conn.linger(&wait{since: time.Now(), end: func() { cancel(errGiveWay) }})
	return ctx, func() {
		x.conn.linger(nil)
		s.guests.waited(x.who)
		stop()
		cancel(nil)
	}, nil
}

// A wait is what a request does that waits for news.
type wait struct {
	since time.Time
	end   func() // has it end soon
}

// linger says that the connection's request waits for news, or with nil does not any more. A nil connection takes no notes.
func (c *conn) linger(w *wait) {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.waits = w
}

// giveWay ends what the connection's request waits for. The caller holds the lock of the listener.
func (c *conn) giveWay() {
	c.waits.end()
	c.waits, c.gives = nil, time.Now()
}
