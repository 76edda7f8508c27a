package main

import (
	"context"

	"github.com/spf13/cobra"

	"dfs/client"
)

const pullHelp = `Bring the changes of a volume on the hub to a directory.

Local changes stay and nothing is sent. Where both sides changed a path, the
local file is left as it is, the path is named, and dfs exits with 4.

A directory that is not there is created; it then needs --volume, and --hub
unless the volume is on the default hub.

Usage:
  dfs pull [DIR] [flags]                DIR defaults to the current directory

Examples:
  dfs pull ./docs
  dfs pull ./docs --dry-run
  dfs pull ./copy --hub http://nas:8420 --volume papers`

func (a *app) pull() *cobra.Command {
	var flags runFlags
	cmd := directoryArgument(&cobra.Command{
		Use:   "pull [DIR]",
		Short: "bring the hub's changes here",
		Long:  pullHelp,
	})
	fs := cmd.Flags()
	flags.placeFlags(fs)
	flags.transferFlags(fs)
	flags.changeFlags(fs)
	flags.scanFlags(fs)
	a.out.flags(fs)
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		return a.transfer(ctx, "pull", &flags, args, client.Pull)
	})
}
