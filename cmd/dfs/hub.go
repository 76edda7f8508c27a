package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dfs/client"
	"dfs/client/remote"
	"dfs/server/api"
	"dfs/server/hub"
)

const hubHelp = `Administer a hub.

It acts on a local repository, while no server has it open, or on a server, with the
token of an administrator.

Usage:
  dfs hub COMMAND [flags]

Examples:
  dfs hub init --data /srv/dfs
  dfs hub invite --data /srv/dfs --volume docs --right write
  dfs hub status --hub https://nas:8420`

func (a *app) hub() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hub COMMAND",
		Short: "administer a hub",
		Long:  hubHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &client.UsageError{Message: "no command of dfs hub given"}
			}
			return unknown(cmd, args[0])
		},
	}
	cmd.AddCommand(a.hubInit(), a.hubInvite(), a.hubTokens(), a.hubVolumes(), a.hubQuotas(), a.hubSessions(), a.hubStatus())
	return a.command(cmd, func(context.Context, []string) (int, error) { return exitDone, nil })
}

// hubFlags say which hub is administered.
type hubFlags struct {
	data      string
	hub       string
	tokenFile string
	wait      time.Duration
}

func (f *hubFlags) flags(fs *pflag.FlagSet) {
	fs.StringVar(&f.data, dataFlag, "", "administer the repository in `DIR` (default: the default local repository)")
	fs.StringVar(&f.hub, hubFlag, "", "administer `HUB`: http(s)://host:port or the path of a local repository")
	tokenFlag(fs, &f.tokenFile)
	waitFlag(fs, &f.wait)
	hubConfigFlag(fs)
}

// A managed hub is one that is administered.
type managed interface {
	api.Hub
	api.Admin
	Close() error
}

// A task does the work of a command on the hub at the location and returns the exit code of one that
// got to its end.
type task func(ctx context.Context, h managed, at string, args []string) (code int, err error)

// administering completes a command of dfs hub whose work is t.
func (a *app) administering(cmd *cobra.Command, t task) *cobra.Command {
	var flags hubFlags
	flags.flags(cmd.Flags())
	a.out.jsonFlag(cmd.Flags())
	return a.command(cmd, func(ctx context.Context, args []string) (code int, err error) {
		h, at, err := a.administer(ctx, &flags)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, h.Close()) }()
		return t(ctx, h, at, args)
	})
}

// did says that a command did its work, as the object or as text.
func (o *output) did(object any, format string, args ...any) {
	if o.json {
		o.object(object)
		return
	}
	o.result(format, args...)
}

// verbs accepts no arguments, list, or one of the words with what it is about.
func verbs(usage string, words ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0, len(args) == 1 && args[0] == "list", len(args) == 2 && slices.Contains(words, args[0]):
			return nil
		}
		return &client.UsageError{Message: usage}
	}
}

// usualHub returns the location of the hub to administer that no flag names: from the environment,
// then the configuration, else the default local repository. A data is a repository, and
// goes behind a hub from the same source.
func (a *app) usualHub() (string, error) {
	data := a.env[variable(dataFlag)]
	if data == "" && a.config[hubFlag].value == "" {
		data = a.config[dataFlag].value
	}
	if data == "" || a.env[variable(hubFlag)] != "" {
		return a.newHub()
	}
	return filepath.Abs(data)
}

// administer opens the hub that the flags name, which must be there. At is its location.
func (a *app) administer(ctx context.Context, f *hubFlags) (h managed, at string, err error) {
	switch {
	case f.hub != "":
		at, err = location(f.hub, "--"+hubFlag)
	case f.data != "":
		at, err = filepath.Abs(f.data)
	default:
		at, err = a.usualHub()
	}
	if err != nil {
		return nil, "", err
	}
	if strings.Contains(at, "://") {
		opts, err := a.remoteOptions(at, f.tokenFile)
		if err != nil {
			return nil, "", err
		}
		h, err := remote.New(at, opts)
		return h, at, err
	}
	if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("no repository at %s", at)
	}
	local, err := openRepository(ctx, at, f.wait, hub.Options{}, a.out.notice)
	if busy, ok := errors.AsType[*client.BusyError](err); ok {
		err = fmt.Errorf("%w; for a hub that runs give --hub URL, and the token of an administrator", busy)
	}
	return local, at, err
}

// found makes the hub's first token if there was none, and shows it.
func (a *app) found(h *hub.Hub) (bool, error) {
	token, file, made, err := h.Found()
	if made {
		fmt.Fprintf(a.out.stderr, "admin token, shown this once and kept in %s: %s\n", quoted(file), string(token))
	}
	return made, err
}

const hubInitHelp = `Make a repository and the token of its administrator.

The token is printed to stderr and kept in the file admin-token of the repository,
which only its owner may read. dfs serve --auth does the same when it is first run.

Usage:
  dfs hub init [flags]

Examples:
  dfs hub init
  dfs hub init --data /srv/dfs`

func (a *app) hubInit() *cobra.Command {
	var data string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "init",
		Short: "make a repository and the token of its administrator",
		Long:  hubInitHelp,
		Args:  cobra.NoArgs,
	}
	cmd.Flags().StringVar(&data, dataFlag, "", "make the repository in `DIR` (default: the default local repository)")
	waitFlag(cmd.Flags(), &wait)
	hubConfigFlag(cmd.Flags())
	a.out.jsonFlag(cmd.Flags())
	return a.command(cmd, func(ctx context.Context, _ []string) (code int, err error) {
		if data == "" {
			if data, err = a.defaultRepository(); err != nil {
				return 0, err
			}
		}
		h, err := openRepository(ctx, data, wait, hub.Options{}, a.out.notice)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, h.Close()) }()
		made, err := a.found(h)
		if err == nil && !made {
			err = fmt.Errorf("%s has accounts already; dfs hub tokens lists them", data)
		}
		if err != nil {
			return 0, err
		}
		a.out.did(struct {
			Type string `json:"type"`
			Path string `json:"path"`
		}{"repository", data}, "repository %s is ready", quoted(data))
		return exitDone, nil
	})
}
