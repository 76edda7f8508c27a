package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tempMark = ".dfs-tmp-" // how the names of a pull's temporary files begin
	keptMark = ".dfs-kept-"
)

// writer changes the files of a replica while dfs works in it, and keeps a ledger: the
// states in which each file ever stood, and those that must still be somewhere.
type writer struct {
	t       *testing.T
	who     string
	dir     string
	outside string // on the same file system
	slots   []*slot
	seed    uint64
	from    *writer // whose versions arrive here; nil: nobody else writes here, so nothing need be read

	// mappedTells: a write by way of memory changes a file's times. In tmpfs it does not where the page was read before.
	mappedTells bool

	world sync.RWMutex // held by whoever changes something; held whole, all stands still
	ids   atomic.Int64
	mu    sync.Mutex
	did   map[string]int
}

func newWriter(t *testing.T, h *home, who string, seed uint64) *writer {
	w := &writer{t: t, who: who, dir: h.path(who), outside: h.path("outside-" + who), seed: seed, did: map[string]int{}}
	check(t, os.Mkdir(w.outside, 0o700))
	var fs unix.Statfs_t
	check(t, unix.Statfs(w.outside, &fs))
	w.mappedTells = fs.Type != unix.TMPFS_MAGIC
	for _, dir := range []string{"one", "two", "three", "three/below"} {
		for i := range 15 {
			w.slots = append(w.slots, newSlot(fmt.Sprintf("%s/%02d", dir, i)))
		}
	}
	return w
}

func (w *writer) path(s *slot) string { return filepath.Join(w.dir, s.name) }

func (w *writer) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did[what]++
}

// draw returns the random numbers of one action, which do not depend on others.
func (w *writer) draw() (*rand.Rand, int64) {
	id := w.ids.Add(1)
	return rand.New(rand.NewPCG(w.seed, uint64(id))), id
}

// text draws a new value, of less than a block or of several chunks.
func (w *writer) text() []byte {
	rng, id := w.draw()
	size := 100 + rng.IntN(4<<10)
	switch rng.IntN(8) {
	case 0, 1:
		size = 60<<10 + rng.IntN(240<<10)
	case 2:
		size = 4<<10 + rng.IntN(56<<10)
	}
	return writeText(w.who, id, size)
}

// prepared is what is to take a file's place.
type prepared struct {
	path string
	now  state
	data []byte
}

// prepare makes a file or a symlink outside of the replica.
func (w *writer) prepare(rng *rand.Rand) prepared {
	p := prepared{path: filepath.Join(w.outside, fmt.Sprint("new-", w.ids.Add(1)))}
	if rng.IntN(4) == 0 {
		p.now = linkTo(fmt.Sprintf("value %d of %s", w.ids.Add(1), w.who))
		w.must(os.Symlink(p.now.target, p.path))
		return p
	}
	p.data = w.text()
	p.now = newImage(p.data).state()
	w.must(os.WriteFile(p.path, p.data, 0o644))
	return p
}

func (w *writer) must(err error) {
	if err != nil {
		w.t.Errorf("writer %s: %v", w.who, err)
	}
}

// act does something to a file, unless another does so.
func (w *writer) act(s *slot, rng *rand.Rand) {
	w.world.RLock()
	defer w.world.RUnlock()
	if !s.TryLock() {
		return
	}
	defer s.Unlock()
	switch rng.IntN(8) {
	case 0, 1, 2:
		w.replace(s, w.prepare(rng))
	case 3:
		if w.from == nil {
			w.saveBeside(s)
			return
		}
		w.take(s)
	default:
		w.edit(s, rng)
	}
}

// remove removes what nobody else writes.
func (w *writer) remove(s *slot) {
	s.note(none)
	if err := os.Remove(w.path(s)); !errors.Is(err, os.ErrNotExist) {
		w.must(err)
	}
	s.now, s.data = none, nil
	w.count("removed")
}

