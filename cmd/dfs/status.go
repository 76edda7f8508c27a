package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/server/api"
)

const statusHelp = `Tell what differs between a directory and its volume on the hub.

Named are the hub, the volume, what changed here and there since the two last
agreed, open conflicts and running sessions. Nothing is altered.

Usage:
  dfs status [DIR] [flags]              DIR defaults to the current directory

Examples:
  dfs status
  dfs status ./docs --offline
  dfs status ./docs --json`

// listed is the most changes of a side that status lists without -v.
const listed = 20

func (a *app) status() *cobra.Command {
	var flags runFlags
	var offline bool
	cmd := directoryArgument(&cobra.Command{
		Use:   "status [DIR]",
		Short: "tell what differs",
		Long:  statusHelp,
	})
	fs := cmd.Flags()
	fs.StringVar(&flags.hub, hubFlag, "", "ask `HUB`, where the replica's hub has moved")
	tokenFlag(fs, &flags.tokenFile)
	fs.BoolVar(&offline, "offline", false, "do not ask the hub")
	flags.scanFlags(fs)
	flags.profile.flags(fs)
	a.out.flags(fs)
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		cfg, err := a.configure(&flags, args, false)
		if err != nil {
			return 0, err
		}
		stop, err := flags.profile.start()
		if err != nil {
			return 0, err
		}
		code, err := a.inspect(ctx, cfg, offline)
		return code, errors.Join(err, stop())
	})
}

// statusLine is the JSON form of a status, with what asking the hub took.
type statusLine struct {
	*client.Status
	wire
}

// wire is what crossed the wire.
type wire struct {
	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`
	Requests      int64 `json:"requests"`
}

// crossed returns what crossed the wire, if there was one.
func crossed(conn client.Conn) wire {
	if conn == nil {
		return wire{}
	}
	t := conn.Traffic()
	return wire{t.Sent, t.Received, t.Requests}
}

// inspect prints the changes, in JSON as they come, then the status.
func (a *app) inspect(ctx context.Context, cfg client.Config, offline bool) (int, error) {
	progress := a.out.startProgress()
	cfg.Report = progress.report
	var conn client.Conn // nil: the hub was not asked
	dial := cfg.Dial
	cfg.Dial = func(ctx context.Context, location string) (_ client.Conn, err error) {
		conn, err = dial(ctx, location)
		return conn, err
	}
	changes := map[client.Side][]client.Change{}
	st, err := client.Inspect(ctx, cfg, offline, func(c client.Change) error {
		switch {
		case a.out.json:
			a.out.change(c)
		case a.out.verbose > 0 || len(changes[c.Side]) < listed:
			changes[c.Side] = append(changes[c.Side], c)
		}
		return nil
	})
	progress.stop()
	if err != nil {
		return 0, err
	}
	a.out.skipped(st.Skipped)
	a.out.paths("nested", st.Nested, "a replica of its own (it holds .dfs); left alone")
	a.out.problems(st.Problems)
	if a.out.json {
		a.out.object(statusLine{st, crossed(conn)})
	} else {
		a.out.status(st, changes)
	}
	switch {
	case st.Conflicts > 0:
		return exitConflicts, nil
	case len(st.Problems) > 0:
		return exitIncomplete, nil
	}
	return exitDone, nil
}

func (o *output) status(st *client.Status, changes map[client.Side][]client.Change) {
	o.result("volume %s on %s", quoted(st.Volume), quoted(st.Hub))
	o.result("%s, %s", count(st.Files, "file"), size(st.Bytes))
	o.side("local changes (dfs push or sync sends them)", st.Local, changes[client.Local])
	if st.Offline {
		o.result("the hub was not asked (--offline)")
	} else {
		o.side("remote changes (dfs pull or sync brings them)", st.Remote, changes[client.Remote])
	}
	if st.Conflicts > 0 {
		o.result("%s open (dfs conflicts lists them)", count(st.Conflicts, "conflict"))
	}
	for _, s := range st.Sessions {
		o.result("running: %s from %s, %s, %s%s", s.Command, quoted(s.Client), s.State, size(s.Bytes), soFar(s.Transfer))
	}
	if st.InSync {
		o.result("in sync at snapshot %s", st.Head.Short())
	}
}

// side prints the changes of one side.
func (o *output) side(title string, counts client.Counts, changes []client.Change) {
	total := counts.Added + counts.Modified + counts.Moved + counts.Deleted
	if total == 0 {
		return
	}
	o.result("%s: %s", title, countsText(counts))
	for _, c := range changes {
		o.result("%s", changeText(c))
	}
	if more := total - int64(len(changes)); more > 0 {
		o.result("%s", fmt.Sprintf("  … and %s more (-v lists all)", number(more)))
	}
}

// soFar says of what a transfer came so far, where that is known.
func soFar(t *api.Transfer) string {
	if t == nil || t.Total == nil || t.Percent == nil {
		return ""
	}
	return fmt.Sprintf(" of %s, %.0f %%", size(*t.Total), *t.Percent)
}
