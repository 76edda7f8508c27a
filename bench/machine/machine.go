// Package machine tells what a machine is and what it allows, so that figures
// measured on it can be read as fractions of that.
//
// The limits are those of one run and swing with it: on a virtual machine the
// first touch of memory that the host has taken back costs more than hashing
// it, so Measure touches memory first (see TouchMemory), as the benchmarks do.
package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// A Machine says what a machine is; what cannot be found out is empty or 0.
type Machine struct {
	CPU         string `json:"cpu"`   // the model
	Cores       int    `json:"cores"` // that this process may use
	MemoryBytes int64  `json:"memory_bytes"`
	Kernel      string `json:"kernel"`      // its release
	FS          string `json:"file_system"` // its type, and on Linux its options
	Go          string `json:"go"`          // version
	OS          string `json:"os"`          // system and architecture, and on Linux the distribution
}

// Describe describes the machine, and the file system that holds dir.
func Describe(dir string) (Machine, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Machine{}, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return Machine{}, err
	}
	if info, err := os.Stat(abs); err != nil {
		return Machine{}, err
	} else if !info.IsDir() {
		return Machine{}, fmt.Errorf("%s is not a directory", dir)
	}
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
	err = describe(&m, abs)
	return m, err
}
