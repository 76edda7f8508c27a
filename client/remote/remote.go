// Package remote is an [api.Hub] over HTTP/1.1. Every call is repeated, with
// pauses that grow, as long as the hub can be reached at all; streamed answers go
// on where they were cut, and what they bring is verified.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// Options says how patient a Hub is, and how fast. The zero Options are the defaults.
type Options struct {
	First    time.Duration // for the first answer of all; zero: 5 s
	Patience time.Duration // for the next progress after a failure; zero: 2 min
	Stall    time.Duration // a connection on which no byte moves for so long is cut; zero: 60 s
	Rate     int64         // bytes a second each way, over all connections; zero: not bounded

	Token       api.Secret // who calls, on a hub with accounts. It goes to an https URL or this machine only
	Fingerprint string     // of the hub's key, as of api.Fingerprint: any other is refused; "": the certificate is verified
}

const (
	defaultFirst    = 5 * time.Second
	defaultPatience = 2 * time.Minute
	defaultStall    = time.Minute
	dialTimeout     = 20 * time.Second
	maxAnswer       = 1 << 30 // bytes of an answer that is held whole
)

// A Hub is a hub behind a URL. It is safe for concurrent use.
type Hub struct {
	base      string
	opts      Options
	limits    atomic.Pointer[api.Limits] // the hub's, once it has told them
	answered  atomic.Bool                // the hub has answered something
	counts    traffic
	told      sync.WaitGroup // what is told and has no answer yet
	transport *http.Transport
}

var _ api.Hub = (*Hub)(nil)

// New returns the hub at the URL: http or https, a host, and the path under which the
// hub's routes are, if any. It is not asked anything yet. The first call gets
// ErrUnreachable when nothing has answered within Options.First; every call gets
// api.ErrVersion from a hub that speaks another protocol.
func New(baseURL string, opts Options) (*Hub, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("hub %q: not of the form http://host:port", u.Redacted())
	}
	if opts.First == 0 {
		opts.First = defaultFirst
	}
	if opts.Patience == 0 {
		opts.Patience = defaultPatience
	}
	if opts.Stall == 0 {
		opts.Stall = defaultStall
	}
	if opts.Token != "" && u.Scheme != "https" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("hub %q: a token goes over https only, but to this machine", u.Redacted())
	}
	if opts.Fingerprint != "" && u.Scheme != "https" {
		return nil, fmt.Errorf("hub %q: has no key over http, so its fingerprint cannot be compared", u.Redacted())
	}
	h := &Hub{base: strings.TrimRight(u.String(), "/"), opts: opts}
	limits := api.DefaultLimits()
	h.limits.Store(&limits)
	h.transport = newTransport(&h.counts, opts.Stall, dialTimeout, opts.Rate)
	h.transport.TLSClientConfig = trust(opts.Fingerprint)
	if loopback(u.Hostname()) {
		h.transport.Proxy = nil // to which what goes to this machine, the token too, would go in the clear
	}
	return h, nil
}

// Close gives up the idle connections.
func (h *Hub) Close() error {
	h.transport.CloseIdleConnections()
	return nil
}

// Traffic tells what crossed the wire so far.
func (h *Hub) Traffic() Traffic {
	return Traffic{h.counts.sent.Load(), h.counts.received.Load(), h.counts.requests.Load(), h.counts.retries.Load()}
}

// call makes a request with a JSON answer. In and out may be nil.
func (h *Hub) call(ctx context.Context, op api.Op, query url.Values, in, out any) error {
	var p *payload
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		p = newPayload(api.JSON, data)
	}
	return h.persist(ctx, func() (bool, error) { return false, h.attempt(ctx, op, query, p, out) })
}

// attempt makes a request with a JSON answer once.
func (h *Hub) attempt(ctx context.Context, op api.Op, query url.Values, p *payload, out any) error {
	return h.send(ctx, op, query, p, func(resp *http.Response) error {
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return &transient{err: err}
		}
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(data, out); err != nil {
			return &transient{err: fmt.Errorf("%v: answer is not as expected: %w", op, err), damaged: true}
		}
		return nil
	})
}