// saveBeside replaces a file as editors do, by way of another in its directory.
func (w *writer) saveBeside(s *slot) {
	f, err := os.Create(w.path(s) + ".new")
	if err != nil {
		w.must(err)
		return
	}
	p := &plan{what: "saved beside"}
	p.add(newImage(nil), pieces(0, w.text())...)
	w.carryOut(f, s, p)
	w.must(f.Close())
	w.must(os.Rename(f.Name(), w.path(s)))
}

// replace puts p in the place of whatever stands at a path. Where dfs may do so at the
// same time, that is an exchange, so that what it replaced is known.
func (w *writer) replace(s *slot, p prepared) {
	w.count("replaced")
	s.note(p.now)
	if w.from == nil {
		w.must(os.Rename(p.path, w.path(s)))
		s.now, s.data = p.now, p.data
		return
	}
	for range 100 {
		err := unix.Renameat2(unix.AT_FDCWD, p.path, unix.AT_FDCWD, w.path(s), unix.RENAME_EXCHANGE)
		if err == nil {
			w.cameOut(s, p.path)
			break
		}
		if err = unix.Renameat2(unix.AT_FDCWD, p.path, unix.AT_FDCWD, w.path(s), unix.RENAME_NOREPLACE); err == nil {
			break
		}
		if err != unix.EEXIST {
			w.must(err)
			return
		}
	}
	s.owe(p.now)
}

// take takes away what stands at a path.
func (w *writer) take(s *slot) {
	taken := filepath.Join(w.outside, fmt.Sprint("taken-", w.ids.Add(1)))
	if err := os.Rename(w.path(s), taken); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			w.must(err)
		}
		return
	}
	w.cameOut(s, taken)
	w.count("taken")
}

// cameOut looks at what the writer took out of the replica and nobody misses any more.
func (w *writer) cameOut(s *slot, path string) {
	now, data, err := stateAt(path)
	w.must(err)
	w.must(os.Remove(path))
	w.legal(s, now, data)
	s.disown(now)
}

// legal requires that a state that is found at a path has stood there, on this side or that from which
// it came.
func (w *writer) legal(s *slot, now state, data []byte) {
	if now == none || s.knows(now) {
		return
	}
	if w.from != nil {
		for _, other := range w.from.slots {
			if other.name == s.name && other.knows(now) {
				return
			}
		}
	}
	w.t.Errorf("%s: %s never stood as it is found, with %d bytes: %s", w.who, s.name, len(data), valuesIn(data))
}

// edit changes a file by way of a descriptor.
func (w *writer) edit(s *slot, rng *rand.Rand) {
	f, err := os.OpenFile(w.path(s), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		w.replace(s, w.prepare(rng))
		return
	}
	defer f.Close()
	w.through(f, s, rng)
}

// through edits the file that is open.
func (w *writer) through(f *os.File, s *slot, rng *rand.Rand) {
	old := s.data
	if w.from != nil {
		var err error
		old, err = readOpen(f)
		w.must(err)
	}
	w.carryOut(f, s, w.plan(old, rng))
}

// plan is an edit in steps, each of which a system call does.
type plan struct {
	what   string
	before state
	steps  []piece4k
	states []state // after each
	data   []byte  // in the end
	timed  bool    // the file keeps its time
}

func (p *plan) add(im *image, steps ...piece4k) {
	for _, step := range steps {
		im.write(step)
		p.steps, p.states = append(p.steps, step), append(p.states, im.state())
	}
	p.data = im.data
}

