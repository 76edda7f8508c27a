package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/manifest"
	"dfs/server/api"
)

const conflictsHelp = `List the conflicts of a volume: paths that two replicas changed differently.

Each has an ID, the version that the two began with (base), that of the replica whose
change came second (ours), and the hub's (theirs). Open ones exit with 4. Settled ones
(--all) stay on record, with all versions. --cat writes the content of one to stdout, also
of what a strategy of dfs sync, such as lww, did not take.

Usage:
  dfs conflicts [DIR] [flags]           DIR defaults to the current directory

Examples:
  dfs conflicts
  dfs conflicts ./docs --all --json
  dfs conflicts --show 1f447cdb
  dfs conflicts --diff 1f447cdb
  dfs conflicts --cat 1f447cdb:ours >notes.mine`

func (a *app) conflicts() *cobra.Command {
	var flags runFlags
	var all bool
	var show, diff string
	var cat versionName
	cmd := directoryArgument(&cobra.Command{
		Use:   "conflicts [DIR]",
		Short: "list conflicts and look at them",
		Long:  conflictsHelp,
	})
	fs := cmd.Flags()
	fs.StringVar(&flags.hub, hubFlag, "", "ask `HUB`, where the replica's hub has moved")
	tokenFlag(fs, &flags.tokenFile)
	fs.BoolVar(&all, "all", false, "list settled ones too")
	fs.StringVar(&show, "show", "", "show all of the conflict with `ID` (8 hex digits or more)")
	fs.StringVar(&diff, "diff", "", "show how the texts of the conflict with `ID` differ, from the hub's to the replica's")
	fs.Var(&cat, "cat", "write the content of `ID:VERSION` to stdout; VERSION is base, ours or theirs")
	waitFlag(fs, &flags.wait)
	a.out.flags(fs)
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		switch {
		case show != "" && diff != "" || cat.id != "" && show+diff != "":
			return 0, &client.UsageError{Message: "--show, --diff and --cat are three questions; ask one"}
		case cat.id != "" && a.out.json:
			return 0, &client.UsageError{Message: "--cat writes the content and nothing else; leave --json out"}
		}
		cfg, err := a.configure(&flags, args, false)
		if err != nil {
			return 0, err
		}
		desk, err := client.OpenConflicts(ctx, cfg)
		if err != nil {
			return 0, err
		}
		defer desk.Close()
		switch {
		case show != "":
			return a.showConflict(ctx, desk, show)
		case diff != "":
			return a.diffConflict(ctx, desk, diff)
		case cat.id != "":
			return a.catVersion(ctx, desk, cat)
		}
		return a.listConflicts(ctx, desk, all)
	})
}

func (a *app) listConflicts(ctx context.Context, desk *client.Desk, all bool) (int, error) {
	code, none := exitDone, true
	for c, err := range desk.List(ctx, all) {
		if err != nil {
			return 0, err
		}
		if c.Open {
			code = exitConflicts
		}
		a.out.conflict(&c, desk.Own())
		none = false
	}
	if none && !a.out.json {
		a.out.result("no conflicts")
	}
	return code, nil
}

func (a *app) showConflict(ctx context.Context, desk *client.Desk, id string) (int, error) {
	c, err := desk.Find(ctx, id)
	if err != nil {
		return 0, err
	}
	if a.out.json {
		a.out.conflict(&c, desk.Own())
		return exitDone, nil
	}
	a.out.result("conflict  %v", c.ID)
	a.out.result("path      %s", quoted(c.Path))
	a.out.result("state     %s", stateText(&c))
	a.out.result("replica   %s", replicaText(&c, desk.Own()))
	a.out.result("recorded  %s", timeText(c.Time))
	a.out.result("base      %s", versionText(c.Base))
	a.out.result("ours      %s", versionText(c.Ours))
	a.out.result("theirs    %s", versionText(c.Theirs))
	if names := fileVersions(&c); names != "" {
		a.out.result("content   dfs conflicts --cat %s writes it", names)
	}
	return exitDone, nil
}

