package access_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dfs/server/access"
	"dfs/server/api"
)

func TestLimits(t *testing.T) {
	now := time.Unix(1e9, 0)
	limits := access.Limits{Address: 3, AddressEvery: time.Second, All: 8, AllEvery: time.Second, Addresses: 64}
	r := open(t, new(memory), access.Options{Now: func() time.Time { return now }, Limits: limits})
	token, _ := member(t, r, api.Grants{All: api.RightRead})
	// try presents a secret and returns the kind of the answer.
	try := func(secret api.Secret, from string) api.Code {
		_, release, err := r.Authenticate(context.Background(), secret, from)
		if err == nil {
			release()
			return ""
		}
		e, _ := errors.AsType[*api.Error](err)
		return e.Code
	}
	expect := func(what string, got, want api.Code) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	unknown, tooMany := api.ErrUnauthorized.Code, api.ErrTooMany.Code
	const honest, bad = "198.51.100.7:5000", "203.0.113.9:%d"
	expect("honest", try(token, honest), "")
	for i := range 3 {
		expect("garbage", try("garbage", fmt.Sprintf(bad, 1000+i)), unknown)
	}
	expect("the fourth", try("garbage", fmt.Sprintf(bad, 2000)), tooMany)
	expect("a valid one of the same address", try(token, fmt.Sprintf(bad, 2000)), "")
	expect("one more after that", try("garbage", fmt.Sprintf(bad, 2000)), tooMany)
	expect("another address", try(token, honest), "")
	now = now.Add(time.Second)
	expect("a second later", try("garbage", fmt.Sprintf(bad, 2000)), unknown)
	expect("and once more", try("garbage", fmt.Sprintf(bad, 2000)), tooMany)

	for i := range 64 {
		try("garbage", fmt.Sprintf("[2001:db8:%x::1]:99", i))
	}
	expect("many addresses", try("garbage", "[2001:db8:ffff::1]:99"), tooMany)
	expect("a valid one", try(token, honest), "")
	now = now.Add(time.Minute)
	for i := range 3 {
		expect("one network", try("garbage", fmt.Sprintf("[2001:db8:aaaa::%x]:99", i)), unknown)
	}
	expect("one network's fourth", try("garbage", "[2001:db8:aaaa:0:1::]:99"), tooMany)
	expect("its neighbour", try("garbage", "[2001:db8:aaaa:1::1]:99"), unknown)
	for range 4 {
		try("garbage", "@")
	}
	expect("what is no address", try("garbage", ""), tooMany)
}

// TestUsersAmongGuessers: a token and a join key let in, from where they never came before too, whatever others send from
// there or from everywhere else, and whether or not the hub was started again; and no others do.
func TestUsersAmongGuessers(t *testing.T) {
	limits := access.Limits{Address: 2, AddressEvery: time.Hour, All: 50, AllEvery: time.Hour, Addresses: 4}
	store := new(memory)
	r := open(t, store, access.Options{Limits: limits})
	token, _ := member(t, r, api.Grants{All: api.RightRead})
	key := api.NewJoinKey()
	if _, err := r.Invite(t.Context(), api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	try := func(secret api.Secret, from string) error {
		_, release, err := r.Authenticate(context.Background(), secret, from)
		if err == nil {
			release()
		}
		return err
	}
	join := func(key api.Secret, from string) error {
		return r.Attempt(from, func() error {
			_, _, err := r.Register(api.RegisterRequest{Key: key, Token: api.NewToken()})
			return err
		})
	}
	const elsewhere = "198.51.100.7:5000"
	for range 2 {
		for i := range 200 {
			_ = try("garbage", here)
			_ = join("garbage", fmt.Sprintf("192.0.2.%d:9", 2+i))
		}
		for _, from := range []string{here, elsewhere} {
			if err := try(token, from); err != nil {
				t.Errorf("a token from %s: %v", from, err)
			}
			if err := try(api.NewToken(), from); !errors.Is(err, api.ErrTooMany) {
				t.Errorf("a guess from %s: %v", from, err)
			}
			if err := join(api.NewJoinKey(), from); !errors.Is(err, api.ErrTooMany) {
				t.Errorf("a guessed join key from %s: %v", from, err)
			}
		}
		r = open(t, store, access.Options{Limits: limits})
	}
	for range 3 {
		_ = join("garbage", here)
	}
	if err := join(key, here); err != nil {
		t.Errorf("a join key: %v", err)
	}
}

// TestParallelGuesses: at once no more are told that they failed than one after the other.
func TestParallelGuesses(t *testing.T) {
	limits := access.Limits{Address: 10, AddressEvery: time.Hour, All: 50, AllEvery: time.Hour, Addresses: 4}
	r := open(t, new(memory), access.Options{Limits: limits})
	var told atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				if _, _, err := r.Authenticate(context.Background(), "garbage", here); errors.Is(err, api.ErrUnauthorized) {
					told.Add(1)
				}
			}
		})
	}
	all.Wait()
	if told.Load() != 10 {
		t.Errorf("%d were told", told.Load())
	}
}

// TestNonsenseIsNoGuess: who sends what is no attempt at all uses none up.
func TestNonsenseIsNoGuess(t *testing.T) {
	limits := access.Limits{Address: 2, AddressEvery: time.Hour, All: 4, AllEvery: time.Hour, Addresses: 64}
	r := open(t, new(memory), access.Options{Limits: limits})
	for range 9 {
		err := r.Attempt(here, func() error {
			_, _, err := r.Register(api.RegisterRequest{Key: api.NewJoinKey(), Token: "none"})
			return err
		})
		if !errors.Is(err, api.ErrInvalid) {
			t.Fatal(err)
		}
	}
	if _, _, err := r.Authenticate(context.Background(), "garbage", here); !errors.Is(err, api.ErrUnauthorized) {
		t.Errorf("a guess after it: %v", err)
	}
}
