package main

import (
	"context"
	"errors"

	"dfs/client"
	"dfs/client/remote"
	"dfs/server/api"
)

// The exit codes, which scripts rely on.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitConflicts   = 4
	exitBrake       = 5
	exitUnreachable = 6
	exitForbidden   = 7
	exitBusy        = 8
	exitInterrupted = 130
)

// exitCode returns the code for what a run came to. Where several apply, a
// brake comes first, then a failure, then conflicts, then problems. ctx is
// done when the user interrupted the run.
func exitCode(ctx context.Context, res *client.Result, err error) int {
	if err != nil {
		return errorCode(ctx, err)
	}
	switch {
	case res != nil && len(res.Conflicts) > 0:
		return exitConflicts
	case res != nil && len(res.Problems) > 0:
		return exitIncomplete
	}
	return exitDone
}

func errorCode(ctx context.Context, err error) int {
	var brake *client.BrakeError
	var usage *client.UsageError
	var busy *client.BusyError
	switch {
	case errors.As(err, &brake):
		return exitBrake
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &busy):
		return exitBusy
	case errors.Is(err, remote.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, api.ErrForbidden), errors.Is(err, api.ErrUnauthorized), errors.Is(err, remote.ErrUntrusted):
		return exitForbidden
	}
	return exitFailed
}

// said returns what to say about an error.
func said(err error) string {
	if errors.Is(err, api.ErrNoSpace) {
		return "the hub's disk is full: " + err.Error()
	}
	return err.Error()
}

// hint returns what to do next after the error, which gave the code, or "".
func hint(code int, command string, err error) string {
	switch {
	case errors.Is(err, api.ErrNoSpace):
		return "make room where the hub keeps its repository, and run the same command again: what was sent is kept"
	case errors.Is(err, api.ErrQuota):
		return "let the volume hold less, or have who runs the hub raise the quota; the volume is as it was"
	}
	switch code {
	case exitForbidden:
		return accessHint(err)
	case exitUsage:
		if command == "" || command == "help" {
			return "dfs help lists the commands"
		}
		return "dfs help " + command + " tells how it is used"
	case exitUnreachable:
		return "is the hub running (dfs serve), and is this its address? --hub HUB gives another"
	case exitBusy:
		return "try again when it is done, or let --wait DURATION be longer"
	case exitInterrupted:
		if command == benchName {
			return "what was measured until then stands above, and in the directory that --out names; another run begins anew"
		}
		return "nothing is lost; run the same command again to go on"
	}
	return ""
}

// accessHint returns what to do when a hub does not let in, or is not trusted.
func accessHint(err error) string {
	var key *remote.KeyError
	switch {
	case errors.As(err, &key):
		return "nothing was sent to it. If the administrator confirms the new fingerprint: dfs login URL --fingerprint FINGERPRINT"
	case errors.Is(err, remote.ErrUntrusted):
		return "if the administrator confirms the fingerprint: dfs login URL --fingerprint FINGERPRINT"
	case errors.Is(err, api.ErrUnauthorized):
		return "dfs login URL logs in with a join key, which the hub's administrator gives out (dfs hub invite)"
	}
	return "the hub's administrator can give the right (dfs hub invite), for another login"
}
