package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dfs/client"
	"dfs/client/remote"
	"dfs/server/api"
	"dfs/server/hub"
)

// location returns the hub's location that a user wrote: a URL as it is, a
// path made absolute. from says where it was written, for messages.
func location(s, from string) (string, error) {
	u, err := url.Parse(s)
	switch scheme, _, isURL := strings.Cut(s, "://"); {
	case s == "":
		return "", nil
	case (scheme == "http" || scheme == "https") && err == nil && u.Host != "":
		return strings.TrimRight(s, "/"), nil
	case isURL:
		return "", &client.UsageError{Message: fmt.Sprintf("%s %s: a hub is http(s)://host:port or the path of a local repository", from, quoted(s))}
	case likeAddress(s):
		return "", &client.UsageError{Message: fmt.Sprintf("%s %s: write http://%s for a server, ./%s for a local repository", from, quoted(s), s, s)}
	}
	return filepath.Abs(s)
}

// likeAddress reports whether s looks like host:port.
func likeAddress(s string) bool {
	host, port, ok := strings.Cut(s, ":")
	return ok && len(host) > 1 && port != "" && strings.Trim(port, "0123456789") == "" && !strings.ContainsAny(host, `/\`)
}

// newHub returns the location of the hub for a new replica that no --hub names: from
// the environment, the configuration, else the default local repository.
func (a *app) newHub() (string, error) {
	if v := a.env[variable(hubFlag)]; v != "" {
		return location(v, variable(hubFlag))
	}
	if s, ok := a.config[hubFlag]; ok {
		if !strings.Contains(s.value, "://") && !filepath.IsAbs(s.value) {
			return "", &client.UsageError{Message: fmt.Sprintf("%s: hub %s is neither a URL nor an absolute path", s.from, quoted(s.value))}
		}
		return location(s.value, s.from)
	}
	return a.defaultRepository()
}

// defaultRepository returns the path of the user's local repository.
func (a *app) defaultRepository() (string, error) {
	dir, err := xdg(a.env, "XDG_DATA_HOME", ".local/share")
	if err != nil {
		return "", &client.UsageError{Message: err.Error() + ", so there is no default local repository; give --hub"}
	}
	return filepath.Join(dir, "dfs"), nil
}

// A dialer connects a run on dir with a hub.
type dialer struct {
	dir    string
	wait   time.Duration
	notice func(format string, args ...any)
	bound  bool // dir is a replica already
	given  bool // the location is the flag's, not the recorded one
	create bool // a local repository may be made for a new replica
	rebind bool // the replica may be bound to another hub
	dryRun bool
	rate   int64 // bytes a second each way, of a hub behind a URL; 0: not bounded

	options func(location string) (remote.Options, error) // with what a server is called
}

// dial is the client's Config.Dial.
func (d *dialer) dial(ctx context.Context, location string) (client.Conn, error) {
	if strings.Contains(location, "://") {
		opts, err := d.options(location)
		if err != nil {
			return nil, err
		}
		opts.Rate = d.rate
		h, err := remote.New(location, opts)
		if err != nil {
			return nil, err
		}
		return overHTTP{h}, nil
	}
	if err := d.check(location); err != nil {
		return nil, err
	}
	h, err := openRepository(ctx, location, d.wait, hub.Options{}, d.notice)
	if err != nil {
		return nil, err
	}
	return inProcess{h}, nil
}

// check refuses a repository that is not there and must not be made, and one
// that lies in the directory that it is to keep.
func (d *dialer) check(location string) error {
	_, err := os.Stat(location)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.bound && d.given && !d.rebind:
		return &client.BrakeError{Message: fmt.Sprintf("no repository at %s; the hub of %s is elsewhere. Nothing was changed", location, d.dir)}
	case errors.Is(err, fs.ErrNotExist) && d.bound && !d.rebind:
		return fmt.Errorf("%w: no repository at %s", remote.ErrUnreachable, location)
	case errors.Is(err, fs.ErrNotExist) && !d.create:
		return fmt.Errorf("no repository at %s", location)
	case errors.Is(err, fs.ErrNotExist) && d.dryRun:
		return &client.UsageError{Message: fmt.Sprintf("no repository at %s yet; a first push cannot be tried with --dry-run", location)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	rel, err := filepath.Rel(resolve(d.dir), resolve(location))
	if err == nil && filepath.IsLocal(rel) {
		return &client.UsageError{Message: fmt.Sprintf("the repository %s lies in %s itself; give another place with --hub", location, d.dir)}
	}
	return nil
}

// resolve returns path without symbolic links, as far as it exists.
func resolve(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	dir := filepath.Dir(path)
	if dir == path {
		return path
	}
	return filepath.Join(resolve(dir), filepath.Base(path))
}

// overHTTP is a hub behind a URL.
type overHTTP struct{ *remote.Hub }

// Traffic implements [client.Conn].
func (h overHTTP) Traffic() client.Traffic { return client.Traffic(h.Hub.Traffic()) }

// inProcess is a hub that runs in this process, so nothing crosses a wire.
type inProcess struct{ *hub.Hub }

// Tell implements [client.Conn].
func (h inProcess) Tell(ctx context.Context, session api.SessionID, state api.State) {
	h.Report(ctx, session, state)
}

// Traffic implements [client.Conn].
func (inProcess) Traffic() client.Traffic { return client.Traffic{} }

// openRepository opens a local repository. One that another process has open
// it waits for; past wait the error is a *client.BusyError.
func openRepository(ctx context.Context, dir string, wait time.Duration, opts hub.Options, notice func(string, ...any)) (*hub.Hub, error) {
	const interval = 100 * time.Millisecond
	deadline := time.Now().Add(wait)
	for told := false; ; {
		h, err := hub.Open(dir, opts)
		if !errors.Is(err, hub.ErrLocked) {
			return h, err
		}
		_, holder, _ := strings.Cut(err.Error(), hub.ErrLocked.Error()+" by ")
		busy := &client.BusyError{What: "the repository " + dir, Holder: holder}
		if time.Now().Add(interval).After(deadline) {
			return nil, busy
		}
		if !told {
			notice("waiting: %s", harmless(busy.Error()))
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(interval):
		}
	}
}
