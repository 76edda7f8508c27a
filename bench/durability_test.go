package bench_test

import (
	"bytes"
	"strings"
	"testing"

	"dfs/bench/peer"
	"dfs/bench/report"
)

// TestDurabilityIsTold holds the table to say of each tool what it syncs.
func TestDurabilityIsTold(t *testing.T) {
	tools := []string{"dfs"}
	for _, p := range peer.All() {
		tools = append(tools, p.Name)
	}
	for _, tool := range tools {
		var out bytes.Buffer
		if err := report.Table(&out, report.Set{Records: []report.Record{{Tool: tool, Wall: 1}}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "\ndurability, "+tool+": ") {
			t.Errorf("nothing is said of %s", tool)
		}
	}
}
