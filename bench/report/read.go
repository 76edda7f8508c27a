package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The most that a figure of a record may be: beyond it is damage.
const (
	mostSeconds = 1e8
	mostCount   = 1 << 60
)

// Read reads a file of results. One without any run is an error, and so is a line that is damaged
// or has a figure that nothing can have; the error tells the line's number.
func Read(r io.Reader) (Set, error) {
	var s Set
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return s, err
		}
		if bad := s.add(bytes.TrimSpace(line)); bad != nil {
			return s, fmt.Errorf("line %d: %w", number, bad)
		}
		if err == io.EOF {
			break
		}
	}
	if len(s.Records) == 0 {
		return s, errors.New("no results are in it: no line tells of a measured run")
	}
	return s, nil
}

// add adds what a line says.
func (s *Set) add(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := decode(line, &kind); err != nil {
		return err
	}
	switch kind.Type {
	case TypeMachine:
		var h Header
		if err := decode(line, &h); err != nil {
			return err
		}
		for name, v := range h.Limits {
			if v < 0 {
				return fmt.Errorf("the limit %q is %g, which cannot be", name, v)
			}
		}
		h.Machine = renamed(h.Machine)
		s.Headers = append(s.Headers, h)
	case TypeRun:
		var r Record
		if err := decode(line, &r); err != nil {
			return err
		}
		if err := r.check(); err != nil {
			return err
		}
		r.Link = strings.TrimSuffix(r.Link, "-0mbit") // so a link of no rate was named once
		s.Records = append(s.Records, r)
	}
	return nil
}

// renamed gives what is known of a machine the names that it has now, in files in which it had those of Go.
func renamed(machine any) any {
	facts, ok := machine.(map[string]any)
	if !ok {
		return machine
	}
	for former, name := range map[string]string{
		"CPU": "cpu", "Cores": "cores", "MemoryBytes": "memory_bytes", "Kernel": "kernel", "FS": "file_system", "Go": "go", "OS": "os",
	} {
		if v, ok := facts[former]; ok {
			delete(facts, former)
			facts[name] = v
		}
	}
	return facts
}

// decode is json.Unmarshal with an error for people.
func decode(line []byte, v any) error {
	err := json.Unmarshal(line, v)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("it is damaged: %q is a %s, which cannot be", kind.Field, kind.Value)
	}
	return errors.New("it is damaged: it is no JSON object")
}

// check says which figure of a run cannot be.
func (r Record) check() error {
	for name, v := range map[string]float64{"wall": r.Wall, "user": r.User, "sys": r.Sys, "hub_user": r.HubUser, "hub_sys": r.HubSys, "scale": r.Scale} {
		if v < 0 || v > mostSeconds {
			return fmt.Errorf("%q is %g, which cannot be", name, v)
		}
	}
	for name, v := range map[string]int64{
		"run": int64(r.Run), "files": r.Files, "bytes": r.Bytes, "peak_anon": r.PeakAnon, "peak_rss": r.PeakRSS, "hub_peak_anon": r.HubPeakAnon, "hub_peak_rss": r.HubPeakRSS,
		"wire_sent": r.WireSent, "wire_received": r.WireReceived, "requests": r.Requests, "round_trips": r.RoundTrips, "connections": r.Connections,
	} {
		if v < 0 || v > mostCount {
			return fmt.Errorf("%q is %d, which cannot be", name, v)
		}
	}
	if r.Wall == 0 && r.Failed == "" {
		return errors.New("a run that took no time, and did not fail, cannot be")
	}
	return nil
}
