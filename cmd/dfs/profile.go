package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/pflag"
)

// profile writes profiles of a run, for developers.
type profile struct{ cpu, mem string }

func (p *profile) flags(fs *pflag.FlagSet) {
	fs.StringVar(&p.cpu, "cpuprofile", "", "write a CPU profile to `FILE`")
	fs.StringVar(&p.mem, "memprofile", "", "write a memory profile to `FILE`")
	hidden(fs, "cpuprofile", "memprofile")
}

// start begins the CPU profile. The function that it returns ends it and writes
// the memory profile; it must be called once.
func (p *profile) start() (stop func() error, err error) {
	var cpu *os.File
	if p.cpu != "" {
		if cpu, err = os.Create(p.cpu); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(err, cpu.Close())
		}
	}
	return func() error {
		var errs []error
		if cpu != nil {
			pprof.StopCPUProfile()
			errs = append(errs, cpu.Close())
		}
		if p.mem != "" {
			errs = append(errs, writeHeap(p.mem))
		}
		return errors.Join(errs...)
	}, nil
}

// profileAsTold lets a program that measures a hub say on in what of its life is to be
// profiled. A line that is a path begins a profile into PATH.cpu and PATH.mem, and ends the one
// before; an empty line only ends it. Each line is answered with one on out when its work is done:
// "profiling PATH", or the error. What counts in PATH.mem counts from the hub's start.
func profileAsTold(in io.Reader, out io.Writer) {
	none := func() error { return nil }
	stop := none
	defer func() { stop() }()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		err := stop()
		stop = none
		if path := lines.Text(); path != "" && err == nil {
			p := profile{path + ".cpu", path + ".mem"}
			if stop, err = p.start(); err != nil {
				stop = none
			}
		}
		if err != nil {
			fmt.Fprintln(out, err)
			continue
		}
		fmt.Fprintln(out, "profiling", lines.Text())
	}
}

func writeHeap(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
