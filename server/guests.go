package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dfs/server/api"
)

// guests bounds the requests of each client that are under way, those of them that wait for
// news, and their bytes a second.
type guests struct {
	requests int   // of a client at a time
	together int   // of the nameless one, which stands for many
	rate     int64 // bytes a second of a client, each way; 0: not bounded

	mu   sync.Mutex
	here map[string]*guest
}

// A guest is a client that has requests under way, or had some a moment ago.
type guest struct {
	most    int // requests at a time
	running int
	waiting int // of those running: for news
	in, out *pacer
}

// newGuests bounds a client as the limits say. The nameless one has three quarters of the connections,
// so that on an open hub too some are free for who looks how it fares.
func newGuests(limits api.Limits, rate int64) *guests {
	together := limits.Connections - limits.Connections/4
	return &guests{requests: min(limits.ClientRequests, together), together: together, rate: rate, here: make(map[string]*guest)}
}

// enter begins a request of a client. ErrTooMany when it has too many.
func (g *guests) enter(client string) (*guest, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := g.here[client]
	if who == nil {
		who = &guest{most: g.requests, in: newPacer(g.rate), out: newPacer(g.rate)}
		if client == "" {
			who.most = g.together
		}
		g.here[client] = who
	}
	if who.running >= who.most {
		return nil, invalid(api.ErrTooMany, "the client has %d requests under way, the most of one client; try again", who.most)
	}
	who.running++
	return who, nil
}

// wait begins what a request of a guest waits for, which may be long. ErrTooMany when half
// of what the guest may have waits already: the other half is for what moves.
func (g *guests) wait(who *guest) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if most := max(who.most/2, 1); who.waiting >= most {
		return invalid(api.ErrTooMany, "the client has %d requests that wait for a head or listen to events, the most of one client; try again", most)
	}
	who.waiting++
	return nil
}

// waited ends what wait began.
func (g *guests) waited(who *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who.waiting--
}

// leave ends a request. A client without any is forgotten once its rate has nothing to remember.
func (g *guests) leave(client string, who *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who.running--
	if who.running > 0 {
		return
	}
	if g.rate == 0 {
		delete(g.here, client)
		return
	}
	time.AfterFunc(time.Second, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.here[client] == who && who.running == 0 {
			delete(g.here, client)
		}
	})
}

// A pacer lets so many bytes pass a second. A nil one lets all pass.
type pacer struct {
	*rate.Limiter
	piece int // bytes that pass at a time: an eighth of a second's
}

func newPacer(bytes int64) *pacer {
	if bytes == 0 {
		return nil
	}
	piece := int(max(bytes/8, 1))
	return &pacer{rate.NewLimiter(rate.Limit(bytes), piece), piece}
}

// most returns how many of n bytes may pass at a time.
func (p *pacer) most(n int) int {
	if p == nil {
		return n
	}
	return min(n, p.piece)
}

// pass waits until n bytes, at most those of most, may pass. The error is that of ctx.
func (p *pacer) pass(ctx context.Context, n int) error {
	if p == nil {
		return nil
	}
	return p.WaitN(ctx, n)
}

// clientOf names who makes a request, for bounds on what one client may have: a client of a
// hub with accounts, else an address, of IPv6 the network. It is "" for who reaches the
// hub over the loopback without an account, which may be anybody on the machine.
func clientOf(r *http.Request) string {
	if id := api.CallerOf(r.Context()).ID(); !id.IsZero() {
		return id.String()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().IsLoopback() {
		return ""
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	// An address of 128 bits has a prefix of 64.
	network, _ := ip.WithZone("").Prefix(64)
	return network.String()
}
