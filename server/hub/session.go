package hub

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/events"
)

// Bounds of sessions.
const (
	maxAnswers = 4        // commits of a replica whose answers are kept
	maxTracked = 16 << 20 // names of a session of which the hub remembers whether they were there
	maxCommand = 32       // bytes of a command's name
)

// slot is the place of a session: a client's replica has one at a time with a volume. Who starts sessions
// under the ID of another's replica takes none from it.
type slot struct {
	replica api.ReplicaID
	volume  cas.VolumeID
	owner   api.ClientID // who started it; zero: the process itself
}

// session is a run of the cycle as the hub sees it.
type session struct {
	id   api.SessionID
	slot slot
	now  func() time.Time
	bus  *events.Bus // hears of what the session does, in order

	mu      sync.Mutex
	rec     slotRecord // as stored last, but for State
	stored  bool       // rec is in the metadata
	state   api.State
	started time.Time
	active  time.Time
	calls   int  // under way: a session does not expire meanwhile
	sealed  bool // a commit is under way
	began   bool // the first blobs are coming
	blobs   int64
	bytes   int64
	parts   map[int]*part
	tracked int // length of the parts' lacking

	additions map[*addition]struct{} // what calls under way are about to add
	abandoned int64                  // of bytes: counted as left

	stage sync.Mutex // held while parts are written, read for a commit, or dropped
}

// part is what is known about a staged part.
type part struct {
	slices  int
	adds    api.Usage // what its edits bring
	lacking []bool    // by the names of its edits: seen absent; nil: none was looked up
}

// begin takes the session to state to(its state) for a call, which ends with done.
func (s *session) begin(to func(api.State) api.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(to)
}

func (s *session) enter(to func(api.State) api.State) error {
	if s.state == api.Expired {
		return refuse(api.ErrNoSession, "session %v has expired; start again", s.id)
	}
	if s.state == api.Aborted {
		return refuse(api.ErrState, "session %v was aborted on the hub; to run the command again starts anew", s.id)
	}
	next := to(s.state)
	if s.sealed || !s.move(next) {
		return refuse(api.ErrState, "session %v is %s, which does not allow %s", s.id, s.state, next)
	}
	s.active = s.now()
	s.calls++
	return nil
}

// move takes the session to a state if that is legal, which it reports, and says so on the bus.
// Nothing else changes the state. The caller holds mu.
func (s *session) move(to api.State) bool {
	if !may(s.state, to) {
		return false
	}
	if from := s.state; from != to {
		s.state = to
		s.publishMove(from)
	}
	return true
}

// opened says on the bus that the session is there.
func (s *session) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishMove("")
}

func (s *session) publishMove(from api.State) {
	s.bus.Publish(events.SessionStateChanged{
		Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume, From: from, To: s.state, At: s.now().UTC(),
	})
}

func (s *session) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
	s.active = s.now()
}

// served ends a call that brought a pull something. When none is under way the pull applies what it has.
func (s *session) served() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
	s.active = s.now()
	if s.calls == 0 && !s.sealed {
		s.move(api.ApplyingChanges)
	}
}

// applying takes the session, whose commit lacks no blob, on to its tree.
func (s *session) applying() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(api.ApplyingChanges)
	if s.blobs == 0 {
		return
	}
	now := s.now()
	s.bus.Publish(events.UploadCompleted{
		Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume,
		Blobs: s.blobs, Bytes: s.bytes, Duration: now.Sub(s.started).Seconds(), At: now.UTC(),
	})
}

// left returns how long the session may still be without progress before it expires: less than
// zero when its time is over, all of idle when a call is under way or it has ended.
func (s *session) left(idle time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended(s.state) || s.calls > 0 {
		return idle
	}
	return idle - s.now().Sub(s.active)
}

// expire ends the session if it is live and made no progress for idle. It returns what to say
// once all is dropped that the session staged, and whether it did.
func (s *session) expire(idle time.Duration) (events.SessionExpired, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := events.SessionExpired{
		Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume,
		State: s.state, Active: s.active.UTC(), Parts: len(s.parts), At: s.now().UTC(),
	}
	return e, s.calls == 0 && s.now().Sub(s.active) > idle && s.move(api.Expired)
}

// stale reports whether the session has ended, keep ago or earlier.
func (s *session) stale(keep time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ended(s.state) && s.calls == 0 && s.now().Sub(s.active) >= keep
}

