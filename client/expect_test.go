package client

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestExpectation: the hub is told some time after all is found, and again when what is to come has become less by an eighth.
func TestExpectation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []int64
		var at []time.Duration
		began, slow := time.Now(), make(chan struct{})
		e := newExpectation(time.Second, func(bytes int64) {
			all, at = append(all, bytes), append(at, time.Since(began))
			<-slow
		})
		e.find(6 << 20)
		e.find(4 << 20)
		e.foundAll()
		time.Sleep(2 * time.Second)
		for _, skipped := range []int64{
			2 << 20, // while the hub is told
			1 << 20, // an eighth, and no more
			1,
			7 << 20, // more than there was
		} {
			e.skip(skipped)
			synctest.Wait()
			select {
			case slow <- struct{}{}:
			default:
			}
			synctest.Wait()
		}
		close(slow)
		synctest.Wait()
		if want := []int64{10 << 20, 8 << 20, 7<<20 - 1, 0}; !slices.Equal(all, want) || at[0] != time.Second {
			t.Errorf("told %d after %v, want %d", all, at, want)
		}
	})
}

// TestExpectationOfLittle: of a small push, and of one that has ended by then, nothing is told.
func TestExpectationOfLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExpectation(time.Second, func(int64) { t.Error("of a small push something is told") })
		e.find(worthTelling - 1)
		e.foundAll()
		short := newExpectation(time.Second, func(int64) { t.Error("of a push that sent all soon something is told") })
		short.find(10 << 20)
		short.foundAll()
		short.skip(10 << 20)
		time.Sleep(2 * time.Second)
		(*expectation)(nil).find(1)
		(*expectation)(nil).foundAll()
	})
}
