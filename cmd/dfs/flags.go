package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dfs/cas"
	"dfs/client"
)

// The flags that say where a hub is: any, and one on this machine.
const (
	hubFlag  = "hub"
	dataFlag = "data"
)

// runFlags are the flags of push and pull, and of status where they suit it.
type runFlags struct {
	hub         string
	tokenFile   string
	volume      string
	dryRun      bool
	rehash      bool
	compression compression
	jobs        jobs
	wait        time.Duration
	bwlimit     byteSize
	profile     profile
	exclude     []string
	maxDelete   maxDelete
	adopt       bool
	rebind      bool
}

func (r *runFlags) placeFlags(fs *pflag.FlagSet) {
	fs.StringVar(&r.hub, hubFlag, "", "use `HUB`: http(s)://host:port or the path of a local repository")
	tokenFlag(fs, &r.tokenFile)
	fs.StringVar(&r.volume, "volume", "", "bind a new replica to the volume `NAME` (default: the base name of DIR, as a new volume)")
}

func (r *runFlags) transferFlags(fs *pflag.FlagSet) {
	fs.BoolVarP(&r.dryRun, "dry-run", "n", false, "tell what would be done and change nothing")
	fs.Var(&r.compression, "compression", "compress what is sent at `LEVEL` fast, max or off (default fast)")
	fs.Var(&r.bwlimit, "bwlimit", "move at most `RATE` bytes a second each way, like 500K or 2M")
	r.profile.flags(fs)
}

func (r *runFlags) changeFlags(fs *pflag.FlagSet) {
	fs.StringArrayVar(&r.exclude, "exclude", nil, "ignore what `PATTERN` matches, from now on (kept in DIR/.dfs/exclude; the syntax is .dfsignore's)")
	fs.Var(&r.maxDelete, "max-delete", "delete at most `N|P%` files, or percent of them (default: half of more than 20 files, and 10000)")
	fs.BoolVar(&r.adopt, "adopt", false, "go on where DIR lost its .dfs, has that of another directory, or lacks a mounted file system")
	fs.BoolVar(&r.rebind, "rebind", false, "go on, from an empty base, where the hub or the volume is another or went back in time")
}

func (r *runFlags) scanFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&r.rehash, "rehash", false, "trust no timestamps: read every file")
	fs.VarP(&r.jobs, "jobs", "j", "read `N` files at a time (default: the number of processors)")
	waitFlag(fs, &r.wait)
}

func waitFlag(fs *pflag.FlagSet, wait *time.Duration) {
	*wait = time.Minute
	fs.Var((*duration)(wait), "wait", "wait up to `DURATION` for another dfs that works here (default 1m)")
}

// outputFlags are the flags that say what is printed.
func (o *output) flags(fs *pflag.FlagSet) {
	o.jsonFlag(fs)
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "print errors, problems and conflicts only")
	fs.CountVarP(&o.verbose, "verbose", "v", "print more; twice for yet more")
	fs.BoolVar(&o.noProgress, "no-progress", false, "show no progress on the terminal")
}

func (o *output) jsonFlag(fs *pflag.FlagSet) {
	fs.BoolVar(&o.json, "json", false, "print one JSON object a line")
}

// maxDelete is a flag's value that is a count or a percentage.
type maxDelete client.DeleteLimit

// Set implements [pflag.Value].
func (m *maxDelete) Set(s string) error {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil || n < 0 || percent && (n < 1 || n > 100):
		return errors.New("not a number of files like 50, or a share like 1% to 100%")
	case percent:
		*m = maxDelete{Given: true, Percent: int(n)}
	default:
		*m = maxDelete{Given: true, Files: n}
	}
	return nil
}

// String implements [pflag.Value].
func (m *maxDelete) String() string {
	if m.Percent > 0 {
		return strconv.Itoa(m.Percent) + "%"
	}
	return strconv.FormatInt(m.Files, 10)
}

// Type implements [pflag.Value].
func (m *maxDelete) Type() string { return "limit" }

// compression is a flag's value that names a level of compression.
type compression cas.Compression

var errCompression = errors.New("not one of fast, max, off")

// Set implements [pflag.Value].
func (c *compression) Set(s string) error {
	for _, level := range []cas.Compression{cas.CompressFast, cas.CompressMax, cas.CompressOff} {
		if v := compression(level); v.String() == s {
			*c = v
			return nil
		}
	}
	return errCompression
}

// String implements [pflag.Value].
func (c *compression) String() string {
	switch cas.Compression(*c) {
	case cas.CompressMax:
		return "max"
	case cas.CompressOff:
		return "off"
	}
	return "fast"
}

// Type implements [pflag.Value].
func (c *compression) Type() string { return "level" }

// jobs is a flag's value that is a count, 0 for the default.
type jobs int

// Set implements [pflag.Value].
func (j *jobs) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1024 {
		return errors.New("not a number from 1 to 1024")
	}
	*j = jobs(n)
	return nil
}

// String implements [pflag.Value].
func (j *jobs) String() string { return strconv.Itoa(int(*j)) }

// Type implements [pflag.Value].
func (j *jobs) Type() string { return "count" }

// duration is a flag's value that is a time span, not negative.
type duration time.Duration

// Set implements [pflag.Value].
func (d *duration) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return errors.New("not a duration like 90s, 5m or 0s")
	}
	*d = duration(v)
	return nil
}

// String implements [pflag.Value].
func (d *duration) String() string { return time.Duration(*d).String() }

// Type implements [pflag.Value].
func (d *duration) Type() string { return "duration" }
