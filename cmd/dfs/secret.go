package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"dfs/client"
	"dfs/client/remote"
	clientstate "dfs/client/state"
	"dfs/server/api"
)

// The variables that hold secrets themselves. No flag does.
const (
	tokenVariable   = "DFS_TOKEN"
	joinKeyVariable = "DFS_JOIN_KEY"
)

func tokenFlag(fs *pflag.FlagSet, file *string) {
	fs.StringVar(file, "token-file", "", "log in to a server with the token in `FILE` (default: as dfs login did)")
}

// credentials returns the user's credentials.
func (a *app) credentials() clientstate.Credentials {
	dir, err := xdg(a.env, "XDG_CONFIG_HOME", ".config")
	if err != nil {
		return clientstate.OpenCredentials("") // no home, no credentials
	}
	return clientstate.OpenCredentials(filepath.Join(dir, "dfs"))
}

// hubKey returns the hub's URL as credentials are recorded for it.
func hubKey(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return location
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/")
}

// remoteOptions returns with what the hub at the URL is called: the token of the environment, else
// of the file that a flag names, else of the credentials, which also hold the fingerprint.
func (a *app) remoteOptions(location, tokenFile string) (remote.Options, error) {
	var opts remote.Options
	cred, _, err := a.credentials().For(hubKey(location))
	if err != nil {
		return opts, err
	}
	opts.Fingerprint, opts.Token = cred.Fingerprint, cred.Token
	switch token := a.env[tokenVariable]; {
	case token != "":
		opts.Token, err = parseToken(token, tokenVariable)
	case tokenFile != "":
		opts.Token, err = readToken(tokenFile)
	}
	return opts, err
}

func readToken(file string) (api.Secret, error) {
	data, err := clientstate.ReadSecret(file)
	if err != nil {
		return "", err
	}
	return parseToken(string(data), file)
}

func parseToken(text, from string) (api.Secret, error) {
	token := api.Secret(strings.TrimSpace(text))
	if !token.IsToken() {
		return "", &client.UsageError{Message: from + " does not hold a token"}
	}
	return token, nil
}

// maxSecret bounds what is read of standard input, in bytes.
const maxSecret = 4096

// askSecret returns the secret in the file, else in the environment, else a line of standard input.
func (a *app) askSecret(file string, stdin io.Reader) (api.Secret, error) {
	if file != "" {
		data, err := clientstate.ReadSecret(file)
		return api.Secret(strings.TrimSpace(string(data))), err
	}
	if v := a.env[joinKeyVariable]; v != "" {
		return api.Secret(strings.TrimSpace(v)), nil
	}
	if f, ok := stdin.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(a.out.stderr, "join key: ")
		}
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, maxSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return api.Secret(strings.TrimSpace(line)), nil
}
