package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"dfs/client"
)

const syncHelp = `Make a directory and its volume on the hub the same: push, then pull.

Where both sides changed a path differently it is a conflict, and --conflict says
what becomes of it:

  manual   both versions stay, each where it is; dfs exits with 4 (the default)
  lww      the version with the newer modification time takes the path everywhere
  merge    texts are merged line by line where that is clean; else as manual
  copy     the hub's version takes the path, this one becomes a file beside it

A dry run tells what the strategy would make of each conflict.

No version is lost: what does not take the path stays on the hub, with the conflict
(dfs conflicts --all). Where one side is a directory, merge does as manual, and so does
lww where the conflict would not have all of what gives way; else a directory is as new
as the newest file that was changed in it.

A directory that was never pushed becomes a replica of a new volume, as with push. One
that is to join a volume needs --volume: equal files are taken over, different
ones are conflicts, nothing is deleted.

Usage:
  dfs sync [DIR] [flags]                DIR defaults to the current directory

Examples:
  dfs sync ./docs
  dfs sync ./docs --dry-run
  dfs sync ./docs --conflict merge
  dfs sync ./copy --volume docs --hub http://nas:8420`

func (a *app) sync() *cobra.Command {
	var flags runFlags
	var message string
	conflict := strategy("manual")
	cmd := directoryArgument(&cobra.Command{
		Use:   "sync [DIR]",
		Short: "send and bring changes, until both sides are the same",
		Long:  syncHelp,
	})
	fs := cmd.Flags()
	fs.Var(&conflict, "conflict", "settle conflicts by `STRATEGY` manual, lww, merge or copy (default manual)")
	flags.placeFlags(fs)
	flags.transferFlags(fs)
	flags.changeFlags(fs)
	flags.scanFlags(fs)
	fs.StringVarP(&message, "message", "m", "", "keep `TEXT` with the snapshot")
	a.out.flags(fs)
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		return a.transfer(ctx, "sync", &flags, args, func(ctx context.Context, cfg client.Config) (*client.Result, error) {
			cfg.Message, cfg.Conflict = message, string(conflict)
			return client.Sync(ctx, cfg)
		})
	})
}

// strategy is a flag's value that names a way to settle conflicts.
type strategy string

// Set implements [pflag.Value].
func (s *strategy) Set(name string) error {
	switch name {
	case "manual", "lww", "merge", "copy":
		*s = strategy(name)
		return nil
	}
	return errors.New("not one of manual, lww, merge, copy")
}

// String implements [pflag.Value].
func (s *strategy) String() string { return string(*s) }

// Type implements [pflag.Value].
func (s *strategy) Type() string { return "strategy" }
