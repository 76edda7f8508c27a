package main

import "testing"

func TestByteSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1024": 1024, "1K": 1024, "1k": 1024, "500K": 512000, "2M": 2 << 20, "3g": 3 << 30, "2147483647G": 2147483647 << 30,
		"": 0, "K": 0, "1023": 0, "0": 0, "-1M": 0, "1KB": 0, "M2": 0, "1.5M": 0, "2147483648": 0, "9999999999G": 0,
	} {
		var b byteSize
		if err := b.Set(s); (err == nil) != (want > 0) || int64(b) != want {
			t.Errorf("%q: %d, %v", s, b, err)
		}
	}
}
