package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

// serving is the key, in the context of a request, of the lifetime of the server.
type serving struct{}

// A lifetime is what those that serve requests know of the server's end.
type lifetime struct {
	stop   context.Context // ends when the server is to stop
	refuse context.Context // ends when bodies are not waited for any more
	conns  *conns
}

// relieve has the slowest connection cut whose request holds memory of b, for which the one of ctx waits.
func relieve(ctx context.Context, b *budget) {
	if server, ok := ctx.Value(serving{}).(lifetime); ok {
		server.conns.relieve(b)
	}
}

// connOf is the key, in the context of a request, of its connection.
type connOf struct{}

// untilStop returns a context that ends with ctx, or when the server stops.
func untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	server, ok := ctx.Value(serving{}).(lifetime)
	if !ok {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(server.stop, cancel)
	return ctx, func() { stop(); cancel() }
}

// onRefuse has f called when bodies are not waited for any more, unless forget was called.
func onRefuse(ctx context.Context, f func()) (forget func() bool) {
	server, ok := ctx.Value(serving{}).(lifetime)
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(server.refuse, f)
}

// Serve serves h, which New returned, on ln, HTTP/1 only and with Options.TLS encrypted, until ctx ends; then it stops accepting,
// ends those that wait for a head or for memory, lets the others go on, refuses with ErrBusy those
// whose bodies have not come in most of Options.Drain, and cuts what is left after it.
// It returns nil after such an end and closes ln in any case. The header of a
// request must come within 10 s; a connection may idle for 2 minutes, or until
// there are more connections than the limits of the Options allow: then the longest idle is closed,
// when none is idle a request that waits for news is told to come again, and else the next waits.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var opts Options
	if s, ok := h.(*server); ok {
		opts = s.opts
	}
	opts = opts.complete()
	refuse, cut := context.WithCancel(context.Background())
	defer cut()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	bounded := newConns(ln, opts.Limits.Connections, opts.Stall, opts.Bus)
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         opts.TLS,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    opts.Limits.Header,
		ConnState:         bounded.state,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), serving{}, lifetime{ctx, refuse, bounded})
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connOf{}, bare(c))
		},
		ErrorLog: slog.NewLogLogger(blotted{log.Handler()}, slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		if opts.TLS == nil {
			served <- srv.Serve(bounded)
		} else {
			served <- srv.ServeTLS(bounded, "", "")
		}
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	late := time.AfterFunc(opts.Drain*4/5, cut)
	defer late.Stop()
	// An encrypted connection ends with a farewell, which its peer may not take.
	last := time.AfterFunc(opts.Drain, bounded.cutAll)
	defer last.Stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.Drain)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-served
	return err
}