// plan plans to append to a file, to write over it in any order, to truncate and write it, or to change it
// so that it keeps its size and time, which only where nobody else writes.
func (w *writer) plan(old []byte, rng *rand.Rand) *plan {
	im, data := newImage(bytes.Clone(old)), w.text()
	p := &plan{what: "rewritten", before: im.state()}
	steps := pieces(0, data)
	switch rng.IntN(5) {
	case 0:
		p.what = "appended"
		p.add(im, pieces(len(old), data[:min(len(data), 9000)])...)
		return p
	case 1:
		p.what = "truncated"
		p.add(im, append([]piece4k{{}}, steps...)...)
		return p
	case 2:
		if len(data) >= len(old) && len(old) > 0 && w.from == nil {
			p.what, p.timed = "changed unseen", true
			data = data[:len(old)]
			steps = pieces(0, data)
		}
	}
	rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	if len(data) < len(old) {
		steps = slices.Insert(steps, rng.IntN(len(steps)+1), piece4k{off: len(data)})
	}
	p.add(im, steps...)
	return p
}

// carryOut does what is planned, having noted to which states it leads.
func (w *writer) carryOut(f *os.File, s *slot, p *plan) {
	s.note(p.before)
	s.note(p.states...)
	info, err := f.Stat()
	w.must(err)
	for _, step := range p.steps {
		if step.data == nil {
			w.must(f.Truncate(int64(step.off)))
			continue
		}
		_, err := f.WriteAt(step.data, int64(step.off))
		w.must(err)
	}
	if p.timed {
		w.must(os.Chtimes(f.Name(), time.Time{}, info.ModTime()))
	}
	s.now, s.data = p.states[len(p.states)-1], p.data
	w.count(p.what)
	if w.from != nil {
		s.disown(p.before)
		s.owe(s.now)
	}
}

// holder has a file open for writing since before a pull began, and writes when that is
// under way or over.
type holder struct {
	s      *slot
	f      *os.File
	mapped []byte // not nil: f is closed, the file is written by way of memory
	after  int64  // how many of the pull's events
	fire   func()
	fired  chan struct{}
}

// grab opens a file; nil when that cannot be.
func (w *writer) grab(s *slot, rng *rand.Rand) *holder {
	if !s.TryLock() {
		return nil
	}
	f, err := os.OpenFile(w.path(s), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		s.Unlock()
		return nil
	}
	h := &holder{s: s, f: f, after: rng.Int64N(400), fired: make(chan struct{})}
	h.fire = sync.OnceFunc(func() { close(h.fired) })
	if info, err := f.Stat(); err == nil && info.Size() > 0 && rng.IntN(3) == 0 && w.mappedTells {
		h.mapped, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		w.must(err)
		f.Close()
	}
	return h
}

// hold writes once the holder is fired.
func (w *writer) hold(h *holder, rng *rand.Rand) {
	<-h.fired
	w.world.RLock()
	defer w.world.RUnlock()
	defer h.s.Unlock()
	if h.mapped == nil {
		w.through(h.f, h.s, rng)
		w.count("held open")
		w.must(h.f.Close())
		return
	}
	text := w.text()
	p := &plan{what: "held mapped", before: newImage(bytes.Clone(h.mapped)).state()}
	p.add(newImage(bytes.Clone(h.mapped)), pieces(0, text[:min(len(text), len(h.mapped))])...)
	h.s.note(p.states...)
	for _, step := range p.steps {
		copy(h.mapped[step.off:], step.data)
	}
	h.s.disown(p.before)
	h.s.owe(p.states[len(p.states)-1])
	w.count(p.what)
	w.must(unix.Munmap(h.mapped))
}

// note, owe and disown keep the ledger.
func (s *slot) note(states ...state) {
	s.book.Lock()
	defer s.book.Unlock()
	for _, now := range states {
		s.stood[now] = true
	}
}

func (s *slot) knows(now state) bool {
	s.book.Lock()
	defer s.book.Unlock()
	return s.stood[now]
}

func (s *slot) owe(now state) {
	s.note(now)
	s.owed[now] = true
}

func (s *slot) disown(now state) { delete(s.owed, now) }

