package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dfs/client"
	"dfs/server/api"
)

// cutting is a hub whose connection ends at a commit that settles conflicts: before it, or before its answer.
type cutting struct {
	api.Hub
	left *int // commits until then
	late bool
}

func (c cutting) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	if len(req.Settle) == 0 {
		return c.Hub.Commit(ctx, req)
	}
	if *c.left--; *c.left > 0 {
		return c.Hub.Commit(ctx, req)
	}
	if c.late {
		if _, err := c.Hub.Commit(ctx, req); err != nil {
			return api.CommitAnswer{}, err
		}
	}
	return api.CommitAnswer{}, errLost
}

// TestManySettlementsAreCut settles more conflicts than one commit takes, and is cut at each of the
// commits: the next sync completes it.
func TestManySettlementsAreCut(t *testing.T) {
	if testing.Short() {
		t.Skip("settles some thousand conflicts")
	}
	const most, conflicts = 1024, 1100 // a commit settles so many
	for at := 1; at <= 2; at++ {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit %d, answered %v", at, late), func(t *testing.T) {
				h := openHub(t)
				a, b := t.TempDir(), t.TempDir()
				write := func(dir, text string) {
					for i := range conflicts {
						if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Appendf(nil, text, i), 0o644); err != nil {
							t.Fatal(err)
						}
					}
				}
				write(a, "%d, base")
				succeed(t, client.Push, config(h, a))
				succeed(t, client.Pull, config(h, b))
				write(a, "%d from a")
				write(b, "%d from b, longer")
				succeed(t, client.Push, config(h, a))

				left := at
				cfg := config(cutting{h, &left, late}, b)
				cfg.Conflict = "copy"
				if res, err := client.Sync(t.Context(), cfg); !errors.Is(err, errLost) {
					t.Fatalf("the sync that is cut: %v, %+v", err, res)
				}
				done := (at - 1) * most
				if late {
					done = min(at*most, conflicts)
				}
				cfg = config(h, b)
				cfg.Conflict = "copy"
				res, err := client.Sync(t.Context(), cfg)
				if err != nil || len(res.Conflicts) > 0 || res.Settled != int64(conflicts-done) {
					t.Fatalf("the next sync: %v, %+v, want %d settled", err, res.Summary, conflicts-done)
				}
				succeed(t, client.Sync, config(h, a))
				inA, inB := content(t, a), content(t, b)
				if len(inA) != 2*conflicts || fmt.Sprint(inA) != fmt.Sprint(inB) {
					t.Errorf("a has %d entries, b %d, want %d alike", len(inA), len(inB), 2*conflicts)
				}
				if res, err = client.Sync(t.Context(), cfg); err != nil || res.Added+res.Modified+res.Deleted+res.Settled != 0 {
					t.Errorf("a further sync: %v, %+v", err, res)
				}
			})
		}
	}
}
