package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/manifest"
	"dfs/server/api"
	"dfs/server/events"
)

// content returns n files of one byte each, with the blob of all.
func content(names ...string) (edits, cas.Blob) {
	m, b := file("x")
	want := edits{}
	for _, name := range names {
		want[name] = m
	}
	return want, b
}

// wantQuota fails the test unless err is a refusal for a quota that says all the texts.
func wantQuota(t *testing.T, err error, says ...string) {
	t.Helper()
	wantError(t, err, api.ErrQuota)
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v: does not say %q", err, text)
		}
	}
}

func TestQuotaOfVolume(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	three, x := content("a", "b", "c")
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v, Bytes: 3, Files: 4}); err != nil {
		t.Fatal(err)
	}
	c.must(t, three, x)
	head := c.seen
	more, _ := content("d")
	_, err := c.commit(t.Context(), more, x)
	wantQuota(t, err, `quota of volume "docs"`, "3 bytes, of which 3 bytes are used, and 4 bytes")
	_, err = c.commit(t.Context(), edits{"l": link("a"), "m": link("b")})
	wantQuota(t, err, "4 files, of which 3 files are used, and 5 files")
	c.mustPull(t)
	if c.seen != head {
		t.Error("a commit above the quota moved the head")
	}
	c.must(t, edits{"l": link("a"), "dir": dir(0o755, 1)}) // just within it; directories are no files

	// In place of others, and a volume that is above its quota may shrink.
	c.must(t, edits{"a": nil, "d": more["d"]}, x)
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v, Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	c.must(t, edits{"b": nil})
	_, err = c.commit(t.Context(), edits{"b": more["d"]}, x)
	wantQuota(t, err, "1 bytes, of which 2 bytes are used, and 3 bytes")
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v}); err != nil {
		t.Fatal(err)
	}
	c.must(t, edits{"b": more["d"]}, x)
	mustCheck(t, h, v)
}

// TestQuotaOfSessions holds what two sessions stage together against a quota.
func TestQuotaOfSessions(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v, Bytes: 3}); err != nil {
		t.Fatal(err)
	}
	stage := func(c *client, s api.SessionID, part int, names ...string) error {
		want, _ := content(names...)
		_, err := h.Diff(t.Context(), api.DiffRequest{Session: s, Part: part, Edits: c.build(want)})
		return err
	}
	start := func(c *client) api.SessionID {
		s, err := c.start(t.Context(), randomID())
		if err != nil {
			t.Fatal(err)
		}
		return s.Session
	}
	a, b := newClient(h, v), newClient(h, v)
	first, second := start(a), start(b)
	for _, names := range [][]string{{"a", "b"}, {"c", "d"}} { // a part takes the place of the former
		if err := stage(a, first, 0, names...); err != nil {
			t.Fatal(err)
		}
	}
	wantQuota(t, stage(b, second, 0, "e", "f"), "3 bytes, of which 0 bytes are used, and 4 bytes are waiting")
	if err := stage(b, second, 0, "e"); err != nil {
		t.Fatal(err)
	}
	if err := h.Report(t.Context(), first, api.Failed); err != nil {
		t.Fatal(err)
	}
	if err := stage(b, second, 1, "f", "g"); err != nil {
		t.Errorf("after the other session has ended: %v", err)
	}
	big := cas.Seal(cas.Chunk, make([]byte, chunker.Max))
	for range uploadSlack / chunker.Max {
		if err := h.Upload(t.Context(), second, []cas.Blob{big}); err != nil {
			t.Fatal(err)
		}
	}
	wantQuota(t, h.Upload(t.Context(), second, []cas.Blob{big}), "waiting")
	_, err := h.Commit(t.Context(), api.CommitRequest{Session: second, Key: randomID(), Blobs: []cas.Blob{big}})
	wantQuota(t, err, "waiting")
}

