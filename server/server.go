// Package server is a hub over HTTP/1.1: a thin adapter from the table of
// routes in package api to an [api.Hub]. It bounds what a peer can make it hold
// or wait for, and decides nothing else.
package server

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
	"dfs/server/openapi"
)

// Options says how a hub is served. The zero Options are the defaults.
type Options struct {
	Log    *slog.Logger  // refused and failed requests; nil: none
	Hosts  []string      // names, besides those of the loopback, by which requests may address the hub; with Accounts and none: all
	Limits api.Limits    // of requests and connections; zero: api.DefaultLimits
	Memory int64         // bytes that requests may hold together, a named client half of them, and as many that downloads may; zero: 64 MiB
	Stall  time.Duration // a body or answer of which fewer than 64 bytes a second move for so long is dropped; zero: 30 s
	Beat   time.Duration // between signs of life (status 102) while an answer takes long; zero: 10 s
	Drain  time.Duration // for requests under way when the server stops; zero: 10 s

	// ClientRate is how many bytes a second of bodies, and as many of answers, may be of a client; zero:
	// not bounded. A client is, here and in the limits, one of a hub with accounts, else an address. Who comes over
	// the loopback without an account may be anybody: all of them are one, with three quarters of the connections.
	ClientRate int64

	Accounts Accounts    // who may do what; nil: whoever reaches the hub may do all
	TLS      *tls.Config // how Serve speaks it, as of TLS; nil: not

	Bus     *events.Bus       // hears of refused requests; nil: none
	Feed    *feed.Feed        // what GET /api/events tells; nil: the hub tells no events
	Metrics http.Handler      // what GET /metrics answers; nil: the hub has no metrics
	Observe func(*api.Status) // adds to a status what the hub does not know itself; nil: nothing

	// Progress hears that bytes of a body came that is for the session, at most ten times a second of a
	// body. It must return at once; nil: nobody hears.
	Progress func(ctx context.Context, session api.SessionID)

	Oversee func(*api.Overview) // adds to an overview what the hub does not know itself; nil: nothing
}

const (
	defaultMemory = 64 << 20
	defaultStall  = 30 * time.Second
	defaultBeat   = 10 * time.Second
	defaultDrain  = 10 * time.Second
)

// complete returns the options with the defaults.
func (o Options) complete() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = slog.New(blotted{o.Log.Handler()})
	if o.Limits == (api.Limits{}) {
		o.Limits = api.DefaultLimits()
	}
	o.Memory = cmp.Or(o.Memory, defaultMemory)
	o.Stall = cmp.Or(o.Stall, defaultStall)
	o.Beat = cmp.Or(o.Beat, defaultBeat)
	o.Drain = cmp.Or(o.Drain, defaultDrain)
	return o
}

// server adapts a hub to HTTP.
type server struct {
	hub    api.Hub
	opts   Options
	budget *budget
	copies *budget // what downloads hold, who must not keep pushes waiting
	guests *guests
	engine *gin.Engine
	tails  *semaphore.Weighted // of requests for events

	document func() ([]byte, error) // openapi.Document

	batches sync.Pool // of *batch
	readers sync.Pool // of *bufio.Reader
	writers sync.Pool // of *bufio.Writer
}

// A handler does an operation and returns what to answer as JSON, or nil when
// it has answered itself.
type handler func(c *gin.Context) (any, error)

// New returns the handler of every route of the protocol. What it answers to
// and refuses is in package api; beyond that it refuses requests that address
// the hub by a foreign name or come from a foreign origin (see Options.Hosts).
// It sets gin's process-wide mode to release.
func New(hub api.Hub, opts Options) http.Handler {
	opts = opts.complete()
	s := &server{hub: hub, opts: opts, budget: newBudget(opts.Memory, opts.Stall/2), copies: newBudget(opts.Memory, opts.Stall/2),
		guests: newGuests(opts.Limits, opts.ClientRate), tails: semaphore.NewWeighted(tailsOf(opts.Limits))}
	s.batches.New = func() any { return &batch{sent: make([]byte, 0, cas.MaxSize)} }
	s.readers.New = func() any { return bufio.NewReaderSize(nil, readBuffer) }
	s.writers.New = func() any { return bufio.NewWriterSize(nil, writeBuffer) }
	s.document = sync.OnceValues(openapi.Document)
	s.engine = s.router()
	return s
}

