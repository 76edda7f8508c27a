package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/server/api"
)

const hubQuotasHelp = `List the quotas of a hub, or set or clear one.

A quota bounds what the newest snapshot of a volume holds, or those of all volumes
that a client made: the files, and their bytes, however much of those the hub stores
once. What would go above it is refused; what is above it already stays. set changes
the bounds that are given and leaves the other as it is; none lifts one. A client is
named by its ID, which may be cut to its first eight digits.

Usage:
  dfs hub quotas [list | set VOLUME|CLIENT | clear VOLUME|CLIENT] [flags]

Examples:
  dfs hub quotas --data /srv/dfs
  dfs hub quotas set docs --bytes 10G --files 100000 --hub https://nas:8420
  dfs hub quotas clear docs --hub https://nas:8420`

func (a *app) hubQuotas() *cobra.Command {
	bytes, files := bound{unit: true}, bound{}
	cmd := &cobra.Command{
		Use:       "quotas [list | set VOLUME|CLIENT | clear VOLUME|CLIENT]",
		Short:     "list quotas, set or clear one",
		Long:      hubQuotasHelp,
		ValidArgs: []string{"list", "set", "clear"},
		Args:      verbs("give list, set VOLUME or CLIENT, or clear VOLUME or CLIENT", "set", "clear"),
		PreRunE: func(_ *cobra.Command, args []string) error {
			if (bytes.given || files.given) && (len(args) == 0 || args[0] != "set") {
				return &client.UsageError{Message: "--bytes and --files go with set only"}
			}
			return nil
		},
	}
	cmd.Flags().Var(&bytes, "bytes", "with set: at most `SIZE` bytes, like 500M, 10G or 2T, or none")
	cmd.Flags().Var(&files, "files", "with set: at most `N` files, or none")
	return a.administering(cmd, func(ctx context.Context, h managed, _ string, args []string) (int, error) {
		if len(args) < 2 {
			list, err := h.Quotas(ctx)
			if err != nil {
				return 0, err
			}
			return exitDone, a.printQuotas(ctx, h, list)
		}
		if args[0] == "set" && !bytes.given && !files.given {
			return 0, &client.UsageError{Message: "give --bytes SIZE or --files N; dfs hub quotas clear lifts a quota"}
		}
		about, err := quotaAbout(ctx, h, args[1])
		if err != nil {
			return 0, err
		}
		q, err := quotaNow(ctx, h, about)
		if err != nil {
			return 0, err
		}
		if q.Bytes, q.Files = bytes.over(q.Bytes), files.over(q.Files); args[0] == "clear" {
			q = about
		}
		if err := h.SetQuota(ctx, q); err != nil {
			return 0, err
		}
		if q, err = quotaNow(ctx, h, about); err != nil {
			return 0, err
		}
		return exitDone, a.printQuotas(ctx, h, []api.Quota{q})
	})
}

// quotaAbout returns a quota, without bounds, of the volume that a user wrote, or else of the client.
func quotaAbout(ctx context.Context, h managed, s string) (api.Quota, error) {
	volumes, err := h.Volumes(ctx, "")
	if err != nil {
		return api.Quota{}, err
	}
	for _, v := range volumes {
		if v.Name == s || v.ID.String() == s {
			return api.Quota{Volume: v.ID}, nil
		}
	}
	if strings.Trim(s, "0123456789abcdef") != "" {
		return api.Quota{}, fmt.Errorf("no volume %s on the hub", quoted(s))
	}
	id, err := findID(s, "clients", func() ([]api.ClientID, error) { return clientIDs(ctx, h) })
	return api.Quota{Client: id}, err
}

// quotaNow returns the quota that there is of what about is about, about when there is none.
func quotaNow(ctx context.Context, h api.Hub, about api.Quota) (api.Quota, error) {
	list, err := h.Quotas(ctx)
	for _, q := range list {
		if q.Volume == about.Volume && q.Client == about.Client {
			return q, nil
		}
	}
	return about, err
}

// printQuotas prints quotas with what is used of them.
func (a *app) printQuotas(ctx context.Context, h api.Hub, quotas []api.Quota) error {
	names, err := volumeNames(ctx, h)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.out.stdout, 0, 0, 2, ' ', 0)
	for _, q := range quotas {
		if a.out.json {
			a.out.object(struct {
				Type string `json:"type"`
				Name string `json:"name,omitempty"` // of the volume
				api.Quota
			}{"quota", names[q.Volume], q})
			continue
		}
		about := "volume " + names.of(q.Volume)
		if !q.Client.IsZero() {
			about = "client " + q.Client.String()
		}
		fmt.Fprintf(w, "%s\t%s\n", about, usedText(q))
	}
	return w.Flush()
}

// usedText returns for people what is used of a quota: "1.2 GiB of 10.0 GiB, 7 files".
func usedText(q api.Quota) string {
	if q.Bytes == 0 && q.Files == 0 {
		return "no quota"
	}
	bytes, files := size(q.Used.Bytes), count(q.Used.Files, "file")
	if q.Bytes > 0 {
		bytes += " of " + size(q.Bytes)
	}
	if q.Files > 0 {
		files += " of " + number(q.Files)
	}
	return bytes + ", " + files
}

// bound is a flag's value that is a number, of bytes and maybe with a unit where unit says so, or none.
type bound struct {
	unit  bool
	given bool
	n     int64 // 0: none
}

// over returns the bound in place of a former.
func (b *bound) over(former int64) int64 {
	if b.given {
		return b.n
	}
	return former
}

// Set implements [pflag.Value].
func (b *bound) Set(s string) error {
	digits, shift := s, 0
	if last := len(s) - 1; b.unit && last > 0 {
		if i := strings.IndexByte("KMGT", strings.ToUpper(s)[last]); i >= 0 {
			digits, shift = s[:last], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case s == "none":
		n = 0
	case b.unit && (err != nil || n < 1 || n > math.MaxInt64>>shift):
		return errors.New("not a number of bytes like 500M, 10G or 2T, nor none")
	case err != nil || n < 1:
		return errors.New("not a number of files like 1000, nor none")
	}
	b.given, b.n = true, n<<shift
	return nil
}

// String implements [pflag.Value].
func (b *bound) String() string {
	if b.n == 0 {
		return "none"
	}
	return strconv.FormatInt(b.n, 10)
}

// Type implements [pflag.Value].
func (b *bound) Type() string { return "bound" }
