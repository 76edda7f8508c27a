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
