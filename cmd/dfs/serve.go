package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/server"
	"dfs/server/events"
	"dfs/server/hub"
)

const serveHelp = `Run a hub: serve a repository over HTTP until SIGTERM or SIGINT.

Once it is ready it prints the line "listening on URL" to stderr. On a signal it
takes no more requests, completes those under way and exits with 0. It listens
on loopback addresses only.

Usage:
  dfs serve [flags]

Examples:
  dfs serve
  dfs serve --data /srv/dfs --listen 127.0.0.1:9000`

func (a *app) serve() *cobra.Command {
	var data, listen string
	var wait time.Duration
	var prof profile
	var profiled bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run a hub",
		Long:  serveHelp,
		Args:  cobra.NoArgs,
	}
	fs := cmd.Flags()
	fs.StringVar(&data, "data", "", "serve the repository in `DIR` (default: the default local repository, $XDG_DATA_HOME/dfs)")
	fs.StringVar(&listen, "listen", "127.0.0.1:8420", "listen on the loopback `ADDRESS`; port 0 takes a free one (default 127.0.0.1:8420)")
	waitFlag(fs, &wait)
	fs.CountVarP(&a.out.verbose, "verbose", "v", "log requests that were refused or failed to stderr; twice for all that happens, in JSON")
	prof.flags(fs)
	fs.BoolVar(&profiled, "profileinput", false, "profile as standard input says")
	hidden(fs, "profileinput")
	return a.command(cmd, func(ctx context.Context, _ []string) (int, error) {
		if err := server.CheckListen(listen, false, false); err != nil {
			return 0, &client.UsageError{Message: err.Error()}
		}
		if data == "" {
			var err error
			if data, err = a.defaultRepository(); err != nil {
				return 0, err
			}
		}
		limitMemory(hubMemory)
		stop, err := prof.start()
		if err != nil {
			return 0, err
		}
		if profiled {
			go profileAsTold(cmd.InOrStdin(), a.out.stderr)
		}
		err = a.listenAndServe(ctx, data, listen, wait)
		return exitDone, errors.Join(err, stop())
	})
}

// listenAndServe serves the repository at data until ctx ends.
func (a *app) listenAndServe(ctx context.Context, data, listen string, wait time.Duration) (err error) {
	var bus events.Bus
	if a.out.verbose > 1 {
		defer a.out.narrate(&bus)()
	}
	h, err := openRepository(ctx, data, wait, hub.Options{Events: &bus}, a.out.notice)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if a.out.verbose > 0 {
		log = slog.New(slog.NewTextHandler(a.out.stderr, nil))
	}
	fmt.Fprintf(a.out.stderr, "listening on http://%s\n", ln.Addr())
	return server.Serve(ctx, ln, server.New(h, server.Options{Log: log}), log)
}
