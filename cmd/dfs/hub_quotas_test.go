package main

import (
	"math"
	"testing"

	"dfs/server/api"
)

func TestBound(t *testing.T) {
	for text, want := range map[string]int64{
		"none": 0, "1": 1, "500K": 500 << 10, "2m": 2 << 20, "10G": 10 << 30, "3T": 3 << 40, "9223372036854775807": math.MaxInt64, "8388607T": 8388607 << 40,
	} {
		b := bound{unit: true}
		if err := b.Set(text); err != nil || b.n != want || b.over(7) != want {
			t.Errorf("%s: %d, %v", text, b.n, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "K", "1.5G", "8388608T", "9223372036854775808", "10X", "G10", "nothing"} {
		b := bound{unit: true}
		if err := b.Set(text); err == nil || b.over(7) != 7 {
			t.Errorf("%q is %d", text, b.n)
		}
	}
	files := bound{}
	if err := files.Set("1K"); err == nil {
		t.Error("1K files")
	}
}

func TestUsedText(t *testing.T) {
	for want, q := range map[string]api.Quota{
		"no quota":                    {Used: api.Usage{Bytes: 5, Files: 1}},
		"5 B of 1.0 KiB, 1 file":      {Bytes: 1 << 10, Used: api.Usage{Bytes: 5, Files: 1}},
		"0 B, 1,200 files of 1,000":   {Files: 1000, Used: api.Usage{Files: 1200}},
		"5 B of 1.0 MiB, 1 file of 2": {Bytes: 1 << 20, Files: 2, Used: api.Usage{Bytes: 5, Files: 1}},
	} {
		if got := usedText(q); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
