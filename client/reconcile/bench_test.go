package reconcile

import (
	"testing"

	"dfs/manifest"
)

// BenchmarkPull decides about one path, by what happened to it.
func BenchmarkPull(b *testing.B) {
	x, y, z := file("x", 1, 0o644), file("y", 2, 0o644), file("z", 3, 0o644)
	for _, c := range []struct {
		name                string
		base, local, remote *manifest.Manifest
		want                Action
	}{
		{"unchanged", x, file("x", 1, 0o644), file("x", 1, 0o644), Nothing},
		{"added there", nil, nil, y, Apply},
		{"edited there", x, file("x", 1, 0o644), y, Apply},
		{"same edit", x, y, file("y", 2, 0o644), Advance},
		{"merged", x, file("x", 1, 0o600), y, Apply},
		{"conflict", x, y, z, Conflict},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Pull(c.base, c.local, c.remote); got.Action != c.want {
					b.Fatal(got)
				}
			}
		})
	}
}
