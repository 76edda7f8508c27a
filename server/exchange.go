package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"dfs/server/api"
)

// minRate is how many bytes a second of a body or an answer must move, over Options.Stall. It keeps
// out who sends a byte a second to hold a place, and no link on which a sync could end.
const minRate = 64

// leastIn returns how many bytes must move in the stall time.
func leastIn(stall time.Duration) int { return max(int(stall.Seconds()*minRate), 1) }

// An exchange is a request with its answer, as seen by handlers. A peer of which bytes
// come is served however long it takes, and one that stalls, or sends less than minRate, is
// dropped: what it sends is watched here, what it takes by conn. Until
// the answer begins the peer gets a status 102 from time to time: it may have
// sent all, and wait for what slow links or the hub still work on.
type exchange struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	r     *http.Request
	stall time.Duration
	beat  time.Duration

	conn     *conn       // nil when it is not of Serve
	body     *body       // nil when there is none
	who      *guest      // whose it is, once the request may have what it asks for
	in, out  *pacer      // of the body and of the answer
	stopping atomic.Bool // the body is not waited for any more: the server stops

	mu     sync.Mutex // guards w and what follows
	header http.Header
	began  bool // the final status is written, or may not be any more
	read   bool // the body was read from, or there is none: no "100 Continue" is to come
	whole  bool // the body was read to its end, or there is none
	timer  *time.Timer
}

// newExchange returns the exchange of w and r. Handlers use the r in it, whose
// body it reads; the server's own stays as it is, for the server to look at.
func newExchange(w http.ResponseWriter, r *http.Request, opts Options) *exchange {
	x := &exchange{w: w, ctl: http.NewResponseController(w), stall: opts.Stall, beat: opts.Beat, header: http.Header{}}
	x.r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	x.conn, _ = r.Context().Value(connOf{}).(*conn)
	x.read = r.Body == http.NoBody
	x.whole = x.read
	if !x.read {
		x.extendRead()
		x.body = &body{x: x, r: r.Body}
		x.r.Body = x.body
	}
	if r.ProtoAtLeast(1, 1) {
		x.mu.Lock()
		x.timer = time.AfterFunc(x.beat, x.signal)
		x.mu.Unlock()
	}
	return x
}

// exchangeKey is the key of an exchange in the context of its request.
type exchangeKey struct{}

// receive makes the exchange the guest's, to whose rate it keeps.
func receive(r *http.Request, who *guest) {
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		x.who, x.in, x.out = who, who.in, who.out
	}
}

// A failing deadline shows in the read that it is for.
func (x *exchange) extendRead() { _ = x.ctl.SetReadDeadline(time.Now().Add(x.stall)) }

// giveUp ends what the handler reads of the body.
func (x *exchange) giveUp() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stopping.Store(true)
	if !x.whole {
		_ = x.ctl.SetReadDeadline(time.Now())
	}
}

// signal sends a sign of life.
func (x *exchange) signal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.began {
		return
	}
	if x.read {
		x.w.WriteHeader(http.StatusProcessing)
	}
	x.timer.Reset(x.beat)
}

// finish ends the exchange.
func (x *exchange) finish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.began {
		x.begin(http.StatusOK)
	}
	if x.timer != nil {
		x.timer.Stop()
	}
}

// begin writes the final status with the headers.
func (x *exchange) begin(status int) {
	x.began = true
	for name, values := range x.header {
		x.w.Header()[name] = values
	}
	x.w.WriteHeader(status)
}

// begun reports whether the answer's status is written.
func (x *exchange) begun() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.began
}

// Header implements [http.ResponseWriter].
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader implements [http.ResponseWriter].
func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.began {
		x.begin(status)
	}
}

// Write implements [http.ResponseWriter].
func (x *exchange) Write(p []byte) (written int, err error) {
	x.WriteHeader(http.StatusOK)
	for len(p) > 0 {
		most := x.out.most(len(p))
		if err := x.out.pass(x.r.Context(), most); err != nil {
			return written, err
		}
		n, err := x.w.Write(p[:most])
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

// body is a request's body of which bytes must come.
type body struct {
	x     *exchange
	r     io.ReadCloser
	read  bool // some read has returned
	err   error
	first []byte        // bytes that came and were not read yet
	spent time.Duration // in reads since the last look at what moved
	moved int           // meanwhile
}

// prime waits for the first bytes of the body. What goes wrong shows when they are read.
func (x *exchange) prime() {
	if b := x.body; b != nil && !b.read {
		buf := make([]byte, unit)
		n, _ := io.ReadFull(b, buf)
		b.first = buf[:n]
	}
}

// bodyError is the failure of a read of a body.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return fmt.Sprintf("request body: %v", e.err) }
func (e *bodyError) Unwrap() error { return e.err }

func (b *body) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err // a body that stalled is not waited for again
	}
	b.x.extendRead()
	if b.x.stopping.Load() {
		b.err = errStopping
		return 0, b.err
	}
	began := time.Now()
	b.x.conn.await()
	n, err := b.r.Read(p[:b.x.in.most(len(p))])
	b.x.conn.passed(n)
	b.moved += n
	if b.spent += time.Since(began); err == nil && b.spent >= b.x.stall {
		if least := leastIn(b.x.stall); b.moved < least {
			err = fmt.Errorf("%d bytes came in %v, fewer than %d", b.moved, b.spent.Round(time.Millisecond), least)
		}
		b.spent, b.moved = 0, 0
	}
	if !b.read {
		b.read = true
		b.x.mu.Lock()
		b.x.read = true
		b.x.mu.Unlock()
	}
	switch {
	case err == nil:
		return n, b.x.in.pass(b.x.r.Context(), n)
	case b.x.stopping.Load() && err != io.EOF:
		b.err = errStopping
	case err == io.EOF:
		b.x.mu.Lock()
		b.x.whole = true
		// The server goes on reading, to learn whether the peer is still there.
		_ = b.x.ctl.SetReadDeadline(time.Time{})
		b.x.mu.Unlock()
		b.err = err
	default:
		b.err = &bodyError{err}
	}
	return n, b.err
}

// errStopping is what a body ends with that has not come when the server stops.
var errStopping = invalid(api.ErrBusy, "the hub is stopping; try again")

func (b *body) Close() error { return b.r.Close() }

// answer writes a JSON answer. That v does not marshal is a defect of the hub.
func (s *server) answer(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	write(w, status, api.JSON, append(data, '\n'))
}

// write writes a whole answer. That the peer is gone is no error here: there is
// nobody to tell.
func write(w http.ResponseWriter, status int, contentType string, data []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
