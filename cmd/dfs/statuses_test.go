package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"dfs/server/api"
)

// askStatuses is the program "statuses URL": it asks for a status 50 times a second until its standard input
// ends, and prints how many nanoseconds each answer took. An answer that the volume is not there yet does not count.
func askStatuses() {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for tick := time.Tick(20 * time.Millisecond); ; {
		began := time.Now()
		there, err := askStatus(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if there {
			fmt.Println(time.Since(began).Nanoseconds())
		}
		select {
		case <-tick:
		case <-ended:
			return
		}
	}
}

// askStatus asks for a status, and reports whether the volume is there.
func askStatus(url string) (there bool, err error) {
	resp, err := http.Get(url)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	switch {
	case err != nil || resp.StatusCode == http.StatusOK:
		return true, err
	case resp.StatusCode == api.ErrNotFound.Code.Status():
		return false, nil
	}
	return false, fmt.Errorf("status: %s %s", resp.Status, data)
}
