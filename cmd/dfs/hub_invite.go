package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dfs/cas"
	"dfs/client"
	"dfs/server/api"
)

const hubInviteHelp = `Make a join key, with which one user can log in to the hub once (dfs login).

The key is printed to stdout; whoever has it first gets the rights. With --volume they are for that
volume, else for all, those to come too. read is to pull, write is also to push,
which destroys no history, and admin is also to administer. To make new volumes
takes the right write for all.

Usage:
  dfs hub invite [flags]

Examples:
  dfs hub invite --data /srv/dfs --volume docs --right read --expires 1h
  dfs hub invite --hub https://nas:8420 --name ann`

const defaultExpiry = 24 * time.Hour

func (a *app) hubInvite() *cobra.Command {
	var flags hubFlags
	var volume, name, right string
	expires := defaultExpiry
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "make a join key for one user",
		Long:  hubInviteHelp,
		Args:  cobra.NoArgs,
	}
	fs := cmd.Flags()
	flags.flags(fs)
	fs.StringVar(&volume, "volume", "", "give the right for the volume `NAME` (default: for all)")
	fs.StringVar(&right, "right", "write", "give the `RIGHT` read, write or admin (default write)")
	fs.StringVar(&name, "name", "", "call the user `NAME`")
	fs.Var((*duration)(&expires), "expires", "let the key be valid for `DURATION` (default 24h)")
	a.out.jsonFlag(fs)
	fs.BoolVarP(&a.out.quiet, "quiet", "q", false, "print the key and errors only")
	return a.command(cmd, func(ctx context.Context, _ []string) (code int, err error) {
		r, err := api.ParseRight(right)
		if err != nil || r == api.RightNone {
			return 0, &client.UsageError{Message: fmt.Sprintf("--right %s is none of read, write, admin", quoted(right))}
		}
		h, at, err := a.administer(ctx, &flags)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, h.Close()) }()
		req := api.InviteRequest{Key: api.NewJoinKey(), Name: name, ExpiresIn: int64(expires / time.Second)}
		if volume == "" {
			req.Grants.All = r
		} else if req.Grants, err = grantsFor(ctx, h, volume, r); err != nil {
			return 0, err
		}
		answer, err := h.Invite(ctx, req)
		if err != nil {
			return 0, err
		}
		a.invited(&req, &answer, at)
		return exitDone, nil
	})
}

// grantsFor returns the right for the volume with the name.
func grantsFor(ctx context.Context, h api.Hub, name string, r api.Right) (api.Grants, error) {
	volumes, err := h.Volumes(ctx, name)
	if err != nil {
		return api.Grants{}, err
	}
	if len(volumes) == 0 {
		return api.Grants{}, fmt.Errorf("no volume %s on the hub; its first push makes it", quoted(name))
	}
	return api.Grants{Volumes: map[cas.VolumeID]api.Right{volumes[0].ID: r}}, nil
}

// invited prints a join key. It is what the command is for, so also with --quiet.
func (a *app) invited(req *api.InviteRequest, answer *api.Invite, at string) {
	if a.out.json {
		a.out.object(struct {
			Type string `json:"type"`
			Key  string `json:"key"`
			api.Invite
		}{"invite", string(req.Key), *answer})
		return
	}
	fmt.Fprintln(a.out.stdout, string(req.Key))
	to := "URL (the address at which users reach this hub, like https://nas:8420)"
	if strings.Contains(at, "://") {
		to = at
	}
	a.out.notice("invitation %v, for one login until %s: dfs login %s", answer.ID, answer.Expires.Local().Format(time.DateTime), to)
}
