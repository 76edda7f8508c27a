package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dfs/cas"
	"dfs/server/api"
)

const hubSessionsHelp = `List the live sessions of a hub, or end one.

A session is one run of a push, pull or sync as the hub sees it. abort ends it and
drops what it has staged; what is committed stays, and the client may start again. An
ID may be cut to its first eight digits. Each is listed with the client whose token it
has, for who administers the hub, and with the host name that the client states.

Usage:
  dfs hub sessions [list | abort ID] [flags]

Examples:
  dfs hub sessions --hub https://nas:8420
  dfs hub sessions abort 5feceb66 --hub https://nas:8420`

func (a *app) hubSessions() *cobra.Command {
	return a.administering(&cobra.Command{
		Use:       "sessions [list | abort ID]",
		Short:     "list live sessions, or end one",
		Long:      hubSessionsHelp,
		ValidArgs: []string{"list", "abort"},
		Args:      verbs("give list, or abort ID", "abort"),
	}, func(ctx context.Context, h managed, _ string, args []string) (int, error) {
		if len(args) < 2 {
			return exitDone, a.listSessions(ctx, h)
		}
		id, err := findID(args[1], "live sessions", func() (ids []cas.VolumeID, _ error) {
			list, err := h.Sessions(ctx, cas.VolumeID{})
			for _, s := range list {
				ids = append(ids, s.ID)
			}
			return ids, err
		})
		if err == nil {
			err = h.AbortSession(ctx, id)
		}
		if err != nil {
			return 0, err
		}
		a.out.did(struct {
			Type string        `json:"type"`
			ID   api.SessionID `json:"id"`
		}{"aborted", id}, "session %v has ended", id)
		return exitDone, nil
	})
}

// listSessions prints the live sessions, the oldest first.
func (a *app) listSessions(ctx context.Context, h managed) error {
	list, err := h.Sessions(ctx, cas.VolumeID{})
	if err != nil {
		return err
	}
	if a.out.json {
		for _, s := range list {
			a.out.object(struct {
				Type string `json:"type"`
				api.SessionInfo
			}{"session", s})
		}
		return nil
	}
	names, err := volumeNames(ctx, h)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.out.stdout, 0, 0, 2, ' ', 0)
	for _, s := range list {
		fmt.Fprintf(w, "%v\t%s\t%s of %s\tby %s\tfrom %s\tsince %s\t%s, %s sent\n", s.ID, s.State, quoted(s.Command), names.of(s.Volume),
			ownerText(&s), quoted(s.Client), s.Started.Local().Format(time.DateTime), count(s.Blobs, "blob"), size(s.Bytes))
	}
	return w.Flush()
}

// ownerText returns whose session it is, for people.
func ownerText(s *api.SessionInfo) string {
	if s.Owner.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s, client %v", quoted(s.Account), s.Owner)
}

// nameList has the names of volumes.
type nameList map[cas.VolumeID]string

func volumeNames(ctx context.Context, h api.Hub) (nameList, error) {
	volumes, err := h.Volumes(ctx, "")
	names := make(nameList, len(volumes))
	for _, v := range volumes {
		names[v.ID] = v.Name
	}
	return names, err
}

// of returns a volume's name for people, its ID when there is none.
func (n nameList) of(v cas.VolumeID) string {
	if name, ok := n[v]; ok {
		return quoted(name)
	}
	return v.String()
}
