package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"unicode"

	"dfs/bench/report"
)

// profilePath returns where the profiles of an operation go, without the ".cpu" or ".mem":
// workload-operation-round-side in Options.Profiles, the scale behind the workload where there are
// several. It is "" when none are asked for, or the operation has no name since it is not measured.
func (r *run) profilePath(rec *report.Record, side string) string {
	if r.Profiles == "" || rec.Operation == "" {
		return ""
	}
	name := rec.Workload
	if len(r.Scales) > 1 {
		name = fmt.Sprintf("%s-x%g", name, r.Scale)
	}
	name = fmt.Sprintf("%s-%s-%d-%s", name, rec.Operation, rec.Run, side)
	words := strings.FieldsFunc(name, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '.' })
	return filepath.Join(r.Profiles, strings.Join(words, "-"))
}

// clientProfiles returns the arguments by which dfs profiles a command.
func (r *run) clientProfiles(rec *report.Record) []string {
	path := r.profilePath(rec, "client")
	if path == "" {
		return nil
	}
	return []string{"--cpuprofile", path + ".cpu", "--memprofile", path + ".mem"}
}

// profile has the hub profile itself until stop, which returns when the files are written. Without
// a path nothing is done.
func (h *hub) profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	return func() error { return h.tell("") }, h.tell(path)
}

// tell gives a hub that was started with --profileinput a line, and waits for the answer.
func (h *hub) tell(line string) error {
	if _, err := fmt.Fprintln(h.input, line); err != nil {
		return err
	}
	answer, err := h.output.ReadString('\n')
	if answer != "profiling "+line+"\n" {
		return fmt.Errorf("hub: profile %q: %q, %v", line, answer, err)
	}
	return nil
}

// profileSelf profiles this process, where it is the client, until stop.
func (r *run) profileSelf(rec *report.Record) (stop func() error, err error) {
	path := r.profilePath(rec, "client")
	if path == "" {
		return func() error { return nil }, nil
	}
	cpu, err := os.Create(path + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		mem, err := os.Create(path + ".mem")
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(mem, 0), mem.Close(), cpu.Close())
	}, nil
}