// TestQuotaOfParallelParts stages in many sessions at once what a quota allows one of.
func TestQuotaOfParallelParts(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v, Files: 3}); err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	var all, ready sync.WaitGroup
	ready.Add(12)
	for n := range 12 {
		c := newClient(h, v)
		s, err := c.start(t.Context(), randomID())
		if err != nil {
			t.Fatal(err)
		}
		want, _ := content(fmt.Sprint("a", n), fmt.Sprint("b", n), fmt.Sprint("c", n))
		req := api.DiffRequest{Session: s.Session, Edits: c.build(want)}
		all.Go(func() {
			ready.Done()
			ready.Wait()
			_, err := h.Diff(t.Context(), req)
			if err == nil {
				taken.Add(1)
			} else if !errors.Is(err, api.ErrQuota) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d sessions staged 3 files each, of a quota of 3", taken.Load())
	}
}

// TestQuotaOfWhatIsLeft: what ended sessions sent counts until commits of the volume come to as much, within three times the quota.
func TestQuotaOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v, Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	c := newClient(h, v)
	big := cas.Seal(cas.Chunk, make([]byte, chunker.Max))
	fill := func() (sent int, err error) {
		s, err := c.start(t.Context(), randomID())
		if err != nil {
			t.Fatal(err)
		}
		for ; err == nil; sent++ {
			err = h.Upload(t.Context(), s.Session, []cas.Blob{big})
		}
		if report := h.Report(t.Context(), s.Session, api.Aborted); report != nil {
			t.Fatal(report)
		}
		return sent - 1, err
	}
	const most = uploadSlack / chunker.Max
	for range maxLeft {
		sent, err := fill()
		wantQuota(t, err, "are waiting for a commit")
		if sent != most {
			t.Errorf("a session sent %d blobs, not %d", sent, most)
		}
	}
	sent, err := fill()
	wantQuota(t, err, "with those of runs that ended without a commit")
	if sent > 0 {
		t.Errorf("%d blobs more were taken", sent)
	}
	one, x := content("a")
	c.must(t, one, x)
	h.redeem(h.volumes[v], uploadSlack)
	if sent, _ := fill(); sent == 0 {
		t.Error("after commits nothing may be sent")
	}
}

