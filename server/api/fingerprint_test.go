package api_test

import (
	"strings"
	"testing"

	"dfs/server/api"
)

func TestParseFingerprint(t *testing.T) {
	digits := strings.Repeat("0a", 32)
	for _, s := range []string{"sha256:" + digits, digits, " SHA256:" + strings.ToUpper(digits) + "\n"} {
		if got, err := api.ParseFingerprint(s); err != nil || got != "sha256:"+digits {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "sha256:", digits[2:], digits + "00", "sha1:" + digits, "sha256:" + strings.Repeat("x", 64)} {
		if got, err := api.ParseFingerprint(s); err == nil {
			t.Errorf("%q: %q", s, got)
		}
	}
}