func (a *app) diffConflict(ctx context.Context, desk *client.Desk, id string) (int, error) {
	c, err := desk.Find(ctx, id)
	if err != nil {
		return 0, err
	}
	diff, ok, err := desk.Diff(ctx, &c)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, fmt.Errorf("%s: the two versions are not both texts of at most 16 MiB; dfs conflicts --show %s tells what they are", quoted(c.Path), c.ID.Short())
	case a.out.json:
		a.out.object(struct {
			Type string   `json:"type"` // "diff"
			ID   string   `json:"id"`
			Path jsonPath `json:"path"`
			Diff jsonPath `json:"diff"`
		}{"diff", c.ID.String(), jsonPath(c.Path), jsonPath(diff)})
	default:
		_, err = a.out.stdout.Write(diff)
	}
	return exitDone, err
}

// conflict prints a conflict on a line.
func (o *output) conflict(c *api.Conflict, own api.ReplicaID) {
	if o.json {
		o.object(conflictLine(c, own))
		return
	}
	o.result("%s  %s  ours %s; theirs %s; %s, %s", c.ID.Short(), quoted(c.Path), versionText(c.Ours), versionText(c.Theirs), replicaText(c, own), stateText(c))
}

func stateText(c *api.Conflict) string {
	switch {
	case c.Open:
		return "open"
	case c.Take == "":
		return "settled"
	}
	return "settled (" + harmless(c.Take) + ")"
}

func replicaText(c *api.Conflict, own api.ReplicaID) string {
	if c.Replica == own {
		return "from this directory"
	}
	return fmt.Sprintf("from %s, replica %.8v", quoted(c.Client), c.Replica.String())
}

func timeText(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// versionText describes a version for people.
func versionText(m *manifest.Manifest) string {
	if m == nil {
		return "absent"
	}
	parts := []string{m.Kind.String()}
	switch m.Kind {
	case manifest.File:
		parts = append(parts, size(int64(m.Size)))
	case manifest.Symlink:
		parts = append(parts, "to "+quoted(m.Target))
	}
	return strings.Join(append(parts, "of", timeText(time.Unix(m.Mtime.Sec, 0))), " ")
}

// A version is a manifest in the JSON of a conflict.
type version struct {
	Kind  string `json:"kind"`
	Size  uint64 `json:"size"`
	Mode  string `json:"mode"`
	Mtime string `json:"mtime"`
	ID    string `json:"id"` // of the manifest
}

func versionLine(m *manifest.Manifest) *version {
	if m == nil {
		return nil
	}
	return &version{
		Kind: m.Kind.String(), Size: m.Size, Mode: fmt.Sprintf("%04o", m.Mode), ID: m.Hash().String(),
		Mtime: time.Unix(m.Mtime.Sec, int64(m.Mtime.Nsec)).UTC().Format(time.RFC3339Nano),
	}
}

func conflictLine(c *api.Conflict, own api.ReplicaID) any {
	state := "open"
	if !c.Open {
		state = "settled"
	}
	return struct {
		Type    string   `json:"type"` // "conflict"
		ID      string   `json:"id"`
		Path    jsonPath `json:"path"`
		State   string   `json:"state"`
		Take    string   `json:"take,omitempty"`
		Replica string   `json:"replica"`
		Client  string   `json:"client"`
		Own     bool     `json:"own"` // of the replica that was asked
		Base    *version `json:"base"`
		Ours    *version `json:"ours"`
		Theirs  *version `json:"theirs"`
		Time    string   `json:"time"`
	}{
		"conflict", c.ID.String(), jsonPath(c.Path), state, c.Take, c.Replica.String(), c.Client, c.Replica == own,
		versionLine(c.Base), versionLine(c.Ours), versionLine(c.Theirs), c.Time.UTC().Format(time.RFC3339Nano),
	}
}