// TestQuotasAreToldOf says on the bus which quota a request met.
func TestQuotasAreToldOf(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	if err := o.SetQuota(t.Context(), api.Quota{Volume: o.volume, Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	owner := api.ClientID{7}
	as := api.WithCaller(t.Context(), &api.Caller{Client: owner, Grants: api.Grants{All: api.RightWrite}})
	theirs, err := o.CreateVolume(as, "theirs", randomID())
	if err == nil {
		err = o.SetQuota(t.Context(), api.Quota{Client: owner, Files: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	told, toldOfClients := events.Subscribe[events.QuotaExceeded](o.bus, 0), events.Subscribe[events.ClientQuotaExceeded](o.bus, 0)
	two, x := content("a", "b")
	_, err = o.client.commit(t.Context(), two, x)
	wantQuota(t, err)
	_, err = newClient(o.Hub, theirs.ID).commit(t.Context(), two, x)
	wantQuota(t, err)
	s, err := newClient(o.Hub, theirs.ID).start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Diff(t.Context(), api.DiffRequest{Session: s.Session, Edits: o.client.build(two)})
	wantQuota(t, err, "waiting")
	at := o.clock.now().UTC()
	wantEvents(t, told, events.QuotaExceeded{Volume: o.volume, Of: "bytes", Limit: 1, Wanted: 2, At: at})
	wantEvents(t, toldOfClients,
		events.ClientQuotaExceeded{Client: owner, To: theirs.ID, Of: "files", Limit: 1, Wanted: 2, At: at},
		events.ClientQuotaExceeded{Client: owner, To: theirs.ID, Of: "files", Limit: 1, Wanted: 2, At: at})
}

// TestQuotaOfClient bounds all volumes that a client made, whoever fills them.
func TestQuotaOfClient(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	owner := api.ClientID{7}
	as := api.WithCaller(t.Context(), &api.Caller{Client: owner, Grants: api.Grants{All: api.RightWrite}})
	var clients []*client
	for i := range 2 {
		v, err := h.CreateVolume(as, fmt.Sprint(i), randomID())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, newClient(h, v.ID))
	}
	other := newClient(h, newTestVolume(t, h))
	if err := h.SetQuota(as, api.Quota{Client: owner, Bytes: 5}); !isError(err, api.ErrForbidden) {
		t.Errorf("a client sets its own quota: %v", err)
	}
	if err := h.SetQuota(t.Context(), api.Quota{Client: owner, Bytes: 2}); err != nil {
		t.Fatal(err)
	}
	one, x := content("a")
	two, _ := content("a", "b")
	clients[0].must(t, one, x)
	_, err := clients[1].commit(t.Context(), two, x)
	wantQuota(t, err, "quota of client", "2 bytes, of which 1 bytes are used, and 3 bytes")
	clients[1].must(t, one, x)
	other.must(t, two, x)
	list, err := h.Quotas(as)
	if want := (api.Usage{Bytes: 2, Files: 2, Entries: 2}); err != nil || len(list) != 1 || list[0].Used != want || list[0].Client != owner {
		t.Errorf("%+v, %v", list, err)
	}
	stranger := api.WithCaller(t.Context(), &api.Caller{Client: api.ClientID{8}})
	if list, err := h.Quotas(stranger); err != nil || len(list) != 0 {
		t.Errorf("a stranger sees %+v, %v", list, err)
	}
}

// TestQuotasStay opens a hub again, with a volume of which what it holds is not recorded.
func TestQuotasStay(t *testing.T) {
	t.Parallel()
	folder, mem := t.TempDir(), &cas.Mem{}
	opts := Options{Store: func(string) (cas.Store, error) { return mem, nil }}
	h, err := Open(folder, opts)
	if err != nil {
		t.Fatal(err)
	}
	v := newTestVolume(t, h)
	c := newClient(h, v)
	two, x := content("a", "b")
	c.must(t, two, x)
	if err := h.SetQuota(t.Context(), api.Quota{Volume: v, Bytes: 2}); err != nil {
		t.Fatal(err)
	}
	rec, err := put(volumeKey(v), volumeRecord{Name: "docs", Head: c.seen})
	if err == nil {
		err = h.meta.write(rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = open(t, folder, opts)
	mustCheck(t, h, v)
	c.hub = h
	_, err = c.commit(t.Context(), edits{"c": two["a"]}, x)
	wantQuota(t, err, "2 bytes, of which 2 bytes are used")
}

func TestQuotasThatAreNone(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	for _, q := range []api.Quota{{Bytes: 1}, {Volume: v, Client: v, Bytes: 1}, {Volume: v, Bytes: -1}, {Volume: v, Files: -1}} {
		if err := h.SetQuota(t.Context(), q); !isError(err, api.ErrInvalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	wantError(t, h.SetQuota(t.Context(), api.Quota{Volume: randomID(), Bytes: 1}), api.ErrNotFound)
}

func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	limits := api.DefaultLimits()
	limits.Entries = 3
	h := openTest(t, t.TempDir(), nil, Options{Limits: limits})
	c := newClient(h, newTestVolume(t, h))
	c.must(t, edits{"d": dir(0o755, 1), "d/a": empty(1), "d/b": link("a")})
	_, err := c.commit(t.Context(), edits{"c": empty(1)})
	wantError(t, err, api.ErrTooLarge)
	if !strings.Contains(err.Error(), "4 entries, more than 3") {
		t.Error(err)
	}
	c.must(t, edits{"c": empty(1), "d/a": nil})
}

func TestSessionsOfAClientAreBounded(t *testing.T) {
	t.Parallel()
	limits := api.DefaultLimits()
	limits.ClientSessions = 2
	h := openTest(t, t.TempDir(), nil, Options{Limits: limits})
	v := newTestVolume(t, h)
	start := func(id byte) error {
		ctx := api.WithCaller(context.Background(), &api.Caller{Client: api.ClientID{id}, Grants: api.Grants{All: api.RightWrite}})
		_, err := newClient(h, v).start(ctx, randomID())
		return err
	}
	for range 2 {
		if err := start(1); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, start(1), api.ErrTooMany)
	if err := start(2); err != nil {
		t.Errorf("another client: %v", err)
	}
}

// TestHugeFiles adds and removes declared sizes whose sum is no number of 64 bits.
func TestHugeFiles(t *testing.T) {
	huge := &manifest.Manifest{Kind: manifest.File, Size: 1<<63 - 1}
	var g growth
	for range 5 {
		g.add(api.Usage{}, usageOf(huge))
	}
	if after := g.of(api.Usage{Bytes: 5}); after.Bytes <= maxBytes || after.Files != 5 {
		t.Errorf("%+v", after)
	}
}
