package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dfs/cas"
	"dfs/cas/badgerstore"
	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/events"
)

// DefaultIdle is how long a session lives without progress.
const DefaultIdle = 5 * time.Minute

// Options are the choices of Open. The zero Options are good.
type Options struct {
	Idle  time.Duration                       // how long a session lives without progress; 0: DefaultIdle
	Now   func() time.Time                    // the clock of sessions and records; nil: time.Now
	Store func(dir string) (cas.Store, error) // opens the store of blobs in dir; nil: badgerstore

	Limits api.Limits // zero: api.DefaultLimits; its SessionTimeout is what Idle says

	Events *events.Bus // hears of what happens; nil: none. Not closed by the hub

	Attempts access.Limits // of failed ones to authenticate or register; zero: access.DefaultLimits
}

// Hub is the server side of dfs in one process. It implements [api.Hub] and [api.Admin] and is
// safe for concurrent use.
type Hub struct {
	id    cas.VolumeID
	dir   string
	lock  *os.File
	store cas.Store
	meta  *meta
	users *access.Registry
	idle  time.Duration
	now   func() time.Time

	opened time.Time

	events *events.Bus
	limits api.Limits

	poison *poison

	mu        sync.Mutex
	closed    bool
	closing   chan struct{} // closed with the hub, for those that wait
	volumes   map[cas.VolumeID]*volume
	quotas    map[quotaOf]quotaRecord
	fulfilled chan struct{} // closed when a volume's promise ends, and replaced
	sessions  map[api.SessionID]*session
	slots     map[slot]*session
	admitting sync.Mutex     // held from the sum of what is staged to the addition
	starting  sync.Mutex     // held by who gives a session its place or takes it, and by CreateVolume
	calls     sync.WaitGroup // and the goroutine that expires sessions
}

var (
	_ api.Hub   = (*Hub)(nil)
	_ api.Admin = (*Hub)(nil)
)

// Open opens the repository in dir, and makes it if dir is empty or not there. The
// repository is locked until [Hub.Close]: ErrLocked when another process has it.
// One of an unknown format is refused and left as it is. The layout is in the
// package comment.
func Open(dir string, opts Options) (*Hub, error) {
	lock, rec, err := claim(dir)
	if err != nil {
		return nil, err
	}
	h := &Hub{
		id: rec.HubID, dir: dir, lock: lock, idle: opts.Idle, now: opts.Now, events: opts.Events, poison: &poison{},
		volumes:   make(map[cas.VolumeID]*volume),
		quotas:    make(map[quotaOf]quotaRecord),
		fulfilled: make(chan struct{}),
		limits:    opts.Limits,
		sessions:  make(map[api.SessionID]*session),
		slots:     make(map[slot]*session),
		closing:   make(chan struct{}),
	}
	if h.idle == 0 {
		h.idle = DefaultIdle
	}
	if h.limits == (api.Limits{}) {
		h.limits = api.DefaultLimits()
	}
	h.limits.SessionTimeout = int(h.idle / time.Second)
	if h.now == nil {
		h.now = time.Now
	}
	h.opened = h.now().UTC()
	if opts.Store == nil {
		opts.Store = openBlobs
	}
	if err := h.open(dir, opts.Store, opts.Attempts); err != nil {
		return nil, errors.Join(err, h.release())
	}
	h.calls.Go(h.tend)
	return h, nil
}

func openBlobs(dir string) (cas.Store, error) {
	return badgerstore.Open(dir, badgerstore.Options{})
}

func (h *Hub) open(dir string, openStore func(string) (cas.Store, error), attempts access.Limits) error {
	var err error
	if h.meta, err = openMeta(filepath.Join(dir, "meta"), h.poison); err != nil {
		return err
	}
	if h.users, err = access.Open(accessStore{h.meta}, access.Options{Now: h.now, Limits: attempts}); err != nil {
		return err
	}
	if h.store, err = openStore(filepath.Join(dir, "blobs")); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if store, ok := h.store.(roomy); ok {
		h.meta.full = store.Full
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	if err := h.loadVolumes(); err != nil {
		return err
	}
	if err := h.loadQuotas(); err != nil {
		return err
	}
	if err := h.repairConflicts(); err != nil {
		return err
	}
	if err := h.nameConflicts(); err != nil {
		return err
	}
	return h.loadSessions()
}

// Close waits for the calls under way, but for a head that is waited for, closes the stores and unlocks the repository.
// Further calls fail with ErrBusy. Only the first Close does anything.
func (h *Hub) Close() error {
	h.mu.Lock()
	closed := h.closed
	h.closed = true
	h.mu.Unlock()
	if closed {
		return nil
	}
	close(h.closing)
	h.calls.Wait()
	return h.release()
}

func (h *Hub) release() error {
	var errs []error
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	if h.meta != nil {
		errs = append(errs, h.meta.close())
	}
	// The lock goes last, and its holder's name stays: it says who was last.
	return errors.Join(append(errs, unlock(h.lock), h.lock.Close())...)
}

// enter begins a call, which ends with leave.
func (h *Hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return refuse(api.ErrBusy, "the hub is closed")
	}
	h.calls.Add(1)
	return nil
}

func (h *Hub) leave() { h.calls.Done() }

// Info implements [api.Hub].
func (h *Hub) Info(ctx context.Context, volume string) (api.Info, error) {
	info := api.Info{HubID: h.id, Protocol: api.ProtocolVersion, Limits: h.limits, Client: api.CallerOf(ctx).ID()}
	if volume == "" {
		return info, nil
	}
	found, err := h.Volumes(ctx, volume)
	if len(found) > 0 {
		info.Volume = &found[0]
	}
	return info, err
}

// writable refuses writes after an I/O error.
func (h *Hub) writable() error { return h.poison.err() }

// stopped remembers that the store stopped.
func (h *Hub) stopped(err error) error {
	if errors.Is(err, cas.ErrPoisoned) {
		h.poison.set(err)
	}
	return err
}

// barrier makes the store durable. Its end cannot be left open, so it does not end with ctx.
func (h *Hub) barrier(ctx context.Context) error {
	if err := h.store.Barrier(context.WithoutCancel(ctx)); err != nil {
		h.poison.set(err)
	}
	return h.poison.err()
}

// refuse returns an error of a kind with a message of its own.
func refuse(kind *api.Error, format string, args ...any) error {
	return &api.Error{Code: kind.Code, Message: fmt.Sprintf(format, args...)}
}

// wire returns err as one that is or wraps an *api.Error, but for the end of a context.
func wire(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e := api.AsError(err); e != api.ErrInternal {
		return e
	}
	return fmt.Errorf("%w: %w", api.ErrInternal, err)
}
