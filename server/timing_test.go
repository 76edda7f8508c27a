package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// maxT is the |t| up to which two sets of times are taken for the same.
const maxT = 4.5

// TestTimesTellNothing asks DFS_PAIRS times for what is absent and for what another volume has, in a
// random order, uploads both too, and compares how long the answers take by Welch's t-test.
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
		b := m.randomChunk(1000)
		m.upload(session, b)
		refs[0][i] = cas.Ref{Kind: cas.Chunk, ID: cas.Sum([]byte(b.ID().String()))}
		refs[1][i] = b.Ref()
	}
	own := m.strange()
	volumes := [2]cas.VolumeID{newID(), m.volume.ID}
	for path, request := range map[string]func(side, i int) (query, contentType string, body []byte){
		"/api/sync/diff": func(side, i int) (string, string, []byte) {
			msg, err := (&api.DiffRequest{Session: own, Ask: refs[side][i : i+1]}).Append(nil)
			return asMessage(t, msg, err)
		},
		"/api/chunks/get": func(side, i int) (string, string, []byte) {
			return asMessage(t, (&api.BlobsRequest{Volume: m.code.ID, Refs: refs[side][i : i+1]}).Append(nil), nil)
		},
		"/api/sync/status": func(side, _ int) (string, string, []byte) {
			return "?volume=" + volumes[side].String(), "", nil
		},
	} {
		compare(t, path, pairs, func(side int) time.Duration {
			query, contentType, body := request(side, rand.IntN(blobs))
			return m.time(path+query, contentType, body)
		})
	}
	for _, size := range []int{1000, 64 << 10, cas.MaxSize} {
		compare(t, fmt.Sprintf("/api/file/upload of %d bytes", size), min(pairs, uploadBytes/size), m.uploads(size))
	}
}

// uploadBytes bounds the bytes of the uploads of one size and side.
const uploadBytes = 1 << 30

// compare measures some 2*pairs times, of a side drawn for each, and fails when those of
// the sides differ. A time of more than twice the median of all, in which the machine did
// something else, counts as that.
func compare(t *testing.T, what string, pairs int, measure func(side int) time.Duration) {
	t.Helper()
	var times [2][]float64 // in nanoseconds
	for n := range 2 * pairs {
		side := rand.IntN(2)
		took := measure(side)
		if n > pairs/10 {
			times[side] = append(times[side], float64(took.Nanoseconds()))
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(times[0], times[1])))
	most := 2 * all[len(all)/2]
	absent, theirs := sampleOf(times[0], most), sampleOf(times[1], most)
	got := absent.t(theirs)
	t.Logf("%s: absent %.0f ns, not yours %.0f ns, t = %.2f", what, absent.mean, theirs.mean, got)
	if math.Abs(got) > maxT {
		t.Errorf("%s: the times differ", what)
	}
}

// uploads returns a measure of uploads of one chunk each, which the hub lacks (side 0) or
// has for another volume (side 1). What goes there is sent again much later, when it is no
// more in the processor's caches than what is absent.
func (m *matrix) uploads(size int) func(side int) time.Duration {
	theirs, own := m.session(writer), m.strange()
	var queue [][2]cas.Blob
	prepare := func() {
		next := [2]cas.Blob{m.randomChunk(size), m.randomChunk(size)}
		m.upload(theirs, next[1])
		queue = append(queue, next)
	}
	for range min(1024, 64<<20/size) {
		prepare()
	}
	return func(side int) time.Duration {
		prepare()
		sent := queue[0][side]
		queue = queue[1:]
		took := m.time("/api/file/upload?session="+own.String(), api.Binary, frames(sent))
		var got cas.Ref
		err := m.hub.Blobs(m.t.Context(), api.BlobsRequest{Volume: m.code.ID, Refs: []cas.Ref{sent.Ref()}},
			func(b cas.Blob) error { got = b.Ref(); return nil })
		if err != nil || got != sent.Ref() {
			m.t.Fatalf("uploaded %v, got %v, %v", sent.Ref(), got, err)
		}
		return took
	}
}

// randomChunk returns a chunk that was never there.
func (m *matrix) randomChunk(size int) cas.Blob {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], rand.Uint64())
	data := make([]byte, size)
	if _, err := rand.NewChaCha8(seed).Read(data); err != nil {
		m.t.Fatal(err)
	}
	return cas.Seal(cas.Chunk, data)
}

// upload uploads to a session of the volume, as its writer.
func (m *matrix) upload(session api.SessionID, b cas.Blob) {
	m.t.Helper()
	if err := m.hub.Upload(api.WithCaller(m.t.Context(), m.who[writer]), session, []cas.Blob{b}); err != nil {
		m.t.Fatal(err)
	}
}

// strange starts a session of the other volume, as its caller.
func (m *matrix) strange() api.SessionID {
	m.t.Helper()
	req := m.startRequest()
	req.Volume = m.code.ID
	own, err := m.hub.Start(api.WithCaller(m.t.Context(), m.who[other]), req)
	if err != nil {
		m.t.Fatal(err)
	}
	return own.Session
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

// sample is the number of values, their mean, and the variance of the mean.
type sample struct{ n, mean, variance float64 }

// sampleOf returns the sample of values, of which none counts as more than most.
func sampleOf(values []float64, most float64) sample {
	s := sample{n: float64(len(values))}
	for _, x := range values {
		s.mean += min(x, most) / s.n
	}
	for _, x := range values {
		delta := min(x, most) - s.mean
		s.variance += delta * delta / (s.n - 1) / s.n
	}
	return s
}

// t is Welch's t of two samples.
func (s sample) t(o sample) float64 { return (s.mean - o.mean) / math.Sqrt(s.variance+o.variance) }
