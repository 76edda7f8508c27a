package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"dfs/client"
)

// TestUnfinishedSync: what a sync that came to no rest says, for people and for programs.
func TestUnfinishedSync(t *testing.T) {
	for _, json := range []bool{false, true} {
		for _, unfinished := range []bool{false, true} {
			var stdout, stderr bytes.Buffer
			a := &app{env: map[string]string{"HOME": t.TempDir()}, out: output{stdout: &stdout, stderr: &stderr, json: json}}
			code, err := a.transfer(t.Context(), "sync", &runFlags{}, []string{t.TempDir()}, func(context.Context, client.Config) (*client.Result, error) {
				res := &client.Result{Summary: client.Summary{Type: "summary", Unfinished: unfinished}}
				if unfinished {
					res.Problems = []client.Problem{{Path: "f", Err: errors.New("changed")}}
				}
				return res, nil
			})
			if err != nil || (code == exitIncomplete) != unfinished || !json && strings.Contains(stderr.String(), "run dfs sync again") != unfinished ||
				json && strings.Contains(stdout.String(), `"unfinished":true`) != unfinished {
				t.Errorf("json %v, unfinished %v: exit %d, %v\n%s%s", json, unfinished, code, err, &stdout, &stderr)
			}
		}
	}
}
