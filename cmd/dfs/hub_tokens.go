package main

import (
	"context"
	"errors"
	"fmt"
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
one is replaced in the credentials, and that in the repository's file admin-token
there. An ID may be cut to its first eight digits.

Usage:
  dfs hub tokens [list | revoke ID | rotate ID] [flags]

Examples:
  dfs hub tokens --data /srv/dfs
  dfs hub tokens revoke 5feceb66 --hub https://nas:8420`

func (a *app) hubTokens() *cobra.Command {
	return a.administering(&cobra.Command{
		Use:       "tokens [list | revoke ID | rotate ID]",
		Short:     "list tokens and join keys, or end one",
		Long:      hubTokensHelp,
		ValidArgs: []string{"list", "revoke", "rotate"},
		Args:      verbs("give list, revoke ID or rotate ID", "revoke", "rotate"),
	}, func(ctx context.Context, h managed, at string, args []string) (int, error) {
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
		a.out.did(struct {
			Type string       `json:"type"`
			ID   api.ClientID `json:"id"`
		}{"revoked", id}, "%v is revoked", id)
		return exitDone, nil
	})
}

// findClient returns the ID of a client or a join key that a user wrote, maybe cut.
func findClient(ctx context.Context, h api.Admin, s string) (api.ClientID, error) {
	return findID(s, "clients and join keys", func() ([]api.ClientID, error) {
		ids, err := clientIDs(ctx, h)
		if err != nil {
			return nil, err
		}
		invites, err := h.Invites(ctx)
		for _, i := range invites {
			ids = append(ids, i.ID)
		}
		return ids, err
	})
}

// clientIDs lists the clients, some more than once.
func clientIDs(ctx context.Context, h api.Admin) (ids []api.ClientID, err error) {
	tokens, err := h.Tokens(ctx)
	for _, t := range tokens {
		ids = append(ids, t.Client)
	}
	return ids, err
}

// findID returns the ID that a user wrote, or the one of all that begins with what the user wrote.
func findID(s, kind string, all func() ([]cas.VolumeID, error)) (cas.VolumeID, error) {
	const least = 8
	if id, err := cas.ParseVolumeID(s); err == nil {
		return id, nil
	}
	if len(s) < least {
		return cas.VolumeID{}, &client.UsageError{Message: fmt.Sprintf("%s is no ID, nor the first %d digits of one", quoted(s), least)}
	}
	ids, err := all()
	if err != nil {
		return cas.VolumeID{}, err
	}
	ids = slices.DeleteFunc(ids, func(id cas.VolumeID) bool { return !strings.HasPrefix(id.String(), s) })
	slices.SortFunc(ids, func(a, b cas.VolumeID) int { return slices.Compare(a[:], b[:]) })
	if ids = slices.Compact(ids); len(ids) != 1 {
		return cas.VolumeID{}, &client.UsageError{Message: fmt.Sprintf("%d %s have an ID that begins with %s", len(ids), kind, quoted(s))}
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
	own, next := ok && cred.Client == id, api.NewToken()
	if own {
		// It is on the disk before the hub knows it: what was cut short is done again with the same.
		if next, err = creds.Joining(hubKey(at), cred.Token); err != nil {
			return err
		}
	}
	cred.Token = next
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
	if !a.out.json {
		fmt.Fprintln(a.out.stdout, string(cred.Token))
		return nil
	}
	a.out.object(struct {
		Type   string       `json:"type"`
		Client api.ClientID `json:"client"`
		Token  string       `json:"token"`
	}{"rotated", id, string(cred.Token)})
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
	names, err := volumeNames(ctx, h)
	if err != nil {
		return err
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
func grantsText(g api.Grants, names nameList) string {
	var parts []string
	for v, r := range g.Volumes {
		parts = append(parts, r.String()+" "+names.of(v))
	}
	slices.Sort(parts)
	if g.All > api.RightNone {
		parts = append([]string{g.All.String() + " all"}, parts...)
	}
	return strings.Join(parts, ", ")
}