// watch calls fn with the events below dir until its end.
func (w *writer) watch(mask uint32, dirs []string, fn func(dir, name string, mask uint32)) (end func()) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	check(w.t, err)
	f := os.NewFile(uintptr(fd), "inotify")
	names := map[int32]string{}
	for _, dir := range dirs {
		wd, err := unix.InotifyAddWatch(fd, filepath.Join(w.dir, dir), mask)
		check(w.t, err)
		names[int32(wd)] = dir
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 64<<10)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			for _, e := range parseEvents(buf[:n]) {
				fn(names[e.wd], e.name, e.mask)
			}
		}
	}()
	end = sync.OnceFunc(func() { f.Close(); <-ended })
	w.t.Cleanup(end)
	return end
}

type event struct {
	wd   int32
	mask uint32
	name string
}

func parseEvents(buf []byte) (all []event) {
	for len(buf) >= unix.SizeofInotifyEvent {
		e := event{wd: int32(binary.NativeEndian.Uint32(buf)), mask: binary.NativeEndian.Uint32(buf[4:])}
		n := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		e.name = string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:n], "\x00"))
		all, buf = append(all, e), buf[n:]
	}
	return all
}

// writers are a replica that pushes and one that pulls, each with its writer, and one that only
// looks at what was pushed.
type writers struct {
	t       *testing.T
	h       *home
	a, b    *writer
	c       string
	rng     *rand.Rand
	events  atomic.Int64 // of the pull under way
	mu      sync.Mutex
	holders []*holder
	ready   chan prepared // for the one who strikes in b
	last    string        // path of the last event in b
	near    string        // the file that a pull has placed or removed last, and
	ahead   int           // whether it goes up or down from there
	placed  atomic.Int64
	fresh   int            // directories that were pulled to
	paths   map[string]int // what was reported, by type
	codes   map[string]int
}

// TestWriters: two replicas, of which one pushes and the other pulls, are written to all the time: files are
// appended to, written over, truncated, replaced, and turned into symlinks and back, above all at the moment
// at which dfs is at work on them. What arrives stood there as a whole, and what was written where
// a pull works is not lost. DFS_ROUNDS sets the number of pushes and pulls.
func TestWriters(t *testing.T) {
	rng, seed := seeded(t)
	h := newHome(t, "http")
	w := &writers{t: t, h: h, rng: rng, c: h.path("c"), ready: make(chan prepared, 30), paths: map[string]int{}, codes: map[string]int{}}
	w.a, w.b = newWriter(t, h, "a", seed), newWriter(t, h, "b", seed+1)
	w.b.from = w.a
	began := time.Now()
	w.begin()
	endA := w.a.watch(unix.IN_ACCESS, []string{".", "one", "two", "three", "three/below"}, w.read)
	endB := w.b.watch(unix.IN_CREATE|unix.IN_MOVE|unix.IN_DELETE|unix.IN_MODIFY, []string{".dfs", "one", "two", "three", "three/below"}, w.applied)
	rounds := amount("DFS_ROUNDS", 40)
	for i := range rounds {
		w.round()
		if i%8 == 7 {
			w.rest()
		}
		if t.Failed() {
			t.Logf("round %d", i)
			break
		}
	}
	endA()
	endB()
	w.converge()
	t.Logf("%d rounds in %.1f s; exits %v; reported %v; %d files placed beside the writers", rounds, time.Since(began).Seconds(), w.codes, w.paths, w.placed.Load())
	t.Logf("a did %v", w.a.did)
	t.Logf("b did %v", w.b.did)
}

// begin has both replicas have all files.
func (w *writers) begin() {
	for _, dir := range []string{"one", "two", "three/below"} {
		check(w.t, os.MkdirAll(filepath.Join(w.a.dir, dir), 0o755))
	}
	for _, s := range w.a.slots {
		rng, _ := w.a.draw()
		w.a.replace(s, w.a.prepare(rng))
	}
	w.h.push(0, w.a.dir, "v")
	w.h.pull(0, w.b.dir, "v")
	w.h.pull(0, w.c, "v")
}

