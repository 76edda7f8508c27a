package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dfs/server/api"
)

const hubStatusHelp = `Tell how a hub fares, on one screen.

It tells where the hub is and how long it has run, what its store and its volumes
hold, and how many sessions, conflicts, tokens and unused join keys there are. The
last alarm, since the hub was started, is a file that its store damaged. The exit
code is 0 when the hub would take a push, so this is also a check of its health.

Usage:
  dfs hub status [flags]

Examples:
  dfs hub status --hub https://nas:8420
  dfs hub status --data /srv/dfs --json`

func (a *app) hubStatus() *cobra.Command {
	return a.administering(&cobra.Command{
		Use:   "status",
		Short: "tell how a hub fares",
		Long:  hubStatusHelp,
		Args:  cobra.NoArgs,
	}, func(ctx context.Context, h managed, at string, _ []string) (int, error) {
		o, err := h.Overview(ctx)
		if err != nil {
			return 0, err
		}
		s := hubStatusOf(at, &o, time.Now())
		code := exitDone
		if err := h.Ready(ctx); err != nil {
			code, s.Ready, s.Trouble = exitFailed, false, err.Error()
		}
		if a.out.json {
			a.out.object(s)
			return code, nil
		}
		return code, a.printHubStatus(ctx, h, s)
	})
}

// hubStatus is how a hub fares.
type hubStatus struct {
	Type      string       `json:"type"` // hub
	Hub       string       `json:"hub"`  // where it is
	HubID     api.ClientID `json:"hub_id"`
	Running   bool         `json:"running"`            // it is a server, and not a repository that this command opened
	Uptime    float64      `json:"uptime_s,omitempty"` // of a server
	Ready     bool         `json:"ready"`              // it would take a push
	Trouble   string       `json:"trouble,omitempty"`  // why it would not
	Store     int64        `json:"store_bytes"`
	Volumes   int          `json:"volumes"`
	Files     int64        `json:"files"`
	Bytes     int64        `json:"bytes"`
	Sessions  int          `json:"sessions"`
	Conflicts int          `json:"conflicts"`
	Tokens    int          `json:"tokens"`
	JoinKeys  int          `json:"join_keys"`
	Alarm     *api.Alarm   `json:"alarm"` // null: none, or it does not run
}

// hubStatusOf sums an overview up.
func hubStatusOf(at string, o *api.Overview, now time.Time) *hubStatus {
	s := &hubStatus{Type: "hub", Hub: at, HubID: o.HubID, Running: strings.Contains(at, "://"), Ready: true, Store: o.Store,
		Volumes: len(o.Volumes), Tokens: o.Tokens, JoinKeys: o.JoinKeys, Alarm: o.Alarm}
	if s.Running {
		s.Uptime = max(now.Sub(o.Opened), 0).Seconds()
	}
	for _, v := range o.Volumes {
		s.Files += v.Usage.Files
		s.Bytes += v.Usage.Bytes
		s.Sessions += v.Sessions
		s.Conflicts += v.Conflicts
	}
	return s
}

func (a *app) printHubStatus(ctx context.Context, h api.Hub, s *hubStatus) error {
	names, err := volumeNames(ctx, h)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.out.stdout, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	line("hub", "%s, ID %v", quoted(s.Hub), s.HubID)
	running, alarm := "no, this is its repository", "none can be known"
	if s.Running {
		running, alarm = "for "+time.Duration(s.Uptime*float64(time.Second)).Round(time.Second).String(), "none"
	}
	if s.Alarm != nil {
		alarm = fmt.Sprintf("%s of volume %s: %s; the last of %d, at %s", quoted(string(s.Alarm.Path)), names.of(s.Alarm.Volume),
			harmless(s.Alarm.Detail), s.Alarm.Count, s.Alarm.At.Local().Format(time.DateTime))
	}
	line("running", "%s", running)
	ready := "to take pushes"
	if !s.Ready {
		ready = "no: " + harmless(s.Trouble)
	}
	line("ready", "%s", ready)
	line("store", "%s on disk", size(s.Store))
	line("volumes", "%s, with %s, %s", number(int64(s.Volumes)), count(s.Files, "file"), size(s.Bytes))
	line("sessions", "%s", number(int64(s.Sessions)))
	line("conflicts", "%s", number(int64(s.Conflicts)))
	line("tokens", "%s, and %s", number(int64(s.Tokens)), count(int64(s.JoinKeys), "unused join key"))
	line("last alarm", "%s", alarm)
	return w.Flush()
}
