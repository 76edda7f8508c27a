package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"dfs/cas"
	"dfs/client/replica"
	"dfs/client/state"
	"dfs/client/worktree"
	"dfs/server/api"
)

// A run is one push, pull, sync or inspection at work.
type run struct {
	cfg       Config
	command   string
	began     time.Time
	root      *worktree.Root
	known     state.Registry
	id        replica.Identity
	binding   replica.Binding
	conn      Conn
	session   api.StartAnswer
	ended     bool                // the session; its Head is then what the commit made that ended it, if one did
	unsent    []string            // paths at which the pull of a sync left something here for a push
	reruled   bool                // the pull of a sync changed what is ignored here
	clashes   map[string]struct{} // of a sync: the paths that conflict in this round
	index     *worktree.Index
	clock     clock
	sight     *sight // of the last survey
	leftovers []worktree.Leftover
	excludes  []byte // the replica's own patterns
	meter     *meter
	closers   []func()
	scope     *worktree.Scope     // of a survey of the directory's changes; nil: everything
	outside   int64               // files of the base that it leaves out
	logs      map[Side]*changeLog // of changes that are to be listed
	moves     *contents           // of changes that were counted; nil: not noted

	mu     sync.Mutex // guards result's Problems and Skipped
	result *Result
}

func newRun(cfg Config, command string) *run {
	if cfg.Jobs < 1 {
		cfg.Jobs = runtime.GOMAXPROCS(0)
	}
	if cfg.Codec == nil {
		cfg.Codec = cas.NewCodec(cas.CompressFast)
	}
	r := &run{cfg: cfg, command: command, began: time.Now(), meter: newMeter(cfg.Report), known: state.Open(cfg.State), logs: map[Side]*changeLog{}}
	r.result = &Result{Summary: Summary{Type: "summary", Command: command, DryRun: cfg.DryRun}}
	return r
}

// open prepares a run on cfg.Dir: the directory's lock, its identity and
// binding (made when new), the hub and a session there.
func open(ctx context.Context, cfg Config, command string) (_ *run, err error) {
	r := newRun(cfg, command)
	defer func() {
		if err != nil {
			r.over(ctx, err)
			r.close()
		}
	}()
	if err := r.openRoot(); err != nil {
		return nil, err
	}
	if replica.Exists(r.cfg.Dir) {
		err = r.openKnown(ctx)
	} else {
		err = r.openNew(ctx)
	}
	if err != nil {
		return nil, err
	}
	return r, r.start(ctx)
}