// read is told what push reads in a. It strikes that file, while push reads on in it, or another.
func (w *writers) read(dir, name string, mask uint32) {
	rng, _ := w.a.draw()
	at := slices.IndexFunc(w.a.slots, func(s *slot) bool { return s.name == filepath.Join(dir, name) })
	switch {
	case at >= 0 && rng.IntN(4) > 0:
		w.strikeRead(w.a.slots[at], rng)
	case rng.IntN(4) == 0:
		w.a.act(w.a.slots[rng.IntN(len(w.a.slots))], rng)
	}
}

// strikeRead edits a file at once, as was planned.
func (w *writers) strikeRead(s *slot, rng *rand.Rand) {
	w.a.world.RLock()
	defer w.a.world.RUnlock()
	if !s.TryLock() {
		return
	}
	defer s.Unlock()
	if s.armed == nil || s.armed.before != s.now {
		return
	}
	f, err := os.OpenFile(w.a.path(s), os.O_RDWR|unix.O_NOFOLLOW, 0)
	w.a.must(err)
	w.a.carryOut(f, s, s.armed)
	w.a.must(f.Close())
	w.a.count("struck")
}

// arm plans edits of the files in a that a push does not read in one piece.
func (w *writers) arm() {
	for _, s := range w.a.slots {
		s.Lock()
		if s.now.size > 64<<10 && (s.armed == nil || s.armed.before != s.now) {
			rng, _ := w.a.draw()
			s.armed = w.a.plan(s.data, rng)
		}
		s.Unlock()
	}
}

// applied is told what happens in b. When it is the pull's doing it strikes: often a file
// that the pull comes to next, since that goes by path.
func (w *writers) applied(dir, name string, mask uint32) {
	path, temp := filepath.Join(dir, name), strings.HasPrefix(name, tempMark)
	last := w.last
	w.last = path
	switch {
	case temp && mask&unix.IN_MOVED_TO != 0 && last != w.near: // renamed away, to be removed
		w.near, w.ahead = last, -1
	case !temp && mask&unix.IN_MOVED_TO != 0 && strings.HasPrefix(filepath.Base(last), tempMark):
		w.near, w.ahead = path, 1
		w.placed.Add(1)
	}
	if !temp && dir != ".dfs" {
		return
	}
	w.fire(w.events.Add(1))
	rng, _ := w.b.draw()
	if rng.IntN(5) > 0 {
		return
	}
	at := rng.IntN(len(w.b.slots))
	if near := slices.IndexFunc(w.b.slots, func(s *slot) bool { return s.name == w.near }); near >= 0 && rng.IntN(4) > 0 {
		at = max(0, min(near+(1+rng.IntN(3))*w.ahead, len(w.b.slots)-1))
	}
	stay(rng)
	w.strike(w.b.slots[at], rng)
}

// strike acts at once: what it puts in a file's place is ready.
func (w *writers) strike(s *slot, rng *rand.Rand) {
	if len(w.ready) == 0 {
		w.b.act(s, rng)
		return
	}
	w.b.world.RLock()
	defer w.b.world.RUnlock()
	if !s.TryLock() {
		return
	}
	defer s.Unlock()
	w.b.replace(s, <-w.ready)
	w.b.count("struck")
}

// prepare has enough ready to strike.
func (w *writers) prepare() {
	for len(w.ready) < cap(w.ready) {
		rng, _ := w.b.draw()
		w.ready <- w.b.prepare(rng)
	}
}

// fire lets those write who waited for so many events.
func (w *writers) fire(events int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.holders {
		if h.after <= events {
			h.fire()
		}
	}
}

// roam does something to n files while fn runs, and returns after both.
func (w *writers) roam(writer *writer, n int, fn func()) {
	var group sync.WaitGroup
	group.Go(func() {
		for range n {
			rng, _ := writer.draw()
			writer.act(writer.slots[rng.IntN(len(writer.slots))], rng)
		}
	})
	fn()
	group.Wait()
}