// send makes a request once and has read read the answer when it is no refusal.
// When send returns, nothing reads the payload any more.
func (h *Hub) send(ctx context.Context, op api.Op, query url.Values, p *payload, read func(*http.Response) error) error {
	// Signs of life of a hub that works on the answer are of no other use, but
	// without a hook for them the transport bounds their number.
	ctx, cancel := context.WithCancel(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { h.answered.Store(true); return nil },
	}))
	defer h.impatient(cancel).Stop()
	route := op.Route()
	target := h.base + route.Path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, route.Method, target, nil)
	if err != nil {
		cancel()
		return err
	}
	req.Header.Set("Accept", route.Gives[len(route.Gives)-1])
	req.Header.Set("User-Agent", "dfs")
	req.Header.Set(api.HeaderProtocol, strconv.Itoa(api.ProtocolVersion))
	if h.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(h.opts.Token))
	}
	if p != nil {
		if most := h.limits.Load().Body; p.size > most {
			cancel()
			return &api.Error{Code: api.ErrTooLarge.Code, Message: fmt.Sprintf("%v: a body of %d bytes is above %d", op, p.size, most)}
		}
		p.attach(req)
		defer p.wait()
	}
	defer cancel() // before p.wait: it ends what is still being sent
	name := strconv.FormatInt(h.counts.requests.Add(1), 10)
	req.Header.Set(api.HeaderRequest, name)
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		return h.unanswered(err)
	}
	h.answered.Store(true)
	defer resp.Body.Close() // before its end, which ends the connection too
	if got := resp.Header.Values(api.HeaderRequest); len(got) > 1 || len(got) == 1 && got[0] != name {
		return &transient{err: fmt.Errorf("%v: answer to request %.64q, not %s", op, got, name), damaged: true}
	}
	if err := h.checkProtocol(resp.Header); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return h.refusal(op, resp)
	}
	return read(resp)
}

// checkProtocol refuses an answer of another version of the protocol.
func (h *Hub) checkProtocol(header http.Header) error {
	version, err := api.ProtocolOf(header)
	if err == nil && version != api.ProtocolVersion {
		err = api.VersionError(api.ProtocolVersion, version)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.base, err)
	}
	return nil
}

// impatient returns a timer that calls cancel after Options.First unless the hub has
// answered by then.
func (h *Hub) impatient(cancel func()) *time.Timer {
	return time.AfterFunc(h.opts.First, func() {
		if !h.answered.Load() {
			cancel()
		}
	})
}

// refusal returns the error that an answer other than 200 carries.
func (h *Hub) refusal(op api.Op, resp *http.Response) error {
	if resp.StatusCode/100 == 3 {
		return fmt.Errorf("%s: redirects to %q; give the hub's own URL", h.base, resp.Header.Get("Location"))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return &transient{err: err}
	}
	var e api.Error
	if json.Unmarshal(data, &e) == nil && e.Code != "" {
		if e.Code == api.ErrCorrupt.Code && (op == api.OpUpload || op == api.OpCommit || op == api.OpDiff) {
			return &transient{err: &e, damaged: true} // a blob is proof that what was sent was right
		}
		return fromHub(&e, retryAfter(resp.Header))
	}
	if host, clear := strings.CutPrefix(h.base, "http://"); clear && resp.StatusCode == http.StatusBadRequest && bytes.Contains(data, []byte("HTTPS")) {
		return fmt.Errorf("%s: the server speaks TLS; try https://%s", h.base, host)
	}
	err = fmt.Errorf("%s: answered %q, which is not of a dfs hub", h.base, resp.Status)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return &transient{err: err, busy: true, after: retryAfter(resp.Header)}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return &transient{err: err}
	}
	return err
}

// message makes a request with a binary answer that is one message.
func (h *Hub) message(ctx context.Context, op api.Op, p *payload) (msg []byte, err error) {
	err = h.persist(ctx, func() (bool, error) {
		return false, h.send(ctx, op, nil, p, func(resp *http.Response) error {
			msg, _, err = api.ReadMessage(api.NewFrameReader(resp.Body), maxAnswer)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = fmt.Errorf("%s: %v: blobs after the answer", h.base, op)
			}
			return inTransit(err)
		})
	})
	return msg, err
}

// sessionQuery is the query that names a session, unless that is zero.
func sessionQuery(id api.SessionID) url.Values {
	if id.IsZero() {
		return nil
	}
	return url.Values{"session": {id.String()}}
}

func volumeQuery(v cas.VolumeID) url.Values { return url.Values{"volume": {v.String()}} }
