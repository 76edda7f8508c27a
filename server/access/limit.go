package access

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Limits bounds how often strangers may present a secret that is not valid and be told so. Attempts come
// back one by one, each after a time. A valid one is let in whatever came before it.
type Limits struct {
	Address      int           // attempts of one address (of one /64 network with IPv6) at once
	AddressEvery time.Duration // until one of them comes back
	All          int           // attempts of all addresses at once
	AllEvery     time.Duration
	Addresses    int // that are remembered; those that were used least recently are forgotten
}

// DefaultLimits are the limits of a hub.
func DefaultLimits() Limits {
	return Limits{Address: 10, AddressEvery: 10 * time.Second, All: 200, AllEvery: 100 * time.Millisecond,
		Addresses: 4096}
}

// Unlimited are limits that nobody meets, for tests that fail often.
func Unlimited() Limits {
	return Limits{Address: 1 << 30, AddressEvery: time.Nanosecond, All: 1 << 30, AllEvery: time.Nanosecond, Addresses: 16}
}

// bucket holds attempts that are left, as of a time.
type bucket struct {
	left float64
	at   time.Time
}

func (b *bucket) fill(now time.Time, size int, every time.Duration) {
	if gained := now.Sub(b.at); gained > 0 {
		b.left = min(float64(size), b.left+float64(gained)/float64(every))
	}
	b.at = now
}

// address is what is remembered of an address.
type address struct {
	origin netip.Prefix
	bucket bucket
}

// limiter counts attempts that failed, in bounded memory.
type limiter struct {
	limits Limits
	now    func() time.Time

	mu        sync.Mutex
	all       bucket
	addresses map[netip.Prefix]*list.Element // of *address
	recent    *list.List                     // the latest first
}

func newLimiter(limits Limits, now func() time.Time) *limiter {
	return &limiter{limits: limits, now: now, all: bucket{float64(limits.All), now()},
		addresses: make(map[netip.Prefix]*list.Element), recent: list.New()}
}

// originOf returns the network that an address, as of net/http's RemoteAddr, counts for. What
// is no address counts together.
func originOf(from string) netip.Prefix {
	at, err := netip.ParseAddrPort(from)
	if err != nil {
		return netip.Prefix{}
	}
	ip := at.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	origin, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return origin
}

// miss counts an attempt of the address that failed. It reports false, and counts nothing, where there were too many.
func (l *limiter) miss(origin netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.all.fill(now, l.limits.All, l.limits.AllEvery)
	if l.all.left < 1 {
		return false
	}
	a := l.remember(origin, now)
	a.bucket.fill(now, l.limits.Address, l.limits.AddressEvery)
	if a.bucket.left < 1 {
		return false
	}
	a.bucket.left--
	l.all.left--
	return true
}

func (l *limiter) remember(origin netip.Prefix, now time.Time) *address {
	if e := l.addresses[origin]; e != nil {
		l.recent.MoveToFront(e)
		return e.Value.(*address)
	}
	if len(l.addresses) >= l.limits.Addresses {
		oldest := l.recent.Back()
		delete(l.addresses, l.recent.Remove(oldest).(*address).origin)
	}
	a := &address{origin: origin, bucket: bucket{float64(l.limits.Address), now}}
	l.addresses[origin] = l.recent.PushFront(a)
	return a
}