// sizeOf returns the plain bytes of blobs.
func sizeOf(blobs []cas.Blob) (bytes int64) {
	for _, b := range blobs {
		bytes += int64(b.Size())
	}
	return bytes
}

// progress counts stored blobs.
func (s *session) progress(blobs []cas.Blob) {
	if len(blobs) == 0 {
		return
	}
	bytes := sizeOf(blobs)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs += int64(len(blobs))
	s.bytes += bytes
	s.bus.Publish(events.BlobsReceived{
		Session: s.id, Replica: s.slot.replica, Volume: s.slot.volume, Blobs: int64(len(blobs)), Bytes: bytes,
		TotalBlobs: s.blobs, TotalBytes: s.bytes, At: s.now().UTC(),
	})
}

// staged returns how many parts are there from the first on.
func (s *session) staged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for s.parts[n] != nil {
		n++
	}
	return n
}

// track takes note of a staged part, and within the session's bound of what it lacked.
func (s *session) track(n int, p *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.parts[n]; old != nil {
		s.tracked -= len(old.lacking)
	}
	if s.tracked+len(p.lacking) > maxTracked {
		p.lacking = nil
	}
	s.tracked += len(p.lacking)
	s.parts[n] = p
	s.stored = true
}

// partDeletes returns the writes that delete the staged parts.
func (s *session) partDeletes() []kv {
	s.mu.Lock()
	defer s.mu.Unlock()
	var writes []kv
	for n, p := range s.parts {
		for i := range p.slices {
			writes = append(writes, kv{key: sliceKey(partKey(s.id, n), i)})
		}
	}
	return writes
}

// seal begins a commit, which ends with unseal: until then other calls are kept out.
func (s *session) seal() error {
	s.mu.Lock()
	err := s.enter(func(api.State) api.State { return api.ResolvingConflicts })
	s.sealed = err == nil
	s.mu.Unlock()
	if err == nil {
		s.stage.Lock()
	}
	return err
}

// unseal ends what seal began. A session that was not committed goes on.
func (s *session) unseal() {
	s.stage.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = false
	s.calls--
	s.active = s.now()
	s.move(api.TransferringFiles)
}

// finished returns the record of the session once the commit with key is done, and
// the keys of commits whose answers are no longer kept.
func (s *session) finished(key cas.VolumeID) (rec slotRecord, outdated []cas.VolumeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec = s.rec
	rec.State = api.Complete
	answers := append(slices.Clone(rec.Answers), key)
	n := max(len(answers)-maxAnswers, 0)
	rec.Answers = answers[n:]
	return rec, answers[:n]
}

// close ends the session, whose parts are deleted and whose record is stored.
func (s *session) close(rec slotRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec, s.stored = rec, true
	s.parts, s.tracked = make(map[int]*part), 0
	s.move(rec.State)
}

// again resumes a live session for a client that starts again, and reports false
// when it has ended or is of another run.
func (s *session) again(req *api.StartRequest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended(s.state) || s.rec.Run != req.Run {
		return false
	}
	s.rec.Seen, s.rec.Heard, s.rec.Client, s.rec.Command = req.Seen, req.Heard, req.Client, req.Command
	s.active = s.now()
	return true
}

// abort ends a live session for another run of its client. It reports whether the
// session was live; while a commit is under way it does nothing.
func (s *session) abort() (live, sealed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return true, true
	}
	return s.move(api.Aborted), false
}

// record returns the session's record as it is now, and whether one is stored.
func (s *session) record() (slotRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.rec
	rec.State = s.state
	return rec, s.stored
}

// of reports whether the session is the caller's: who started it, or the process itself.
func (s *session) of(c *api.Caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c == nil || s.rec.Owner == c.Client && !c.Client.IsZero()
}

func (s *session) kept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = true
}

func (s *session) part(n int) *part {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[n]
}

func (s *session) seen() cas.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec.Seen
}

func (s *session) heard() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec.Heard
}

func (s *session) client() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec.Client
}

func (s *session) info() api.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return api.SessionInfo{
		ID: s.id, Replica: s.slot.replica, Volume: s.slot.volume,
		Client: s.rec.Client, Command: s.rec.Command, State: s.state,
		Started: s.started, Active: s.active, Blobs: s.blobs, Bytes: s.bytes, Parts: len(s.parts), Owner: s.rec.Owner,
	}
}

func randomID() (id cas.VolumeID) {
	rand.Read(id[:])
	return id
}
