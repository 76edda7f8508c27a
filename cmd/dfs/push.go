package main

import (
	"context"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/server/api"
)

const pushHelp = `Send the changes of a directory to its volume on the hub.

Only what the hub lacks is sent. Changes that others pushed stay; where both
sides changed a path, the hub keeps both versions, the volume keeps its own, and dfs
exits with 4. Nothing in DIR is altered but its state in DIR/.dfs.

A directory that was never pushed becomes a replica of a new volume with the
directory's name, or the name that --volume gives, on the hub of --hub, DFS_HUB, the
configuration, or else the default local repository ($XDG_DATA_HOME/dfs). To join a
volume that exists, name it with --volume.

Usage:
  dfs push [DIR] [flags]                DIR defaults to the current directory

Examples:
  dfs push ./docs
  dfs push ./docs --dry-run
  dfs push ./docs --hub http://nas:8420 --volume papers -m "as sent to Ann"`

func (a *app) push() *cobra.Command {
	var flags runFlags
	var message string
	cmd := directoryArgument(&cobra.Command{
		Use:   "push [DIR]",
		Short: "send local changes to the hub",
		Long:  pushHelp,
	})
	fs := cmd.Flags()
	flags.placeFlags(fs)
	flags.transferFlags(fs)
	flags.changeFlags(fs)
	flags.scanFlags(fs)
	fs.StringVarP(&message, "message", "m", "", "keep `TEXT` with the snapshot")
	a.out.flags(fs)
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		if !api.IsNote(message) {
			return 0, &client.UsageError{Message: "--message is not UTF-8 without secrets and control characters but line breaks and tabs"}
		}
		return a.transfer(ctx, "push", &flags, args, func(ctx context.Context, cfg client.Config) (*client.Result, error) {
			cfg.Message = message
			return client.Push(ctx, cfg)
		})
	})
}
