package client

import (
	"slices"
	"testing"
)

// TestExpectation: the hub is told once all is found, and again when what is to come has become less by an eighth.
func TestExpectation(t *testing.T) {
	told := make(chan int64)
	ended := make(chan struct{})
	e := newExpectation(func(bytes int64) { told <- bytes; <-ended })
	var all []int64
	hear := func() {
		all = append(all, <-told)
		ended <- struct{}{}
	}
	e.find(6 << 20)
	e.find(4 << 20)
	e.foundAll()
	e.skip(2 << 20) // while the hub is told
	hear()
	hear()
	e.skip(1 << 20) // an eighth, and no more
	e.skip(1)
	hear()
	e.skip(7 << 20) // more than there was
	hear()
	if want := []int64{10 << 20, 8 << 20, 7<<20 - 1, 0}; !slices.Equal(all, want) {
		t.Errorf("told %d, want %d", all, want)
	}
	small := newExpectation(func(int64) { t.Error("of a small push something is told") })
	small.find(worthTelling - 1)
	small.foundAll()
	(*expectation)(nil).find(1)
}