// dfs runs push or pull beside the writers.
func (w *writers) dfs(command, dir string, allowed ...int) *outcome {
	o := w.h.run(command, dir)
	if !slices.Contains(allowed, o.code) {
		w.t.Errorf("%s exits with %d\n%.4000s", command, o.code, o.output)
	}
	w.codes[fmt.Sprintf("%s %s %d", command, filepath.Base(dir), o.code)]++
	for kind, paths := range o.paths {
		w.paths[command+" "+kind] += len(paths)
	}
	return o
}

// removeSome has a remove some files that follow upon each other.
func (w *writers) removeSome() {
	first := w.rng.IntN(len(w.a.slots))
	for _, s := range w.a.slots[first:min(first+6, len(w.a.slots))] {
		w.a.world.RLock()
		s.Lock()
		w.a.remove(s)
		s.Unlock()
		w.a.world.RUnlock()
	}
}

// round is a push and a pull.
func (w *writers) round() {
	w.removeSome()
	w.arm()
	w.roam(w.a, 30, func() { w.dfs("push", w.a.dir, exitDone, exitIncomplete) })
	w.dfs("pull", w.c, exitDone)
	w.lookAtC()
	for _, s := range w.b.slots { // those who see their files gone by are rid of them, mostly
		if s.Lock(); len(s.owed) > 0 && w.rng.IntN(5) > 0 {
			w.b.take(s)
		}
		s.Unlock()
	}
	w.prepare()
	held := w.hold(4)
	w.roam(w.a, 30, func() {
		w.roam(w.b, 3, func() { w.dfs("pull", w.b.dir, exitDone, exitIncomplete, exitConflicts) })
	})
	w.fire(1 << 62)
	held.Wait()
	w.look()
}

// hold has n files of b open for writing, before a pull.
func (w *writers) hold(n int) *sync.WaitGroup {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events.Store(0)
	w.holders = nil
	var group sync.WaitGroup
	for range n {
		if h := w.b.grab(w.b.slots[w.rng.IntN(len(w.b.slots))], w.rng); h != nil {
			w.holders = append(w.holders, h)
			rng, _ := w.b.draw()
			group.Go(func() { w.b.hold(h, rng) })
		}
	}
	return &group
}

// look stops all writers and looks at both replicas.
func (w *writers) look() {
	w.a.world.Lock()
	defer w.a.world.Unlock()
	w.b.world.Lock()
	defer w.b.world.Unlock()
	for _, s := range w.a.slots {
		if now, data, err := stateAt(w.a.path(s)); err != nil || now != s.now {
			w.t.Errorf("a push changed %s, which is %+v now: %v\n%s", s.name, now, err, valuesIn(data))
		}
	}
	w.lookAtB()
}

// lookAtB requires that all that stands in b stood there, and that all that is owed is found.
// A user looks through kept copies in the end, and removes them.
func (w *writers) lookAtB() {
	all, err := find(w.b.dir)
	check(w.t, err)
	for _, s := range w.b.slots {
		for owed := range s.owed {
			w.checkFound(s, owed, all)
		}
	}
	for name, now := range all {
		stem, _, kept := strings.Cut(name, keptMark)
		at := slices.IndexFunc(w.b.slots, func(s *slot) bool { return strings.TrimSuffix(stem, ".new") == s.name })
		if at < 0 {
			w.t.Errorf("b has %s", name)
			continue
		}
		if s := w.b.slots[at]; !s.knows(now) {
			_, data, _ := stateAt(filepath.Join(w.b.dir, name))
			w.b.legal(s, now, data)
		}
		if kept {
			w.paths["kept copies"]++
			check(w.t, os.Remove(filepath.Join(w.b.dir, name)))
		}
	}
}

