package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// ErrUnreachable is [api.ErrUnreachable]: after the time that the options give the hub. The error names the URL and
// the cause.
var ErrUnreachable = api.ErrUnreachable

// A transient error is one after which the request is made again.
type transient struct {
	err     error
	busy    bool          // the hub says to come back
	after   time.Duration // in how long, if it says so
	damaged bool          // what arrived is not what was sent
}

func (t *transient) Error() string { return t.err.Error() }
func (t *transient) Unwrap() error { return t.err }

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	maxAfter   = time.Minute
	maxDamaged = 3 // damaged answers in a row
)

// persist calls try until it succeeds, fails for good, or nothing has moved for
// the time of Options.Patience, or of Options.First before the first answer of all. Every call of the protocol may be repeated. An
// attempt has moved something when it says so, or when it lasted that long,
// since one in which no byte moves ends sooner. Being told to wait is not held
// against the hub.
func (h *Hub) persist(ctx context.Context, try func() (moved bool, err error)) error {
	if !h.answered.Load() {
		if err := h.retry(ctx, h.opts.First, time.Now(), try); !h.answered.Load() || !errors.Is(err, ErrUnreachable) {
			return err
		}
	}
	return h.retry(ctx, h.opts.Patience, time.Time{}, func() (bool, error) {
		began := time.Now()
		moved, err := try()
		return moved || time.Since(began) >= h.opts.Patience, err
	})
}

// retry is persist for any patience, which counts from the time of since, or
// from the first failure when that is zero.
func (h *Hub) retry(ctx context.Context, patience time.Duration, since time.Time, try func() (moved bool, err error)) error {
	damaged := 0
	for n := 0; ; n++ {
		moved, err := try()
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t, ok := err.(*transient)
		if !ok {
			return err
		}
		if moved || t.busy {
			n, damaged, since = 0, 0, time.Time{}
		}
		if since.IsZero() {
			since = time.Now()
		}
		if t.damaged {
			damaged++
		}
		if damaged == maxDamaged {
			return fmt.Errorf("%s: damaged %d times on its way: %w", h.base, damaged, t.err)
		}
		pause := backoff(n) + t.after // not all at once come back who were sent away together
		if !t.busy && time.Since(since)+pause >= patience {
			return fmt.Errorf("%w: %s: %w", ErrUnreachable, h.base, t.err)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		h.counts.retries.Add(1)
	}
}

// backoff returns the pause after failure number n, from 0: it doubles, and is
// random within half of itself.
func backoff(n int) time.Duration {
	pause := min(firstPause<<min(n, 16), lastPause)
	return pause/2 + rand.N(pause/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inTransit classifies the error of reading an answer's frames: all but what
// the hub itself says is damage or a cut.
func inTransit(err error) error {
	if e, ok := err.(*api.Error); ok {
		return fromHub(e, 0)
	}
	_, damage := errors.AsType[*api.DamageError](err)
	return &transient{err: err, damaged: damage || errors.Is(err, cas.ErrCorrupt)}
}

// fromHub makes what the hub says transient when it is busy, or this client asks too much of it at a time.
func fromHub(e *api.Error, after time.Duration) error {
	if e.Code == api.ErrBusy.Code || e.Code == api.ErrTooMany.Code {
		return &transient{err: e, busy: true, after: after}
	}
	return e
}

// retryAfter reads the header's form in seconds.
func retryAfter(header http.Header) time.Duration {
	n, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxAfter)
}
