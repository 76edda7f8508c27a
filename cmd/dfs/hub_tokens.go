package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dfs/cas"
	"dfs/client"
	"dfs/server/api"
)

const hubTokensHelp = `List the tokens and join keys of a hub, or end one.

revoke ends a client's access, or a join key, at once and for good. rotate gives a
client a new token, which is printed to stdout, and ends its former one; the own
one is replaced in the credentials. An ID may be cut to its first eight digits.

Usage:
  dfs hub tokens [list | revoke ID | rotate ID] [flags]

Examples:
  dfs hub tokens --data /srv/dfs
  dfs hub tokens revoke 5feceb66 --hub https://nas:8420`

func (a *app) hubTokens() *cobra.Command {
	var flags hubFlags
	cmd := &cobra.Command{
		Use:       "tokens [list | revoke ID | rotate ID]",
		Short:     "list tokens and join keys, or end one",
		Long:      hubTokensHelp,
		ValidArgs: []string{"list", "revoke", "rotate"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) == 1 && args[0] == "list" || len(args) == 2 && (args[0] == "revoke" || args[0] == "rotate") {
				return nil
			}
			return &client.UsageError{Message: "give list, revoke ID or rotate ID"}
		},
	}
	flags.flags(cmd.Flags())
	a.out.jsonFlag(cmd.Flags())
	return a.command(cmd, func(ctx context.Context, args []string) (code int, err error) {
		h, at, err := a.administer(ctx, &flags)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, h.Close()) }()
		if len(args) < 2 {
			return exitDone, a.listTokens(ctx, h)
		}
		id, err := findClient(ctx, h, args[1])
		if err != nil {
			return 0, err
		}
		if args[0] == "rotate" {
			return exitDone, a.rotate(ctx, h, at, id)
		}
		if err := h.Revoke(ctx, id); err != nil {
			return 0, err
		}
		a.out.result("%v is revoked", id)
		return exitDone, nil
	})
}

// findClient returns the ID of a client or a join key that a user wrote, maybe cut.
func findClient(ctx context.Context, h api.Admin, s string) (api.ClientID, error) {
	const least = 8
	if id, err := cas.ParseVolumeID(s); err == nil {
		return id, nil
	}
	if len(s) < least {
		return api.ClientID{}, &client.UsageError{Message: fmt.Sprintf("%s is no ID, nor the first %d digits of one", quoted(s), least)}
	}
	tokens, err := h.Tokens(ctx)
	if err != nil {
		return api.ClientID{}, err
	}
	invites, err := h.Invites(ctx)
	if err != nil {
		return api.ClientID{}, err
	}
	found := make(map[api.ClientID]bool)
	for _, t := range tokens {
		found[t.Client] = strings.HasPrefix(t.Client.String(), s)
	}
	for _, i := range invites {
		found[i.ID] = strings.HasPrefix(i.ID.String(), s)
	}
	maps.DeleteFunc(found, func(_ api.ClientID, ok bool) bool { return !ok })
	ids := slices.Collect(maps.Keys(found))
	if len(ids) != 1 {
		return api.ClientID{}, &client.UsageError{Message: fmt.Sprintf("%d clients and join keys have an ID that begins with %s", len(ids), quoted(s))}
	}
	return ids[0], nil
}

// rotate gives the client a new token.
func (a *app) rotate(ctx context.Context, h api.Admin, at string, id api.ClientID) error {
	creds := a.credentials()
	cred, ok, err := creds.For(hubKey(at))
	if err != nil {
		return err
	}
	own := ok && cred.Client == id
	cred.Token = api.NewToken()
	_, err = h.RotateToken(ctx, api.RotateRequest{Client: id, Token: cred.Token})
	switch {
	case own && errors.Is(err, api.ErrUnauthorized): // an answer that was lost: then the new token lets in
		return a.keepToken(ctx, hubKey(at), cred)
	case err != nil:
		return err
	case own:
		a.out.notice("the token in the credentials is replaced")
		return creds.Record(hubKey(at), cred)
	}
	fmt.Fprintln(a.out.stdout, string(cred.Token))
	return nil
}

// listTokens prints tokens, then join keys.
func (a *app) listTokens(ctx context.Context, h managed) error {
	tokens, err := h.Tokens(ctx)
	if err != nil {
		return err
	}
	invites, err := h.Invites(ctx)
	if err != nil {
		return err
	}
	if a.out.json {
		for _, t := range tokens {
			a.out.object(struct {
				Type string `json:"type"`
				api.Token
			}{"token", t})
		}
		for _, i := range invites {
			a.out.object(struct {
				Type string `json:"type"`
				api.Invite
			}{"invite", i})
		}
		return nil
	}
	volumes, err := h.Volumes(ctx, "")
	if err != nil {
		return err
	}
	names := make(map[cas.VolumeID]string)
	for _, v := range volumes {
		names[v.ID] = v.Name
	}
	w := tabwriter.NewWriter(a.out.stdout, 0, 0, 2, ' ', 0)
	for _, t := range tokens {
		state := "valid"
		if t.Revoked {
			state = "revoked"
		}
		fmt.Fprintf(w, "token\t%v\t%s\t%s\t%s\t%s\n", t.Client, state, t.Created.Local().Format(time.DateTime), quoted(t.Name), grantsText(t.Grants, names))
	}
	for _, i := range invites {
		state := "until " + i.Expires.Local().Format(time.DateTime)
		switch {
		case i.Revoked:
			state = "revoked"
		case i.Used:
			state = "used"
		}
		fmt.Fprintf(w, "join key\t%v\t%s\t%s\t%s\t%s\n", i.ID, state, i.Created.Local().Format(time.DateTime), quoted(i.Name), grantsText(i.Grants, names))
	}
	return w.Flush()
}

// grantsText returns rights for people: "write" or "read docs, write src".
func grantsText(g api.Grants, names map[cas.VolumeID]string) string {
	var parts []string
	for v, r := range g.Volumes {
		name := v.String()
		if n, ok := names[v]; ok {
			name = quoted(n)
		}
		parts = append(parts, r.String()+" "+name)
	}
	slices.Sort(parts)
	if g.All > api.RightNone {
		parts = append([]string{g.All.String() + " all"}, parts...)
	}
	return strings.Join(parts, ", ")
}
