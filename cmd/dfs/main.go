// Command dfs keeps directories and volumes on a hub the same: push, pull and
// what is needed around them. This package parses flags, wires the client to a
// hub and prints; what the commands mean is in package client.
package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dfs/client"
)

// What a client and a hub need at most, at any size of tree. Above it memory is
// collected more often.
const (
	clientMemory = 160 << 20
	hubMemory    = 256 << 20
)

// limitMemory sets the goal of the garbage collector, unless GOMEMLIMIT does.
func limitMemory(goal int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(goal)
	}
}

func main() {
	limitMemory(clientMemory)
	os.Exit(Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// Main runs the command line args and returns its exit code. The first SIGINT,
// SIGTERM or, for a terminal that was closed, SIGHUP cancels the run, which then
// ends safely; the second kills. A SIGHUP that is ignored (nohup) stays so.
func Main(args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, stop)

	a := &app{env: environment(env), out: output{stdout: stdout, stderr: stderr}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return a.code
	}
	if !a.running { // cobra did not like the arguments
		err = &client.UsageError{Message: err.Error()}
		a.out.json = a.out.json || slices.Contains(args, "--json")
	}
	return a.fail(ctx, cmd, err)
}

// An app is one invocation: its surroundings, and what it came to.
type app struct {
	env     map[string]string
	config  config
	out     output
	running bool // the arguments were understood
	code    int
	partial *client.Result // what a run that ended with an error did
}

func environment(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		m[name] = value
	}
	return m
}

// A run does a command's work and returns the exit code of a run that got to its end.
type run func(ctx context.Context, args []string) (code int, err error)

// command completes c: its flags get their values from the environment and the
// configuration too, then r runs.
func (a *app) command(c *cobra.Command, r run) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		a.running = true
		if a.config, err = loadSettings(cmd.Flags(), a.env); err != nil {
			return err
		}
		if err := applySettings(cmd.Flags(), a.env, a.config); err != nil {
			return err
		}
		a.code, err = r(cmd.Context(), args)
		return err
	}
	return c
}

// fail reports the error that ended cmd, after it what the run did until then,
// and returns the exit code.
func (a *app) fail(ctx context.Context, cmd *cobra.Command, err error) int {
	code := errorCode(ctx, err)
	message := said(err)
	if code == exitInterrupted {
		message = "interrupted"
	}
	name := ""
	if cmd.HasParent() {
		name = strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
	}
	path := ""
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		path = pathErr.Path
	}
	a.out.fail(failure{message: message, hint: hint(code, name, err), path: path, exit: code})
	if a.out.json && a.partial != nil {
		a.out.object(a.partial.Summary)
	}
	return code
}
