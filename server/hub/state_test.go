package hub

import (
	"strings"
	"testing"

	"dfs/server/api"
	"dfs/server/events"
)

// transitions says what may follow each state of a session, in the order of states: "x" is
// legal, "." is not.
var transitions = map[api.State]string{
	//                       I C R T S A c f e a b
	api.Idle:               "x x x x x x x x x x x",
	api.ComputingDiff:      ". x x x x x x x x x x",
	api.RequestingMetadata: ". . x x x x x x x x x",
	api.TransferringFiles:  ". . . x x x x x x x x",
	api.ResolvingConflicts: ". . x x x x x x x x x",
	api.ApplyingChanges:    ". . x x x x x x x x x",
	api.Complete:           ". . . . . . . . . . .",
	api.Failed:             ". . . . . . . . . . .",
	api.Expired:            ". . . . . . . . . . .",
	api.Aborted:            ". . . . . . . . . . .",
	api.Braked:             ". . . . . . . . . . .",
}

// TestTransitions tries each state after each: a legal change is made and told once, another
// is refused and leaves all as it was.
func TestTransitions(t *testing.T) {
	t.Parallel()
	var bus events.Bus
	defer bus.Close()
	sub := events.Subscribe[events.Event](&bus, 0)
	now := newClock()
	h := &Hub{now: now.now, events: &bus}
	for _, from := range states {
		if ended(from) != from.Ended() {
			t.Errorf("%s: ended %v, for clients %v", from, ended(from), from.Ended())
		}
		row := strings.Fields(transitions[from])
		for i, to := range states {
			s := h.newSession(slot{replica: randomID(), volume: randomID()}, slotRecord{Session: randomID(), State: from})
			err := s.begin(func(api.State) api.State { return to })
			if row[i] != "x" {
				kind := api.ErrState
				if from == api.Expired {
					kind = api.ErrNoSession
				}
				wantError(t, err, kind)
				if s.state != from || s.calls != 0 {
					t.Errorf("%s after %s was refused: %s, %d calls", to, from, s.state, s.calls)
				}
				wantEvents(t, sub)
				continue
			}
			if err != nil || s.state != to {
				t.Errorf("%s after %s: %s: %v", to, from, s.state, err)
			}
			if from == to {
				wantEvents(t, sub)
				continue
			}
			wantEvents(t, sub, events.SessionStateChanged{
				Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume, From: from, To: to, At: now.now().UTC(),
			})
		}
	}
}
