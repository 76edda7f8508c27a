package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// secrets are what no program may print, but for the commands that give them out.
var secrets = regexp.MustCompile(`dfs_(token|join)_[0-9a-f]{64}`)

// giving are the commands that give secrets out.
var giving = regexp.MustCompile(`dfs hub (init|invite|tokens rotate)\b`)

// checkOutput looks for secrets in the log of a script: lines "> command" with what each printed.
func checkOutput(log string) error {
	command := ""
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "> ") {
			command = line
		}
		if secrets.MatchString(line) && (line == command || !giving.MatchString(command)) {
			return fmt.Errorf("a secret was printed after %q", command)
		}
	}
	return nil
}

// scanned is a test that fails when a script's log shows a secret.
type scanned struct{ *testing.T }

// Run implements [testscript.T].
func (s scanned) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(scanned{t}) })
}

// Verbose implements [testscript.T]: the log is whole.
func (s scanned) Verbose() bool { return true }

// Log implements [testscript.T].
func (s scanned) Log(args ...any) {
	s.T.Helper()
	log := fmt.Sprint(args...)
	if err := checkOutput(log); err != nil {
		s.T.Error(err)
	}
	s.T.Log(log)
}

func TestCheckOutput(t *testing.T) {
	token := "dfs_token_" + strings.Repeat("0a", 32)
	for log, ok := range map[string]bool{
		"> exits 0 dfs hub invite\n[stdout]\n" + token + "\n":                         true,
		"> exits 0 dfs hub invite\n[stdout]\n" + token + "\n> exec cat f\n[stdout]\n": true,
		"> exits 0 dfs push a\n[stderr]\ndfs: " + token + "\n":                        false,
		"> exits 0 dfs hub tokens\n[stdout]\n" + token:                                false,
		"> env DFS_TOKEN=" + token + "\n":                                             false,
		"> exits 0 dfs hub invite " + token + "\n":                                    false,
	} {
		if err := checkOutput(log); (err == nil) != ok {
			t.Errorf("%q: %v", log, err)
		}
	}
}
