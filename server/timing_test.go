package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// maxT is the |t| up to which two sets of times are taken for the same.
const maxT = 4.5

// TestTimesTellNothing asks DFS_PAIRS times for what is absent and for what another volume has, in a
// random order, and compares how long the answers take by Welch's t-test.
func TestTimesTellNothing(t *testing.T) {
	pairs, err := strconv.Atoi(os.Getenv("DFS_PAIRS"))
	if err != nil {
		t.Skip("takes a quiet machine, and DFS_PAIRS=100000")
	}
	m := newMatrix(t, true)
	const blobs = 1024
	var refs [2][blobs]cas.Ref // absent, not yours
	session := m.session(writer)
	for i := range blobs {
		b := cas.Seal(cas.Chunk, binary.LittleEndian.AppendUint64(make([]byte, 1000), rand.Uint64()))
		if err := m.hub.Upload(api.WithCaller(t.Context(), m.who[writer]), session, []cas.Blob{b}); err != nil {
			t.Fatal(err)
		}
		refs[0][i] = cas.Ref{Kind: cas.Chunk, ID: cas.Sum([]byte(b.ID().String()))}
		refs[1][i] = b.Ref()
	}
	req := m.startRequest()
	req.Volume = m.code.ID
	own, err := m.hub.Start(api.WithCaller(t.Context(), m.who[other]), req)
	if err != nil {
		t.Fatal(err)
	}
	volumes := [2]cas.VolumeID{newID(), m.volume.ID}
	for name, request := range map[string]func(side, i int) (path, contentType string, body []byte){
		"/api/sync/diff": func(side, i int) (string, string, []byte) {
			msg, err := (&api.DiffRequest{Session: own.Session, Ask: refs[side][i : i+1]}).Append(nil)
			return asMessage(t, msg, err)
		},
		"/api/chunks/get": func(side, i int) (string, string, []byte) {
			return asMessage(t, (&api.BlobsRequest{Volume: m.code.ID, Refs: refs[side][i : i+1]}).Append(nil), nil)
		},
		"/api/sync/status": func(side, _ int) (string, string, []byte) {
			return "?volume=" + volumes[side].String(), "", nil
		},
	} {
		var times [2]sample
		for n := range 2 * pairs {
			side, i := rand.IntN(2), rand.IntN(blobs)
			query, contentType, body := request(side, i)
			took := m.time(name+query, contentType, body)
			if n > pairs/10 {
				times[side].add(took)
			}
		}
		got := times[0].t(&times[1])
		t.Logf("%s: absent %.0f ns, not yours %.0f ns, t = %.2f", name, times[0].mean, times[1].mean, got)
		if math.Abs(got) > maxT {
			t.Errorf("%s: the times differ", name)
		}
	}
}

// time asks as the caller of another volume, and returns how long the answer takes.
func (m *matrix) time(target, contentType string, body []byte) time.Duration {
	m.t.Helper()
	method := http.MethodGet
	if contentType != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.url+target, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(m.tokens[other]))
	req.Header.Set("Content-Type", contentType)
	began := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	took := time.Since(began)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		m.t.Fatal(err)
	}
	return took
}

// sample is a mean and a variance under way. A time far above what is usual, in which the
// machine did something else, counts as four times that.
type sample struct{ n, mean, squares float64 }

func (s *sample) add(d time.Duration) {
	x := float64(d.Nanoseconds())
	if s.n > 100 {
		x = min(x, 4*s.mean)
	}
	s.n++
	delta := x - s.mean
	s.mean += delta / s.n
	s.squares += delta * (x - s.mean)
}

// t is Welch's t of two samples.
func (s *sample) t(o *sample) float64 {
	return (s.mean - o.mean) / math.Sqrt(s.squares/(s.n-1)/s.n+o.squares/(o.n-1)/o.n)
}
