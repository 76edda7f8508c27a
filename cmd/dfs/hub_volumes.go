package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dfs/server/api"
)

const hubVolumesHelp = `List the volumes of a hub with what they hold.

Each has its name and ID, its newest snapshot, the files of that and their bytes,
however much of those the hub stores once, its live sessions and its open conflicts.

Usage:
  dfs hub volumes [list] [flags]

Examples:
  dfs hub volumes --data /srv/dfs
  dfs hub volumes --hub https://nas:8420 --json`

func (a *app) hubVolumes() *cobra.Command {
	return a.administering(&cobra.Command{
		Use:       "volumes [list]",
		Short:     "list volumes with what they hold",
		Long:      hubVolumesHelp,
		ValidArgs: []string{"list"},
		Args:      verbs("give list, or nothing"),
	}, func(ctx context.Context, h managed, _ string, _ []string) (int, error) {
		o, err := h.Overview(ctx)
		if err != nil {
			return 0, err
		}
		if a.out.json {
			for _, v := range o.Volumes {
				a.out.object(volumeLine{"volume", v.Volume, v.Owner, v.Usage, v.Sessions, v.Conflicts})
			}
			return exitDone, nil
		}
		w := tabwriter.NewWriter(a.out.stdout, 0, 0, 2, ' ', 0)
		for _, v := range o.Volumes {
			fmt.Fprintf(w, "%s\t%v\tsnapshot %s, number %d\t%s\t%s\t%s\t%s\n", quoted(v.Volume.Name), v.Volume.ID,
				v.Volume.Head.Snapshot.Short(), v.Volume.Head.Seq, count(v.Usage.Files, "file"), size(v.Usage.Bytes),
				count(int64(v.Sessions), "session"), count(int64(v.Conflicts), "conflict"))
		}
		return exitDone, w.Flush()
	})
}

// volumeLine is a volume in JSON.
type volumeLine struct {
	Type string `json:"type"` // volume
	api.Volume
	Owner api.ClientID `json:"owner,omitzero"`
	api.Usage
	Sessions  int `json:"sessions"`
	Conflicts int `json:"conflicts"`
}
