package server_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"dfs/manifest"
)

// TestDownloadRanges asks for several ranges at once, of a file with pages.
func TestDownloadRanges(t *testing.T) {
	s := newShelf(t)
	content := noise(300_000)
	m, blobs := fileOf(t, content, 1111)
	s.put(t, map[string]*manifest.Manifest{"f": m}, blobs...)
	for range 50 {
		var spec []string
		var want [][]byte
		for range 2 + rand.IntN(4) {
			from := rand.IntN(len(content))
			to := min(from+rand.IntN(20_000), len(content)-1)
			spec = append(spec, fmt.Sprintf("%d-%d", from, to))
			want = append(want, content[from:to+1])
		}
		resp, data := s.get(t, "GET", "f", "", "Range", "bytes="+strings.Join(spec, ", "))
		kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil || resp.StatusCode != 206 || kind != "multipart/byteranges" || resp.ContentLength != int64(len(data)) {
			t.Fatalf("%v: %s %v", spec, resp.Status, resp.Header)
		}
		parts := multipart.NewReader(bytes.NewReader(data), params["boundary"])
		for i := range want {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(part)
			if err != nil || !bytes.Equal(got, want[i]) || part.Header.Get("Content-Range") != fmt.Sprintf("bytes %s/300000", spec[i]) {
				t.Fatalf("%v: part %d: %d bytes, %v, %v", spec, i, len(got), part.Header, err)
			}
		}
		if _, err := parts.NextRawPart(); err != io.EOF {
			t.Errorf("%v: more parts: %v", spec, err)
		}
	}
}
