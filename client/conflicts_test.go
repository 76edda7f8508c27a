package client

import (
	"errors"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

func TestPick(t *testing.T) {
	one, two := api.ReplicaID{1}, api.ReplicaID{2}
	var list []api.Conflict
	for i, c := range []api.Conflict{
		{Path: "docs/a.txt", Replica: one}, {Path: "docs/b.txt", Replica: one}, {Path: "docs/b.txt", Replica: two},
		{Path: "docs/sub/c.md", Replica: two}, {Path: "x[1]", Replica: two}, {Path: "y", Replica: one}, {Path: "y", Replica: two},
		{Path: "z/[a].txt", Replica: one}, {Path: "z/a.txt", Replica: one}, {Path: "z/sub/[a].txt/in", Replica: one},
	} {
		c.ID = cas.Sum([]byte{byte(i)})
		list = append(list, c)
	}
	for _, test := range []struct {
		own    api.ReplicaID
		within string
		args   []string
		want   string // indexes, or usage
	}{
		{one, "", []string{"docs/a.txt"}, "[0]"},
		{one, "docs", []string{"a.txt"}, "[0]"},
		{one, "docs", []string{"docs/a.txt"}, "[0]"},
		{one, "docs/sub", []string{"../a.txt"}, "[0]"},
		{one, "", []string{"docs"}, "[0 1 3]"},
		{two, "", []string{"docs/"}, "[0 2 3]"},
		{one, "", []string{"docs/*.txt", "y"}, "[0 1 5]"},
		{one, "", []string{"x[1]"}, "[4]"},
		{one, "", []string{"*"}, "[0 1 3 4 5 7 8 9]"},
		{one, "z", []string{"[a].txt"}, "[7]"},
		{one, "", []string{"z/[ab].txt"}, "[8]"},
		{one, "", []string{"z/[a].t[x]t"}, "[8]"},
		{one, "z/sub", []string{"[a].txt"}, "[9]"},
		{one, "docs", []string{"."}, "[0 1 3]"},
		{one, "", []string{"."}, "[0 1 3 4 5 7 8 9]"},
		{one, "docs", []string{".."}, "[0 1 3 4 5 7 8 9]"},
		{one, "w", []string{"."}, "usage"},
		{one, "", relative("/r", "", []string{"/r/docs/a.txt", "/r/y"}), "[0 5]"},
		{one, "docs", relative("/r", "docs", []string{"/r/y", "a.txt"}), "[0 5]"},
		{one, "docs", relative("/r", "docs", []string{"/r"}), "[0 1 3 4 5 7 8 9]"},
		{one, "", relative("/r", "", []string{"/other/y"}), "usage"},
		{one, "", []string{list[6].ID.Short()}, "[6]"},
		{one, "", []string{list[5].ID.String(), list[6].ID.Short(), "docs/sub"}, "[3 5 6]"},
		{api.ReplicaID{3}, "", []string{"y"}, "usage"},
		{one, "", []string{list[6].ID.Short()[:7]}, "usage"},
		{one, "", []string{"docs/a.txt", "nosuch"}, "usage"},
		{one, "", []string{"doc"}, "usage"},
	} {
		picked, err := pick(list, test.own, test.within, test.args)
		var got []int
		for _, p := range picked {
			for i, c := range list {
				if c.ID == p.ID {
					got = append(got, i)
				}
			}
		}
		text := fmt.Sprint(got)
		var usage *UsageError
		if errors.As(err, &usage) {
			text = "usage"
		}
		if text != test.want {
			t.Errorf("pick(%q in %q) = %s, want %s (%v)", test.args, test.within, text, test.want, err)
		}
	}
}
