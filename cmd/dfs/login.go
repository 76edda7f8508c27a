package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/client/remote"
	clientstate "dfs/client/state"
	"dfs/server/api"
)

const loginHelp = `Log in to a server that has accounts.

Its administrator gives out a join key (dfs hub invite), which works once. It is
read from --key-file, from the variable DFS_JOIN_KEY, or from standard input. What
comes of it, this user's token, is kept in $XDG_CONFIG_HOME/dfs/credentials, which
only this user may read. A token instead of a join key is kept as it is.

A server with a certificate of its own making tells its fingerprint when it
starts. With --fingerprint it is compared from now on, and a server with another
key is refused.

Usage:
  dfs login URL [flags]

Examples:
  dfs login https://nas:8420 --fingerprint sha256:9f86d0…
  dfs login https://hub.example.org --key-file key`

type loginFlags struct {
	fingerprint string
	name        string
	keyFile     string
}

func (a *app) login() *cobra.Command {
	var flags loginFlags
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "log in to a server",
		Long:  loginHelp,
		Args:  cobra.ExactArgs(1),
	}
	fs := cmd.Flags()
	fs.StringVar(&flags.fingerprint, "fingerprint", "", "trust the server whose key has the `FINGERPRINT`, and no other")
	fs.StringVar(&flags.name, "name", "", "be known to the administrator as `NAME` (default: as the invitation says)")
	fs.StringVar(&flags.keyFile, "key-file", "", "read the join key from `FILE`")
	fs.BoolVarP(&a.out.quiet, "quiet", "q", false, "print errors only")
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		to, err := serverURL(args[0])
		if err != nil {
			return 0, err
		}
		secret, err := a.askSecret(flags.keyFile, cmd.InOrStdin())
		if err != nil {
			return 0, err
		}
		return exitDone, a.logIn(ctx, to, secret, flags)
	})
}

// serverURL returns the URL of a server that a user wrote, as credentials are recorded for it.
func serverURL(s string) (string, error) {
	at, err := location(s, "URL")
	if err != nil {
		return "", err
	}
	if !strings.Contains(at, "://") {
		return "", &client.UsageError{Message: fmt.Sprintf("%s is not the URL of a server: http(s)://host:port", quoted(s))}
	}
	return hubKey(at), nil
}

// logIn registers with the hub and records the token.
func (a *app) logIn(ctx context.Context, to string, secret api.Secret, flags loginFlags) (err error) {
	creds := a.credentials()
	cred, _, err := creds.For(to)
	if err != nil {
		return err
	}
	if flags.fingerprint != "" {
		if cred.Fingerprint, err = api.ParseFingerprint(flags.fingerprint); err != nil {
			return &client.UsageError{Message: err.Error()}
		}
	}
	switch {
	case secret.IsToken():
		return a.keepToken(ctx, to, clientstate.Credential{Token: secret, Fingerprint: cred.Fingerprint})
	case !secret.IsJoinKey():
		return &client.UsageError{Message: "what was given is not a join key; dfs hub invite makes one"}
	}
	h, err := remote.New(to, remote.Options{Fingerprint: cred.Fingerprint})
	if err != nil {
		return err
	}
	defer h.Close()
	// It is on the disk before the hub knows it: when the answer is lost, the same key gives it again.
	if cred.Token, err = creds.Joining(to, secret); err != nil {
		return err
	}
	answer, err := h.Register(ctx, api.RegisterRequest{Key: secret, Token: cred.Token, Name: flags.name})
	if err != nil {
		return err
	}
	cred.Client = answer.Client
	if err := creds.Record(to, cred); err != nil {
		return err
	}
	a.out.result("logged in to %s as %s, client %v", to, quoted(answer.Name), answer.Client)
	return nil
}

// keepToken records a token that the hub lets in.
func (a *app) keepToken(ctx context.Context, to string, cred clientstate.Credential) error {
	h, err := remote.New(to, remote.Options{Token: cred.Token, Fingerprint: cred.Fingerprint})
	if err != nil {
		return err
	}
	defer h.Close()
	info, err := h.Info(ctx, "")
	if err != nil {
		return err
	}
	cred.Client = info.Client
	if err := a.credentials().Record(to, cred); err != nil {
		return err
	}
	a.out.result("logged in to %s", to)
	return nil
}

const logoutHelp = `Forget the token for a server.

The server still knows the token; dfs hub tokens revoke ends it there.

Usage:
  dfs logout [URL] [flags]

Examples:
  dfs logout
  dfs logout https://nas:8420`

func (a *app) logout() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logout [URL]",
		Short: "forget the token for a server",
		Long:  logoutHelp,
		Args:  cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVarP(&a.out.quiet, "quiet", "q", false, "print errors only")
	return a.command(cmd, func(_ context.Context, args []string) (int, error) {
		creds := a.credentials()
		urls, err := creds.URLs()
		if err != nil {
			return 0, err
		}
		switch {
		case len(args) == 1:
			to, err := serverURL(args[0])
			if err != nil {
				return 0, err
			}
			urls = []string{to}
		case len(urls) > 1:
			return 0, &client.UsageError{Message: "logged in to several servers; name one: " + strings.Join(urls, ", ")}
		case len(urls) == 0:
			return 0, fmt.Errorf("not logged in to any server")
		}
		cred, _, err := creds.For(urls[0])
		if err != nil {
			return 0, err
		}
		had, err := creds.Forget(urls[0])
		if err == nil && !had {
			err = fmt.Errorf("not logged in to %s", urls[0])
		}
		if err != nil {
			return 0, err
		}
		a.out.result("logged out of %s", urls[0])
		if !cred.Client.IsZero() {
			a.out.notice("to end the token on the server too, its administrator runs: dfs hub tokens revoke %v", cred.Client)
		}
		return exitDone, nil
	})
}
