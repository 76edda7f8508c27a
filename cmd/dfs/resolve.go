package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dfs/client"
)

const resolveHelp = `Settle conflicts of the volume that the current directory is a replica of.

A conflict is named by its path (a directory stands for all in it), a pattern such as
'docs/*.txt', or the first 8 or more digits of its ID (dfs conflicts). What is a path is
no pattern. Where several replicas have one at a path it is this replica's, else the ID
is needed. --take says what the path becomes:

  ours     the version of the replica that the conflict is of
  theirs   the hub's
  both     the hub's, and the other becomes a file beside it
  base     the version that both began with
  FILE     the content of a file; its path has a / in it, as in ./merged.txt

The hub has the result at once, the next dfs sync (or pull) brings it to the
directories, also to this one. Nothing is settled of which there is a newer version.

Usage:
  dfs resolve PATH|ID... --take ours|theirs|both|base|FILE [flags]

Examples:
  dfs resolve notes.txt --take theirs
  dfs resolve 1f447cdb 9f3c02aa --take both
  dfs resolve notes.txt --take ./merged.txt
  dfs resolve '*.o' --take ours --dir ./docs`

func (a *app) resolve() *cobra.Command {
	var flags runFlags
	var take, dir string
	cmd := &cobra.Command{
		Use:   "resolve PATH|ID... --take ours|theirs|both|base|FILE",
		Short: "settle conflicts",
		Long:  resolveHelp,
		Args:  cobra.MinimumNArgs(1),
	}
	fs := cmd.Flags()
	fs.StringVar(&take, "take", "", "make the path `VERSION` ours, theirs, both, base, or the content of a file")
	fs.StringVar(&dir, "dir", "", "act on the replica `DIR` instead of the current directory's; paths begin there")
	fs.StringVar(&flags.hub, hubFlag, "", "ask `HUB`, where the replica's hub has moved")
	tokenFlag(fs, &flags.tokenFile)
	waitFlag(fs, &flags.wait)
	a.out.flags(fs)
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		res := client.Resolution{}
		for _, name := range args {
			res.Names = append(res.Names, filepath.ToSlash(name))
		}
		if err := setTake(&res, take); err != nil {
			return 0, err
		}
		if dir == "" {
			root, within, ok, err := client.Enclosing(".")
			if err != nil {
				return 0, err
			}
			if !ok {
				return 0, &client.UsageError{Message: "the current directory is in no replica; name one with --dir"}
			}
			dir, res.Within = root, within
		}
		cfg, err := a.configure(&flags, []string{dir}, false)
		if err != nil {
			return 0, err
		}
		return a.settle(ctx, cfg, res)
	})
}

// setTake understands what --take says.
func setTake(res *client.Resolution, take string) (err error) {
	switch {
	case slices.Contains([]string{"ours", "theirs", "both", "base"}, take):
		res.Take = take
	case strings.ContainsRune(take, '/') || strings.ContainsRune(take, filepath.Separator):
		res.File, err = filepath.Abs(take)
	default:
		err = &client.UsageError{Message: "--take " + quoted(take) + ": say ours, theirs, both, base, or name a file with a / in its path, as in ./merged.txt"}
	}
	return err
}

func (a *app) settle(ctx context.Context, cfg client.Config, res client.Resolution) (int, error) {
	done, err := client.Resolve(ctx, cfg, res)
	if done == nil {
		return 0, err
	}
	for _, c := range done.Done {
		if a.out.json {
			a.out.object(struct {
				Type string   `json:"type"` // "settled"
				ID   string   `json:"id"`
				Path jsonPath `json:"path"`
				Take string   `json:"take"`
			}{"settled", c.ID.String(), jsonPath(c.Path), done.Take})
			continue
		}
		a.out.result("settled %s  %s: %s", c.ID.Short(), quoted(c.Path), done.Take)
	}
	if err != nil {
		return 0, err
	}
	if a.out.json {
		a.out.object(done.Summary)
	} else {
		a.out.result("dfs sync brings it to the directories")
	}
	return exitDone, nil
}