func (r *run) close() {
	r.dropLogs()
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

// openRoot opens the directory. One that is not there is made by a pull once its volume is found.
func (r *run) openRoot() (err error) {
	if r.cfg.Dir, err = filepath.Abs(r.cfg.Dir); err != nil {
		return err
	}
	dir := r.cfg.Dir
	if !replica.Exists(dir) {
		if err := r.checkKnown(); err != nil {
			return err
		}
		if err := insideReplica(dir, r.command); err != nil {
			return err
		}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.command == "pull" && !r.cfg.DryRun:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &UsageError{fmt.Sprintf("%s does not exist", dir)}
	case err != nil:
		return err
	case !info.IsDir():
		return &UsageError{fmt.Sprintf("%s is not a directory", dir)}
	}
	return r.openTree()
}

func (r *run) openTree() (err error) {
	if r.root, err = worktree.Open(r.cfg.Dir); err != nil {
		return err
	}
	r.clock.root = r.root
	r.root.OnStep(r.cfg.onStep)
	r.root.OnWait(r.waiting)
	r.closers = append(r.closers, func() { r.root.Close() })
	return nil
}

func (r *run) lock(ctx context.Context) error {
	unlock, err := r.root.Lock(ctx, r.cfg.Wait, "dfs "+r.command)
	var locked *worktree.LockedError
	if errors.As(err, &locked) {
		return &BusyError{What: "the replica " + r.cfg.Dir, Holder: locked.Holder}
	}
	if err != nil {
		return err
	}
	r.closers = append(r.closers, unlock)
	if err := r.root.RestoreDirectories(); err != nil {
		return err
	}
	if err := replica.Sweep(r.cfg.Dir); err != nil {
		return err
	}
	if r.index, err = worktree.OpenIndex(r.root.StateDir()); err != nil {
		return err
	}
	r.closers = append(r.closers, func() { r.index.Close() })
	return nil
}

func (r *run) dial(ctx context.Context, location string) (err error) {
	if r.conn, err = r.cfg.Dial(ctx, location); err != nil {
		return err
	}
	r.closers = append(r.closers, func() { r.conn.Close() })
	r.result.Hub = location
	return nil
}

// openKnown opens a directory that is a replica already.
func (r *run) openKnown(ctx context.Context) (err error) {
	if err := r.lock(ctx); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	if v := r.cfg.Volume; v != "" && v != r.binding.Volume && !r.cfg.Rebind {
		return &UsageError{fmt.Sprintf("%s is a replica of the volume %q, not %q; use another directory for another volume", r.cfg.Dir, r.binding.Volume, v)}
	}
	location := r.binding.Location
	if r.cfg.Hub != "" {
		location = r.cfg.Hub
	}
	return r.dial(ctx, location)
}

// openNew makes the directory a replica. The binding, with the ID of a volume
// that is to be made, is written before the volume is, so that a run that is
// interrupted in between goes on with the same volume.
func (r *run) openNew(ctx context.Context) error {
	location := r.cfg.Hub
	if location == "" {
		location = r.cfg.NewHub
	}
	if err := r.dial(ctx, location); err != nil {
		return err
	}
	b := replica.Binding{Volume: r.cfg.Volume}
	if b.Volume == "" {
		b.Volume = filepath.Base(r.cfg.Dir)
	}
	if err := r.choose(ctx, &b); err != nil {
		return err
	}
	switch {
	case b.VolumeID.IsZero():
		b.VolumeID = replica.NewID()
	case r.cfg.Volume == "":
		return r.takenName(b.Volume)
	}
	if r.cfg.DryRun {
		return &UsageError{fmt.Sprintf("%s is not a replica yet, and --dry-run makes nothing; run dfs %s without it first", r.cfg.Dir, r.command)}
	}
	return r.bind(ctx, b)
}

func (r *run) bind(ctx context.Context, b replica.Binding) (err error) {
	if r.root == nil {
		if err := os.MkdirAll(r.cfg.Dir, 0o777); err != nil {
			return err
		}
		if err := r.openTree(); err != nil {
			return err
		}
	}
	if err := r.lock(ctx); err != nil {
		return err
	}
	if replica.Exists(r.cfg.Dir) {
		return &BusyError{What: "the replica " + r.cfg.Dir, Holder: "another dfs that has just made it"}
	}
	if err := replica.DropBase(r.cfg.Dir); err != nil { // of a replica whose identity is lost
		return err
	}
	if err := replica.Bind(r.cfg.Dir, b); err != nil {
		return err
	}
	if _, err := replica.Create(r.cfg.Dir); err != nil {
		return err
	}
	return r.load()
}

// start opens the session at the hub and volume that the replica is bound to or, with
// Rebind, to which it is bound from now on.
func (r *run) start(ctx context.Context) (err error) {
	if v := r.cfg.Volume; v != "" && v != r.binding.Volume {
		err = r.rebind(ctx)
	}
	if err == nil {
		err = r.begin(ctx)
	}
	var brake *BrakeError
	if r.cfg.Rebind && errors.As(err, &brake) && brake.rebinds {
		if err = r.rebind(ctx); err == nil {
			err = r.begin(ctx)
		}
	}
	return err
}

// begin opens the session. A replica that has seen nothing of its volume yet has a push or
// a sync make it.
func (r *run) begin(ctx context.Context) error {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return err
	}
	base.Close()
	heard, err := replica.Heard(r.cfg.Dir)
	if err != nil {
		return err
	}
	req := api.StartRequest{
		Protocol: api.ProtocolVersion, Replica: r.id.Replica, Volume: r.binding.VolumeID, Run: replica.NewID(),
		Client: r.cfg.Host, Command: r.command, Seen: base.Snapshot, SeenSeq: base.Seq, Heard: heard,
	}
	if (r.command == "push" || r.command == "sync") && req.Seen.IsZero() {
		req.Create, req.Hub = r.binding.Volume, r.binding.HubID
	}
	r.session, err = r.conn.Start(ctx, req)
	r.ended = false
	switch {
	case errors.Is(err, api.ErrNotFound):
		err = r.noVolume(ctx, req.Seen, err)
	case errors.Is(err, api.ErrExists):
		err = r.joinVolume(ctx, req)
	}
	if err != nil {
		return fmt.Errorf("volume %q: %w", r.binding.Volume, err)
	}
	if err := r.checkHub(r.session.HubID); err != nil {
		return err
	}
	return r.checkHistory(base.Seen, r.session.Head, r.session.SeenOK)
}

// joinVolume opens the session where another client has made a volume of the name since it was asked for:
// of that one, if the name was given.
func (r *run) joinVolume(ctx context.Context, req api.StartRequest) (err error) {
	if r.cfg.Volume == "" {
		return r.takenName(r.binding.Volume)
	}
	if err := r.rebind(ctx); err != nil {
		return err
	}
	req.Volume, req.Create = r.binding.VolumeID, ""
	r.session, err = r.conn.Start(ctx, req)
	return err
}

// takenName refuses to join a volume that was not named.
func (r *run) takenName(volume string) error {
	return &UsageError{fmt.Sprintf("the hub has a volume %q already; to join it: dfs %s --volume %s %s", volume, r.command, shellWord(volume), shellWord(r.cfg.Dir))}
}

// committed takes note of the head that a commit made or found, which ended the session.
func (r *run) committed(head api.Head) { r.session.Head, r.ended = head, true }

// noVolume says why the hub lacks the volume: it may be another hub.
func (r *run) noVolume(ctx context.Context, seen cas.ID, missing error) error {
	info, err := r.conn.Info(ctx, "")
	if err != nil {
		return err
	}
	if err := r.checkHub(info.HubID); err != nil {
		return err
	}
	if !seen.IsZero() {
		return r.volumeGone()
	}
	return missing
}

// finish completes the summary with what the whole run tells.
func (r *run) finish() *Result {
	s := &r.result.Summary
	r.meter.fill(s)
	if r.conn != nil {
		t := r.conn.Traffic()
		s.BytesSent, s.BytesReceived, s.Requests, s.Retries = t.Sent, t.Received, t.Requests, t.Retries
	}
	s.Conflicts = int64(len(r.result.Conflicts))
	s.Skipped = int64(len(r.result.Skipped))
	s.DurationS = time.Since(r.began).Seconds()
	return r.result
}

// shellWord quotes s for a POSIX shell where it needs that.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