// lookAtC requires that what was pushed stood in a.
func (w *writers) lookAtC() {
	all, err := find(w.c)
	check(w.t, err)
	for name, now := range all {
		at := slices.IndexFunc(w.a.slots, func(s *slot) bool { return strings.TrimSuffix(name, ".new") == s.name })
		if at < 0 {
			w.t.Errorf("c has %s", name)
		} else if s := w.a.slots[at]; !s.knows(now) {
			_, data, _ := stateAt(filepath.Join(w.c, name))
			w.a.legal(s, now, data)
		}
	}
}

func (w *writers) checkFound(s *slot, owed state, all map[string]state) {
	for name, now := range all {
		if now == owed {
			if name != s.name {
				s.disown(owed)
			}
			return
		}
	}
	w.t.Errorf("lost: what was written to %s in b, %+v; there is %+v now", s.name, owed, all[s.name])
}

// rest lets the writer of a rest, so that a push takes all that a has, and compares that
// with what arrives in a fresh directory.
func (w *writers) rest() {
	w.a.world.Lock()
	defer w.a.world.Unlock()
	w.dfs("push", w.a.dir, exitDone)
	w.fresh++
	fresh := w.h.path(fmt.Sprint("fresh-", w.fresh))
	w.h.exits(0, "pull", fresh, "--hub", w.h.hub, "--volume", "v")
	w.compare(fresh)
	check(w.t, os.RemoveAll(fresh))
}

// compare requires that a directory has what a has.
func (w *writers) compare(dir string) {
	all, err := find(dir)
	check(w.t, err)
	for _, s := range w.a.slots {
		now, ok := all[s.name]
		if !ok {
			now = none
		}
		if delete(all, s.name); now != s.now {
			_, data, _ := stateAt(filepath.Join(dir, s.name))
			w.t.Errorf("%s has %s as %+v, a as %+v\n%s", dir, s.name, now, s.now, valuesIn(data))
		}
	}
	if len(all) > 0 {
		w.t.Errorf("%s also has %v", dir, slices.Collect(maps.Keys(all)))
	}
}

// converge lets all writers end. After a has new versions of all and b none of its own, a push and a
// pull make them equal.
func (w *writers) converge() {
	w.look()
	for _, s := range w.a.slots {
		rng, _ := w.a.draw()
		w.a.replace(s, w.a.prepare(rng))
	}
	for _, s := range w.b.slots {
		w.b.take(s)
	}
	w.dfs("push", w.a.dir, exitDone)
	w.dfs("pull", w.b.dir, exitDone)
	w.compare(w.a.dir)
	w.compare(w.b.dir)
}

// opened is a replica, and another in which programs have files open that the first changes.
type opened struct {
	t       *testing.T
	a, b    string
	changes map[string]func(path string) error // what a has in a file's place
	modes   map[string]int                     // how b has it open
	files   map[string]*os.File
}

func newOpened(t *testing.T, h *home) *opened {
	o := &opened{t: t, a: h.path("a"), b: h.path("b"), files: map[string]*os.File{}}
	o.changes = map[string]func(path string) error{
		"replaced": func(path string) error { return os.WriteFile(path, []byte("of the hub, and longer"), 0o644) },
		"removed":  func(path string) error { return nil },
		"link":     func(path string) error { return os.Symlink("target", path) },
		"empty":    func(path string) error { return os.Mkdir(path, 0o755) },
		"full":     makeFull,
	}
	o.modes = map[string]int{"written": os.O_RDWR, "appended": os.O_WRONLY | os.O_APPEND, "untouched": os.O_WRONLY, "read": os.O_RDONLY}
	check(t, os.Mkdir(o.a, 0o755))
	o.each(func(_, _, name string) { check(t, os.WriteFile(filepath.Join(o.a, name), []byte("old"), 0o644)) })
	return o
}

func (o *opened) each(fn func(change, mode, name string)) {
	for change := range o.changes {
		for mode := range o.modes {
			fn(change, mode, change+"-"+mode)
		}
	}
}

