//go:build !linux && !darwin

package machine

import "os"

// describe fills in what can be had without asking the system.
func describe(m *Machine, dir string) error {
	m.CPU = os.Getenv("PROCESSOR_IDENTIFIER") // Windows sets it
	return nil
}

// available returns 0: it is not known.
func available() int64 { return 0 }
