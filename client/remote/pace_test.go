package remote

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestRate moves bytes over four connections at one rate, in time that is not real.
func TestRate(t *testing.T) {
	const bytes, seconds, conns = 100_000, 10, 4
	for name, move := range map[string]func(*conn, net.Conn) error{
		"sent": func(c *conn, other net.Conn) error {
			go io.Copy(io.Discard, other)
			_, err := c.Write(make([]byte, bytes*seconds/conns))
			return err
		},
		"received": func(c *conn, other net.Conn) error {
			go other.Write(make([]byte, bytes*seconds/conns))
			_, err := io.ReadFull(c, make([]byte, bytes*seconds/conns))
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			counts, in, out := new(traffic), newPacer(bytes), newPacer(bytes)
			began := time.Now()
			ended := make(chan error, conns)
			for range conns {
				here, there := net.Pipe()
				defer there.Close()
				c := newConn(here, counts, time.Minute, in, out)
				defer c.Close()
				go func() { ended <- move(c, there) }()
			}
			for range conns {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(began).Seconds(); took < seconds-1 || took > seconds+1 {
				t.Errorf("%s: %d bytes in %.1f s at %d a second", name, bytes*seconds, took, bytes)
			}
		})
	}
}

// TestRateEndsWithTheConnection closes a connection that waits for its turn.
func TestRateEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		go io.Copy(io.Discard, there)
		c := newConn(here, new(traffic), time.Hour, nil, newPacer(1))
		wrote := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, 1000))
			wrote <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-wrote; err == nil {
			t.Error("a write to a closed connection succeeded")
		}
	})
}