// router returns the engine that finds a request's route. Paths are matched as
// they were sent: no escape, extra slash or other spelling of a path is one.
func (s *server) router() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.UseEscapedPath = true
	e.UnescapePathValues = false
	e.HandleMethodNotAllowed = true
	// With no networks the error is always nil: no proxy is believed.
	_ = e.SetTrustedProxies(nil)
	handlers := [...]handler{
		api.OpHealth: s.health, api.OpReady: s.ready, api.OpInfo: s.info, api.OpOpenAPI: s.openAPI,
		api.OpRegister: s.register, api.OpInvite: s.invite, api.OpInvites: s.invites,
		api.OpTokens: s.tokens, api.OpRotateToken: s.rotateToken, api.OpRevoke: s.revoke,
		api.OpVolumes: s.volumes, api.OpCreateVolume: s.createVolume,
		api.OpStart: s.start, api.OpDiff: s.diff, api.OpUpload: s.upload, api.OpCommit: s.commit,
		api.OpDownload: s.download, api.OpStat: s.download, api.OpSnapshots: s.snapshots,
		api.OpSessions: s.sessions, api.OpAbortSession: s.abortSession,
		api.OpOverview: s.overview, api.OpQuotas: s.quotas, api.OpSetQuota: s.setQuota,
		api.OpChanges: s.changes, api.OpStatus: s.status, api.OpReport: s.report,
		api.OpBlobs: s.blobs, api.OpNodes: s.nodes, api.OpSnapshot: s.snapshot,
		api.OpConflicts: s.conflicts, api.OpSettle: s.settle,
		api.OpEvents: s.events, api.OpMetrics: s.metrics,
	}
	for op, h := range handlers {
		route := api.Op(op).Route()
		e.Handle(route.Method, route.Path, func(c *gin.Context) { s.serveKnown(c, route, h) })
	}
	e.NoRoute(func(c *gin.Context) {
		s.refuseAstray(c, http.StatusNotFound, invalid(api.ErrNotFound, "no such route: %s %s", c.Request.Method, pathOf(c.Request)))
	})
	e.NoMethod(func(c *gin.Context) {
		s.refuseAstray(c, http.StatusMethodNotAllowed, invalid(api.ErrInvalid, "%s is not for %s", c.Request.Method, pathOf(c.Request)))
	})
	return e
}

// pathOf returns a request's path as it was sent, for people; where it has what may be a secret, whatever its letters
// were sent as, without it.
func pathOf(r *http.Request) string {
	if clean := api.Blot(r.URL.Path); clean != r.URL.Path {
		return fmt.Sprintf("%q", clean)
	}
	return r.URL.EscapedPath()
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		w.Header().Set("Connection", "close")
		http.Error(w, "HTTP/1.1 only", http.StatusHTTPVersionNotSupported)
		return
	}
	x := newExchange(w, r, s.opts)
	r = x.r
	defer x.finish()
	defer onRefuse(r.Context(), x.giveUp)()
	defer s.recover(x, r)
	x.Header().Set(api.HeaderProtocol, strconv.Itoa(api.ProtocolVersion))
	if name := r.Header.Get(api.HeaderRequest); name != "" && len(name) <= api.MaxRequestName && api.Blot(name) == name {
		x.Header().Set(api.HeaderRequest, name)
	}
	x.Header().Set("Cache-Control", "no-store")
	x.Header().Set("X-Content-Type-Options", "nosniff")
	if err := s.checkHeader(r); err != nil {
		s.publishRefusal("", api.ClientID{}, http.StatusRequestEntityTooLarge, api.ErrTooLarge.Code)
		s.answer(x, http.StatusRequestEntityTooLarge, err)
		return
	}
	if err := s.guard(r); err != nil {
		s.publishRefusal("", api.ClientID{}, http.StatusForbidden, api.ErrForbidden.Code)
		s.answer(x, http.StatusForbidden, err)
		return
	}
	s.engine.ServeHTTP(x, r)
}

