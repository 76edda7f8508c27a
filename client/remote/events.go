package remote

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"dfs/cas"
	"dfs/server/api"
)

// An Event is something that happened on a hub.
type Event struct {
	ID   string // of the place after it, where the hub told it
	Type string // as events.Event names it; lost says that events are missing before the next
	Data []byte // its JSON form: see package events
}

const maxEvent = 1 << 20 // bytes of a line of the stream

// Events calls fn for each event that happens on the hub from now on: of one volume, or of all that
// the caller may see if v is zero. Opened is called once the hub has begun to tell. Where the connection was cut it
// goes on after the last event. It ends with the error of fn, of ctx, or of a hub that cannot be reached or refuses.
// The event is fn's.
func (h *Hub) Events(ctx context.Context, v cas.VolumeID, opened func(), fn func(Event) error) error {
	t := &tail{hub: h, opened: opened, fn: fn, query: url.Values{}}
	if !v.IsZero() {
		t.query = volumeQuery(v)
	}
	return h.persist(ctx, func() (moved bool, err error) {
		before := t.count
		err = h.send(ctx, api.OpEvents, t.query, nil, t.read)
		return t.count > before, err
	})
}

// tail is a call of Events.
type tail struct {
	hub    *Hub
	opened func()
	fn     func(Event) error
	query  url.Values
	count  int // positions that the hub has told
}

// read reads one answer to its end, which is an error in any case.
func (t *tail) read(resp *http.Response) error {
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var e Event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Type = value
		case "data":
			e.Data = []byte(value)
		}
		if lines.Text() != "" {
			continue
		}
		if err := t.take(e); err != nil {
			return err
		}
		e = Event{}
	}
	err := lines.Err()
	if err == nil {
		err = io.EOF
	}
	return &transient{err: fmt.Errorf("%s: events: %w", t.hub.base, err)}
}

// take takes note of the position and delivers what is an event.
func (t *tail) take(e Event) error {
	if e.Data != nil {
		if err := t.fn(e); err != nil {
			return err
		}
	}
	if e.ID == "" {
		return nil
	}
	t.query.Set("after", e.ID)
	if t.count++; t.count == 1 {
		t.opened()
	}
	return nil
}
