package feed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
)

// numbered returns event number n.
func numbered(n int) events.Event {
	return events.ClientRegistered{Name: string(rune('a' + n%26)), Client: cas.VolumeID{byte(n >> 8), byte(n)}}
}

func number(t interface{ Fatal(...any) }, e feed.Entry) int {
	var form events.ClientRegistered
	if err := json.Unmarshal(e.Data, &form); err != nil {
		t.Fatal(err)
	}
	return int(form.Client[0])<<8 | int(form.Client[1])
}

// running returns a feed of a bus, and what waits until all that was published is in it.
func running(t *testing.T, size int) (*feed.Feed, *events.Bus) {
	f, bus := feed.New(size), new(events.Bus)
	go f.Run(context.Background(), events.Subscribe[events.Event](bus, 1<<16))
	t.Cleanup(bus.Close)
	return f, bus
}

// TestReaders: whatever is published and read in whichever order, a reader that goes on by IDs gets
// each event once and in order, or is told how many it missed; and it misses none that is kept.
func TestReaders(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			size := rapid.IntRange(1, 6).Draw(r, "size")
			f, bus := feed.New(size), new(events.Bus)
			go f.Run(context.Background(), events.Subscribe[events.Event](bus, 1<<16))
			published, known := 0, 0
			id := f.ID(f.End())
			read := func(most int) {
				at, ok := f.Parse(id)
				if !ok {
					r.Fatalf("ID %s is none", id)
				}
				entries, next, lost, _ := f.Read(at, make([]feed.Entry, 0, most))
				if want := max(published-known-size, 0); int(lost) != want {
					r.Fatalf("%d lost, not %d", lost, want)
				}
				known += int(lost)
				for _, e := range entries {
					if n := number(r, e); n != known {
						r.Fatalf("event %d, not %d", n, known)
					}
					known++
				}
				id = f.ID(next)
			}
			for range rapid.IntRange(0, 40).Draw(r, "steps") {
				if rapid.Bool().Draw(r, "publish") {
					bus.Publish(numbered(published))
					published++
					synctest.Wait()
				} else {
					read(rapid.IntRange(1, 4).Draw(r, "most"))
				}
			}
			read(published + 1)
			if known != published {
				r.Fatalf("%d of %d are known", known, published)
			}
			bus.Close()
			synctest.Wait()
		})
	})
}

func TestForeignIDs(t *testing.T) {
	f, g := feed.New(1), feed.New(1)
	for _, id := range []string{"", "0", "zz", g.ID(0), f.ID(1), f.ID(0)[:30], f.ID(0) + "00"} {
		if at, ok := f.Parse(id); ok {
			t.Errorf("%q is the position %d", id, at)
		}
	}
	if once, again := f.ID(0), f.ID(0); once == again || len(once) != 32 {
		t.Errorf("%s, %s", once, again)
	}
}

// TestWaiting: who has read all is woken by the next event, and by the end.
func TestWaiting(t *testing.T) {
	f, bus := running(t, 3)
	wait := func(at feed.Position) ([]feed.Entry, feed.Position) {
		t.Helper()
		for {
			entries, next, _, more := f.Read(at, make([]feed.Entry, 0, 9))
			if more == nil {
				return entries, next
			}
			<-more
		}
	}
	bus.Publish(events.VolumeCreated{Volume: cas.VolumeID{1}})
	got, at := wait(0)
	if len(got) != 1 || got[0].Type != "volume_created" || got[0].Volume != (cas.VolumeID{1}) || !got[0].Scoped {
		t.Errorf("%+v", got)
	}
	go bus.Publish(numbered(1))
	if got, at = wait(at); len(got) != 1 || got[0].Scoped {
		t.Errorf("%+v", got)
	}
	go bus.Close()
	if got, _ := wait(at); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestStrangersPushNothingOut has somebody unknown make many requests, which are refused: what was told before is kept, and
// the refusals are told with their number, the first at once. Those of clients are told one by one.
func TestStrangersPushNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, bus := feed.New(12), new(events.Bus)
		go f.Run(context.Background(), events.Subscribe[events.Event](bus, 1<<16))
		var at feed.Position
		want := func(want ...string) {
			t.Helper()
			synctest.Wait()
			entries, next, lost, _ := f.Read(at, make([]feed.Entry, 0, 20))
			at = next
			var got []string
			for _, e := range entries {
				var form struct {
					Type, Route, Code string
					Count             int
				}
				if err := json.Unmarshal(e.Data, &form); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(form.Type, form.Route, " ", form.Code, form.Count))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) || lost != 0 {
				t.Errorf("%q and %d lost, not %q", got, lost, want)
			}
		}
		refuse := func(times int, code api.Code, routes ...string) {
			for n := range times {
				bus.Publish(events.RequestRefused{Anonymous: true, Code: code, Route: routes[n%len(routes)]})
			}
		}
		bus.Publish(events.VolumeCreated{})
		refuse(1000, "a", "/x", "/y")
		refuse(500, "b", "/x")
		want("request_refused/x a0", "request_refused/x b0", "volume_created 0")
		time.Sleep(9 * time.Second)
		want()
		time.Sleep(time.Second)
		want("request_refused a999", "request_refused/x b499")
		refuse(3, "b", "/x")
		want()
		time.Sleep(10 * time.Second)
		want("request_refused/x b3")
		refuse(2, "a", "/x")
		want("request_refused/x a0")
		bus.Publish(events.RequestRefused{Route: "/x", Code: "c"})
		bus.Publish(events.RequestRefused{Route: "/x", Code: "c"})
		want("request_refused/x c0", "request_refused/x c0")
		bus.Close()
		want("request_refused/x a1")
	})
}