// recover turns a panic into ErrInternal, or into a cut connection when the
// answer has begun.
func (s *server) recover(x *exchange, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p != http.ErrAbortHandler {
		s.opts.Log.Error("panic", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		if !x.begun() {
			s.answer(x, http.StatusInternalServerError, api.ErrInternal)
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// serve checks what the route's row tells of a request, and has it done.
func (s *server) serve(c *gin.Context, route api.Route, h handler) {
	answer, err := s.run(c, route, h)
	switch {
	case err != nil:
		if cause := context.Cause(c.Request.Context()); errors.Is(cause, api.ErrUnauthorized) {
			err = cause // whose token was revoked has no session either
		}
		e := refusal(err)
		s.refuse(c, e.Code.Status(), e, "cause", err)
	case answer != nil:
		s.answer(c.Writer, http.StatusOK, answer)
	}
}

func (s *server) run(c *gin.Context, route api.Route, h handler) (any, error) {
	if err := s.admit(c.Request, route); err != nil {
		return nil, err
	}
	if vital(route) {
		return h(c)
	}
	client := clientOf(c.Request)
	who, err := s.guests.enter(client)
	if err != nil {
		c.Header("Connection", "close") // its place is for others
		return nil, err
	}
	defer s.guests.leave(client, who)
	receive(c.Request, who)
	return h(c)
}

// vital reports whether a route is for those who look whether the hub is there, also when it has much to do.
func vital(route api.Route) bool {
	return route.Path == api.OpHealth.Route().Path || route.Path == api.OpReady.Route().Path
}

// checkHeader refuses a header above the limit. What is far above it the HTTP library cuts.
func (s *server) checkHeader(r *http.Request) error {
	size := len(r.Method) + len(r.RequestURI) + len("  HTTP/1.1\r\n\r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	if limit := s.opts.Limits.Header; size > limit {
		return invalid(api.ErrTooLarge, "a header of %d bytes is above %d", size, limit)
	}
	return nil
}

// admit checks query, content type and declared length.
func (s *server) admit(r *http.Request, route api.Route) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid(api.ErrInvalid, "query: %v", err)
	}
	for name, values := range query {
		if !slices.Contains(route.Query, name) || len(values) != 1 {
			return invalid(api.ErrInvalid, "query: %q is unknown or repeated", name)
		}
	}
	limit := s.opts.Limits.Body
	if route.Takes == nil {
		limit = 0
	} else if !slices.Contains(route.Takes, contentType(r)) {
		return invalid(api.ErrInvalid, "content type %q is none of %q", contentType(r), route.Takes)
	} else if contentType(r) == api.JSON {
		limit = min(limit, s.opts.Limits.JSON)
	}
	if r.ContentLength > limit {
		return invalid(api.ErrTooLarge, "a body of %d bytes is above %d", r.ContentLength, limit)
	}
	r.Body = http.MaxBytesReader(nil, r.Body, limit)
	return nil
}

// checkProtocol refuses a client of another version of the protocol.
func checkProtocol(r *http.Request) error {
	version, err := api.ProtocolOf(r.Header)
	if err == nil && version != api.ProtocolVersion {
		err = api.VersionError(version, api.ProtocolVersion)
	}
	return err
}

// refuseAstray refuses what is for no route. In another version of the protocol it may be for one.
func (s *server) refuseAstray(c *gin.Context, status int, e *api.Error) {
	if err := checkProtocol(c.Request); err != nil {
		e = api.AsError(err)
		status = e.Code.Status()
	}
	s.refuse(c, status, e)
}

func contentType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// binary reports whether the peer asks for the binary form of an answer.
func binary(r *http.Request) bool { return r.Header.Get("Accept") == api.Binary }

// refuse answers with an error. It reads a body of lawful length to its end
// first: a peer that is still sending might not see an earlier answer.
func (s *server) refuse(c *gin.Context, status int, e *api.Error, attrs ...any) {
	if e.Code == api.ErrUnauthorized.Code {
		c.Header("WWW-Authenticate", "Bearer")
	}
	if c.Request.ContentLength <= s.opts.Limits.Body {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Request.Body, s.opts.Limits.Body))
	}
	level := slog.LevelInfo
	if status == http.StatusInternalServerError || e.Code == api.ErrPoisoned.Code {
		level = slog.LevelError
	}
	s.opts.Log.Log(c.Request.Context(), level, "refused", append([]any{"method", c.Request.Method,
		"path", c.Request.URL.Path, "status", status, "code", e.Code}, attrs...)...)
	s.publishRefusal(c.FullPath(), api.CallerOf(c.Request.Context()).ID(), status, e.Code)
	if later := e.Code == api.ErrBusy.Code || e.Code == api.ErrTooMany.Code; later && c.Writer.Header().Get("Retry-After") == "" {
		c.Header("Retry-After", "1")
	}
	s.answer(c.Writer, status, e)
}

// refusal maps an error to what the peer is told of it.
func refusal(err error) *api.Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return invalid(api.ErrTooLarge, "the body is above %d bytes", tooLarge.Limit)
	}
	if b, ok := errors.AsType[*bodyError](err); ok {
		return invalid(api.ErrInvalid, "%v", b)
	}
	if err == io.ErrUnexpectedEOF {
		return invalid(api.ErrInvalid, "the body ends before its end frame")
	}
	return api.AsError(err)
}
