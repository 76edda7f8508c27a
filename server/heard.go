package server

import (
	"io"
	"net/http"
	"time"

	"dfs/server/api"
)

// heardEvery is how often at most Options.Progress hears of a body.
const heardEvery = 100 * time.Millisecond

// A heardBody is a request's body of whose bytes Options.Progress hears once the session is known.
type heardBody struct {
	r        io.Reader
	session  api.SessionID // zero: not known yet
	progress func(api.SessionID)
	last     time.Time // that it heard
}

// heard returns the body of a request that is for the session.
func (s *server) heard(r *http.Request, session api.SessionID) *heardBody {
	return &heardBody{r: r.Body, session: session, progress: func(id api.SessionID) {
		if s.opts.Progress != nil {
			s.opts.Progress(r.Context(), id)
		}
	}}
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if now := time.Now(); n > 0 && !b.session.IsZero() && now.Sub(b.last) >= heardEvery {
		b.last = now
		b.progress(b.session)
	}
	return n, err
}
