package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"dfs/server/api"
)

// piece is how many bytes of an answer must be taken within Options.Stall.
const piece = 64 << 10

// An exchange is a request with its answer, as seen by handlers. Each read of
// the body and each piece of the answer gets a new deadline, so that a peer
// that moves is served however slow it is and one that stalls is dropped. Until
// the answer begins the peer gets a status 102 from time to time: it may have
// sent all, and wait for what slow links or the hub still work on.
type exchange struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	r     *http.Request
	stall time.Duration
	beat  time.Duration

	mu     sync.Mutex // guards w and what follows
	header http.Header
	began  bool // the final status is written, or may not be any more
	read   bool // the body was read from, or there is none: no "100 Continue" is to come
	timer  *time.Timer
}

// newExchange returns the exchange of w and r. Handlers use the r in it, whose
// body it reads; the server's own stays as it is, for the server to look at.
func newExchange(w http.ResponseWriter, r *http.Request, opts Options) *exchange {
	x := &exchange{w: w, ctl: http.NewResponseController(w), r: r.WithContext(r.Context()), stall: opts.Stall, beat: opts.Beat, header: http.Header{}}
	x.read = r.Body == http.NoBody
	if !x.read {
		x.extendRead()
		x.r.Body = &body{x: x, r: r.Body}
	}
	if r.ProtoAtLeast(1, 1) {
		x.mu.Lock()
		x.timer = time.AfterFunc(x.beat, x.signal)
		x.mu.Unlock()
	}
	return x
}

// A failing deadline shows in the read or write that it is for.
func (x *exchange) extendRead()  { _ = x.ctl.SetReadDeadline(time.Now().Add(x.stall)) }
func (x *exchange) extendWrite() { _ = x.ctl.SetWriteDeadline(time.Now().Add(x.stall)) }

// signal sends a sign of life.
func (x *exchange) signal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.began {
		return
	}
	if x.read {
		x.extendWrite()
		x.w.WriteHeader(http.StatusProcessing)
	}
	x.timer.Reset(x.beat)
}

// finish ends the exchange; what the server writes after it has a fresh deadline.
func (x *exchange) finish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.began {
		x.begin(http.StatusOK)
	}
	if x.timer != nil {
		x.timer.Stop()
	}
	x.extendWrite()
}

// begin writes the final status with the headers.
func (x *exchange) begin(status int) {
	x.began = true
	x.extendWrite()
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
		x.extendWrite()
		n, err := x.w.Write(p[:min(len(p), piece)])
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

// body is a request's body with a deadline for each read.
type body struct {
	x    *exchange
	r    io.ReadCloser
	read bool // some read has returned
	err  error
}

// bodyError is the failure of a read of a body.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return fmt.Sprintf("request body: %v", e.err) }
func (e *bodyError) Unwrap() error { return e.err }

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err // a body that stalled is not waited for again
	}
	b.x.extendRead()
	n, err := b.r.Read(p)
	if !b.read {
		b.read = true
		b.x.mu.Lock()
		b.x.read = true
		b.x.mu.Unlock()
	}
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		// The server goes on reading, to learn whether the peer is still there.
		_ = b.x.ctl.SetReadDeadline(time.Time{})
		b.err = err
	default:
		b.err = &bodyError{err}
	}
	return n, b.err
}

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
