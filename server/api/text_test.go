package api_test

import (
	"strings"
	"testing"

	"dfs/server/api"
)

func TestBlot(t *testing.T) {
	token, key := string(api.NewToken()), string(api.NewJoinKey())
	for text, want := range map[string]string{
		"":                                  "",
		"DFS_TOKEN_FILE dfs_token_ dfs":     "DFS_TOKEN_FILE dfs_token_ dfs",
		token:                               "dfs_token_…",
		`"` + key + `", ` + token + "ff.":   `"dfs_join_…", dfs_token_….`,
		"x" + token[:20] + "… is no name":   "xdfs_token_…… is no name",
		strings.ToUpper(token[10:]) + token: strings.ToUpper(token[10:]) + "dfs_token_…",
		"dfs_join_ABCdef9 dfs_join_g":       "dfs_join_… dfs_join_g",
	} {
		if got := api.Blot(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if api.IsLabel(text) != (want == text) {
			t.Errorf("%q: a label is %v", want, api.IsLabel(text))
		}
	}
	for _, text := range []string{"a\n", "\x1b[2J", "\xff", "a\u0085"} {
		if api.IsLabel(text) {
			t.Errorf("%q is a label", text)
		}
	}
}