// open opens the files in b and changes them in a.
func (o *opened) open() {
	o.each(func(change, mode, name string) {
		f, err := os.OpenFile(filepath.Join(o.b, name), o.modes[mode], 0)
		check(o.t, err)
		o.files[name] = f
		check(o.t, os.Remove(filepath.Join(o.a, name)))
		check(o.t, o.changes[change](filepath.Join(o.a, name)))
	})
}

// close writes to some of the files and closes all. It returns those that were open for writing,
// and of them those that were written.
func (o *opened) close() (busy, edited []string) {
	o.each(func(change, mode, name string) {
		if mode != "read" {
			busy = append(busy, name)
		}
		if mode == "written" || mode == "appended" {
			edited = append(edited, name)
			_, err := o.files[name].WriteString("written in b")
			check(o.t, err)
		}
		check(o.t, o.files[name].Close())
	})
	return busy, edited
}

// look requires that what was written is there, and that all else is as in a.
func (o *opened) look(edited []string) {
	o.t.Helper()
	for _, name := range edited {
		content, err := os.ReadFile(filepath.Join(o.b, name))
		if err != nil || !strings.Contains(string(content), "written in b") {
			o.t.Errorf("lost: what was written to %s, which is %q, %v", name, content, err)
		}
	}
	want, err := describe(o.a)
	check(o.t, err)
	got, err := describe(o.b)
	check(o.t, err)
	for _, tree := range []map[string]string{want, got} {
		maps.DeleteFunc(tree, func(name, _ string) bool { return slices.Contains(edited, strings.Split(name, "/")[1]) })
	}
	compareTrees(o.t, "the files that were not written", got, want)
}

// TestOpenFiles: a file that a program has open for writing is not taken from under it, whatever
// the hub has in its place: what is then written is there, and conflicts. Where nothing was written
// the next pull does its work, as it does at once where a program only reads.
func TestOpenFiles(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		o := newOpened(t, h)
		h.push(0, o.a, "v")
		h.pull(0, o.b, "v")
		o.open()
		h.push(0, o.a, "v")
		first := h.pull(3, o.b, "v")
		busy, edited := o.close()
		first.requireAbove(t, "problem", busy...)
		second := h.pull(4, o.b, "v")
		o.look(edited)
		for _, name := range edited {
			if !slices.Contains(slices.Concat(second.paths["conflict"], second.paths["kept"]), name) {
				t.Errorf("%s is named neither as conflict nor as kept", name)
			}
		}
	})
}

// TestOpenUnreadable: that a file is open for writing is also noticed where it may not be read.
func TestOpenUnreadable(t *testing.T) {
	eachHub(t, func(t *testing.T, h *home) {
		a, b := h.path("a"), h.path("b")
		g := newGrower(t, a)
		for _, name := range []string{"replaced", "removed"} {
			g.file(name, "old")
			if os.Geteuid() == 0 { // else it could not be pushed
				g.mode(name, 0o200)
			}
		}
		h.push(0, a, "v")
		h.bounded().pull(0, b, "v")
		var files []*os.File
		for _, name := range []string{"replaced", "removed"} {
			f, err := os.OpenFile(filepath.Join(b, name), os.O_WRONLY, 0)
			check(t, err)
			files = append(files, f)
		}
		g.file("replaced", "of the hub, and longer")
		check(t, g.root.Remove("removed"))
		h.push(0, a, "v")
		o := h.bounded().pull(3, b, "v")
		o.requirePaths(t, "problem", "removed", "replaced")
		for _, f := range files {
			_, err := f.WriteString("written in b")
			check(t, err)
			check(t, f.Close())
			content, err := os.ReadFile(f.Name())
			if err != nil || string(content) != "written in b" {
				t.Errorf("lost: what was written to %s, which is %q, %v", f.Name(), content, err)
			}
		}
	})
}
