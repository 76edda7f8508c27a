package access_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"dfs/server/access"
	"dfs/server/api"
)

func TestLimits(t *testing.T) {
	now := time.Unix(1e9, 0)
	limits := access.Limits{Address: 3, AddressEvery: time.Second, All: 8, AllEvery: time.Second, Addresses: 64, Trust: time.Hour}
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
	expect("a valid one of the same address", try(token, fmt.Sprintf(bad, 2000)), tooMany)
	expect("another address", try(token, honest), "")
	now = now.Add(time.Second)
	expect("a second later", try("garbage", fmt.Sprintf(bad, 2000)), unknown)
	expect("and once more", try("garbage", fmt.Sprintf(bad, 2000)), tooMany)

	for i := range 64 {
		try("garbage", fmt.Sprintf("[2001:db8:%x::1]:99", i))
	}
	expect("many addresses", try("garbage", "[2001:db8:ffff::1]:99"), tooMany)
	expect("one that was valid before", try(token, honest), "")
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

// TestUsersAmongGuessers: a token goes on to let in where it was valid lately, whatever others send
// from there or from everywhere else, and no other does.
func TestUsersAmongGuessers(t *testing.T) {
	now := time.Unix(1e9, 0)
	limits := access.Limits{Address: 2, AddressEvery: time.Minute, All: 50, AllEvery: time.Hour, Addresses: 4, Trust: time.Hour}
	r := open(t, new(memory), access.Options{Now: func() time.Time { return now }, Limits: limits})
	token, _ := member(t, r, api.Grants{All: api.RightRead})
	fresh, _ := member(t, r, api.Grants{All: api.RightRead})
	try := func(secret api.Secret, from string) error {
		_, release, err := r.Authenticate(context.Background(), secret, from)
		if err == nil {
			release()
		}
		return err
	}
	guess := func(n int) {
		for i := range n {
			try("garbage", here)
			try("garbage", fmt.Sprintf("192.0.2.%d:9", 2+i%200))
		}
	}
	const elsewhere = "198.51.100.7:5000"
	if err := try(token, here); err != nil {
		t.Fatal(err)
	}
	guess(200)
	for range 3 {
		if err := try(token, here); err != nil {
			t.Errorf("where it was valid: %v", err)
		}
		now = now.Add(limits.Trust / 2)
		guess(200)
	}
	for _, from := range []string{here, elsewhere} {
		if err := try(fresh, from); !errors.Is(err, api.ErrTooMany) {
			t.Errorf("one that is new, from %s: %v", from, err)
		}
	}
	if err := try(token, elsewhere); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("elsewhere: %v", err)
	}
	now = now.Add(limits.Trust)
	guess(200)
	if err := try(token, here); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("after a long time: %v", err)
	}
}

// TestNonsenseIsNotTrusted: who sends what is no attempt at all does not count as one who sent a valid secret.
func TestNonsenseIsNotTrusted(t *testing.T) {
	limits := access.Limits{Address: 2, AddressEvery: time.Hour, All: 4, AllEvery: time.Hour, Addresses: 64, Trust: time.Hour}
	r := open(t, new(memory), access.Options{Limits: limits})
	const stranger = "203.0.113.9:1000"
	err := r.Attempt(stranger, func() error {
		_, _, err := r.Register(api.RegisterRequest{Key: api.NewJoinKey(), Token: "none"})
		return err
	})
	if !errors.Is(err, api.ErrInvalid) {
		t.Fatal(err)
	}
	for i := range 9 {
		_, _, _ = r.Authenticate(context.Background(), "garbage", fmt.Sprintf("192.0.2.%d:9", i))
	}
	if _, _, err := r.Authenticate(context.Background(), "garbage", stranger); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("the stranger is not limited as others are: %v", err)
	}
}
