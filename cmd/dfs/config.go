package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"dfs/client"
)

// A config is a configuration file, the user's or a hub's own: lines of the form "key = value", blank
// lines and lines that start with #. A key is the long name of a flag and gives its value
// where neither the command line nor the environment does. No secret stands in it, but
// the name of a file with one may.
type config map[string]setting

// A setting is a value and where it stands, for messages.
type setting struct {
	value string
	from  string // file:line
}

// configurable reports whether key may stand in the user's configuration file: what
// suits every run. Not so a volume's name, a message, or what turns a run into another.
func configurable(key string) bool {
	switch key {
	case "compression", "jobs", "rehash", "no-progress", "max-delete", "conflict", "bwlimit":
		return true
	}
	return configuresHub(key)
}

// configuresHub reports whether key may stand in a hub's own configuration file: each flag of serve,
// and of dfs hub what suits every run.
func configuresHub(key string) bool {
	switch key {
	case "data", "listen", "wait", "verbose", "log-format", "auth", "tls-cert", "tls-key", "tls-self-signed",
		"memory", "connections", "client-requests", "client-rate", "session-timeout",
		"hub", "token-file", "right", "expires", "quiet":
		return true
	}
	return false
}

const configFlag = "config"

// hubConfigFlag makes the flag that names a hub's own configuration file.
func hubConfigFlag(fs *pflag.FlagSet) {
	fs.String(configFlag, "", "take settings from `FILE` instead of the user's configuration file")
}

// loadSettings reads the configuration file of a command with the flags: the one that --config or its variable names, else the
// user's.
func loadSettings(flags *pflag.FlagSet, env map[string]string) (config, error) {
	if f := flags.Lookup(configFlag); f != nil {
		path, from := f.Value.String(), "--"+configFlag
		if path == "" {
			path, from = env[variable(configFlag)], variable(configFlag)
		}
		if path != "" {
			c, err := readConfig(path, configuresHub)
			if _, ok := errors.AsType[*fs.PathError](err); ok {
				err = fmt.Errorf("%s: %w", from, err)
			}
			return c, err
		}
	}
	dir, err := xdg(env, "XDG_CONFIG_HOME", ".config")
	if err != nil {
		return nil, nil // no home, no configuration
	}
	c, err := readConfig(filepath.Join(dir, "dfs", "config"), configurable)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return c, err
}

// readConfig reads a file of which known tells the keys.
func readConfig(path string, known func(key string) bool) (config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseConfig(path, f, known)
}

func parseConfig(path string, r io.Reader, known func(key string) bool) (config, error) {
	c := config{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		from := fmt.Sprintf("%s:%d", quoted(path), n)
		key, value, ok := strings.Cut(text, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok:
			return nil, &client.UsageError{Message: from + ": not of the form key = value"}
		case !known(key):
			return nil, &client.UsageError{Message: fmt.Sprintf("%s: unknown key %s", from, quoted(key))}
		case c[key].from != "":
			return nil, &client.UsageError{Message: fmt.Sprintf("%s: %s is set already at %s", from, key, c[key].from)}
		}
		c[key] = setting{value, from}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", quoted(path), err)
	}
	return c, nil
}

// variable returns the name of the environment variable of a flag.
func variable(flag string) string {
	return "DFS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applySettings gives each flag that the command line did not set its value
// from the environment, else from the configuration. Left out are hidden flags
// and those that say where the hub is, whose sources differ in meaning (see newHub, usualHub).
func applySettings(flags *pflag.FlagSet, env map[string]string, c config) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		where := f.Name == hubFlag || f.Name == dataFlag && flags.Lookup(hubFlag) != nil
		if f.Changed || f.Hidden || f.Name == "help" || f.Name == configFlag || where {
			return
		}
		s := setting{env[variable(f.Name)], variable(f.Name)}
		if s.value == "" {
			s = c[f.Name]
		}
		if s.value == "" {
			return
		}
		if err := flags.Set(f.Name, s.value); err != nil {
			errs = append(errs, &client.UsageError{Message: s.from + ": " + err.Error()})
		}
	})
	return errors.Join(errs...)
}

// xdg returns the directory that the variable names, or else the one below the
// user's home directory. Relative ones are ignored, as the XDG specification says.
func xdg(env map[string]string, name, below string) (string, error) {
	if dir := env[name]; filepath.IsAbs(dir) {
		return dir, nil
	}
	home := env["HOME"]
	if runtime.GOOS == "windows" {
		home = env["USERPROFILE"]
	}
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("neither %s nor a home directory is set", name)
	}
	return filepath.Join(home, filepath.FromSlash(below)), nil
}
