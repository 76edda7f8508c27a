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
	drainTimeout  = 10 * time.Second
	maxHeader     = 16 << 10
)

// serving is the key, in the context of a request, of the context under which Serve serves.
type serving struct{}

// untilStop returns a context that ends with ctx, or when the server stops.
func untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	server, ok := ctx.Value(serving{}).(context.Context)
	if !ok {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(server, cancel)
	return ctx, func() { stop(); cancel() }
}

// Serve serves h on ln, HTTP/1 only, until ctx ends; then it stops accepting,
// ends those that wait for a head, lets the others go on for up to 10 s, and cuts what is left.
// It returns nil after such an end and closes ln in any case. Headers of a
// request must come within 10 s and be at most 16 KiB; a connection may idle for 2 minutes.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	srv := &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(context.Background(), serving{}, ctx) },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-served
	return err
}
