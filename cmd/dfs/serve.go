package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dfs/client"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/component"
	"dfs/server/events"
	"dfs/server/hub"
)

const serveHelp = `Run a hub: serve a repository over HTTP until SIGTERM or SIGINT.

Once it is ready it prints the line "listening on URL" to stderr. On a signal it
takes no more requests, lets those under way end for up to 10 s, cuts those that then
still run, and exits with 0. Their clients go on where they were once it runs again.

Without --auth whoever reaches the hub may do all. With it each user needs a token:
the first start makes one for the administrator, prints it to stderr and keeps it
in the file admin-token of the repository; dfs hub invite lets others log in.
With TLS the hub prints the fingerprint of its key, for dfs login --fingerprint.
It listens on loopback addresses only, unless it has both --auth and TLS.

Each flag --a-b is also the variable DFS_A_B and a key of the file that --config
names, with lines like "tls-self-signed = true".

Usage:
  dfs serve [flags]

Examples:
  dfs serve
  dfs serve --data /srv/dfs --listen 127.0.0.1:9000
  dfs serve --data /srv/dfs --listen :8420 --auth --tls-self-signed
  dfs serve --config /etc/dfs/hub.conf`

// serveFlags say what is served, to whom and how.
type serveFlags struct {
	data, listen    string
	wait            time.Duration
	auth            bool
	tlsCert, tlsKey string
	selfSigned      bool
	format          logFormat
	limits          hubLimits
}

func (f *serveFlags) flags(fs *pflag.FlagSet) {
	fs.StringVar(&f.data, dataFlag, "", "serve the repository in `DIR` (default: the default local repository, $XDG_DATA_HOME/dfs)")
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8420", "listen on `ADDRESS`; port 0 takes a free one (default 127.0.0.1:8420)")
	f.limits.flags(fs)
	waitFlag(fs, &f.wait)
	hubConfigFlag(fs)
	fs.BoolVar(&f.auth, "auth", false, "let in only who has a token, each to what it may do")
	fs.StringVar(&f.tlsCert, "tls-cert", "", "speak TLS with the certificate in `FILE`, and those that signed it")
	fs.StringVar(&f.tlsKey, "tls-key", "", "speak TLS with the private key in `FILE`")
	fs.BoolVar(&f.selfSigned, "tls-self-signed", false, "speak TLS with a key that is made once and kept in the repository")
	fs.Var(&f.format, "log-format", "write the log as `FORMAT` text or json (default text)")
}

func (f *serveFlags) tls() bool { return f.selfSigned || f.tlsCert != "" }

// check refuses flags that do not go together.
func (f *serveFlags) check() error {
	switch err := server.CheckListen(f.listen, f.auth, f.tls()); {
	case (f.tlsCert == "") != (f.tlsKey == ""):
		return &client.UsageError{Message: "--tls-cert and --tls-key go together"}
	case f.selfSigned && f.tlsCert != "":
		return &client.UsageError{Message: "give --tls-self-signed or a certificate, not both"}
	case err != nil:
		return &client.UsageError{Message: err.Error() + f.missing()}
	case f.limits.sessions < time.Second:
		return &client.UsageError{Message: fmt.Sprintf("--session-timeout %v is too short; a session needs 1s or more", f.limits.sessions)}
	}
	return nil
}

// missing names what flags would let others than this machine reach the hub.
func (f *serveFlags) missing() string {
	const tls = "--tls-self-signed, or --tls-cert and --tls-key"
	switch {
	case f.auth && f.tls():
		return ""
	case f.auth:
		return "; add " + tls
	case f.tls():
		return "; add --auth"
	}
	return "; add --auth, and " + tls
}

// tlsFile is the file of the repository that holds the key of --tls-self-signed, and its certificate.
const tlsFile = "tls.pem"

// certificate returns the hub's key and certificate.
func (f *serveFlags) certificate() (tls.Certificate, error) {
	if !f.selfSigned {
		return tls.LoadX509KeyPair(f.tlsCert, f.tlsKey)
	}
	var hosts []string
	if host, _, err := net.SplitHostPort(f.listen); err == nil {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			hosts = append(hosts, host)
		}
	}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	return server.SelfSigned(filepath.Join(f.data, tlsFile), hosts...)
}

func (a *app) serve() *cobra.Command {
	var flags serveFlags
	var prof profile
	var profiled bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run a hub",
		Long:  serveHelp,
		Args:  cobra.NoArgs,
	}
	fs := cmd.Flags()
	flags.flags(fs)
	fs.CountVarP(&a.out.verbose, "verbose", "v", "log what happens to stderr, and requests that were refused or failed; twice for all of it")
	prof.flags(fs)
	fs.BoolVar(&profiled, "profileinput", false, "profile as standard input says")
	hidden(fs, "profileinput")
	return a.command(cmd, func(ctx context.Context, _ []string) (int, error) {
		if err := flags.check(); err != nil {
			return 0, err
		}
		if flags.data == "" {
			var err error
			if flags.data, err = a.defaultRepository(); err != nil {
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
		err = a.listenAndServe(ctx, &flags)
		return exitDone, errors.Join(err, stop())
	})
}

// listenAndServe serves the repository until ctx ends.
func (a *app) listenAndServe(ctx context.Context, flags *serveFlags) (err error) {
	var bus events.Bus
	limits := flags.limits.hub()
	limits.Events = &bus
	h, err := openRepository(ctx, flags.data, flags.wait, limits, a.out.notice)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	opts := flags.limits.server()
	opts.Accounts, err = a.access(h, flags.auth)
	if err != nil {
		return err
	}
	ln, scheme, err := a.listen(flags, &opts)
	if err != nil {
		return err
	}
	log := a.out.logger(flags.format)
	parts := component.Start(&bus, h, component.Options{Log: log.Handler()})
	defer parts.Close()
	opts.Log, opts.Bus, opts.Feed, opts.Metrics, opts.Observe = log, &bus, parts.Feed(), parts.Metrics(), parts.Observe
	opts.Oversee, opts.Progress = parts.Oversee, h.Progress
	fmt.Fprintf(a.out.stderr, "listening on %s://%s\n", scheme, ln.Addr())
	return server.Serve(ctx, ln, server.New(h, opts), log)
}

// access returns how the hub lets in, and shows the administrator's token when it is made.
func (a *app) access(h *hub.Hub, auth bool) (server.Accounts, error) {
	if auth {
		_, err := a.found(h)
		return h, err
	}
	if h.Founded() {
		a.out.notice("this repository has accounts, but without --auth whoever reaches the hub may do all")
	}
	return nil, nil
}

// listen listens, and says in opts how to speak TLS and shows the fingerprint of the key where there is one.
func (a *app) listen(flags *serveFlags, opts *server.Options) (ln net.Listener, scheme string, err error) {
	if !flags.tls() {
		ln, err = flags.bind()
		return ln, "http", err
	}
	cert, err := flags.certificate()
	if err != nil {
		return nil, "", err
	}
	if ln, err = flags.bind(); err != nil {
		return nil, "", err
	}
	fmt.Fprintf(a.out.stderr, "the hub's key has the fingerprint %s\n", api.Fingerprint(cert.Leaf))
	opts.TLS = server.TLS(cert)
	return ln, "https", nil
}

// bind listens at the address of the flags.
func (f *serveFlags) bind() (net.Listener, error) {
	ln, err := net.Listen("tcp", f.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen %s, or %s: %w", quoted(f.listen), variable("listen"), err)
	}
	return ln, nil
}
