package main

import (
	"context"
	"fmt"

	"dfs/server/events"
)

// narrate prints what happens on a hub to stderr, in JSON, one event a line. The function that it
// returns closes the bus and waits until all is printed.
func (o *output) narrate(bus *events.Bus) (stop func()) {
	sub := events.Subscribe[events.Event](bus, 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, err := sub.Next(context.Background())
			if err != nil {
				return
			}
			if line, err := events.Encode(e); err == nil {
				fmt.Fprintf(o.stderr, "%s\n", line)
			}
		}
	}()
	return func() {
		bus.Close()
		<-done
	}
}
