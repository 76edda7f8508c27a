package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dfs/cas"
	"dfs/client"
	"dfs/client/remote"
)

// A cycle is client.Push, client.Pull or client.Sync.
type cycle func(context.Context, client.Config) (*client.Result, error)

// transfer runs push, pull or sync and prints what came of it.
func (a *app) transfer(ctx context.Context, command string, flags *runFlags, args []string, do cycle) (code int, err error) {
	cfg, err := a.configure(flags, args, command != "pull")
	if err != nil {
		return 0, err
	}
	stop, err := flags.profile.start()
	if err != nil {
		return 0, err
	}
	progress := a.out.startProgress()
	cfg.Report = progress.report
	res, err := do(ctx, cfg)
	progress.stop()
	if perr := stop(); err == nil {
		err = perr
	}
	if res != nil {
		a.partial = res
		a.out.outcome(res)
	}
	if err != nil {
		return 0, err
	}
	if res.Unfinished {
		a.out.notice("something was changed again and again while dfs synced; what came last is not synced yet: run dfs sync again when it is quiet")
	}
	if a.out.json {
		a.out.object(res.Summary)
	} else {
		a.out.result("%s", summaryText(&res.Summary, int64(len(res.Problems))))
		if command == "sync" && len(res.Conflicts) > 0 {
			a.out.notice("dfs conflicts tells more, dfs resolve settles them")
		}
		if a.out.verbose > 0 {
			a.out.result("%s", detailText(&res.Summary))
		}
	}
	return exitCode(ctx, res, nil), nil
}

// configure makes the client's configuration of the flags and DIR. When create
// is set, a local repository that is not there is made for a replica that is new.
func (a *app) configure(flags *runFlags, args []string, create bool) (client.Config, error) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	_, bound, err := client.HubOf(dir)
	if err != nil {
		return client.Config{}, err
	}
	cfg := client.Config{
		Dir:    dir,
		Volume: flags.volume,
		Jobs:   int(flags.jobs),
		DryRun: flags.dryRun,
		Rehash: flags.rehash,
		Codec:  cas.NewCodec(cas.Compression(flags.compression)),
		Wait:   flags.wait,

		Exclude:   flags.exclude,
		MaxDelete: client.DeleteLimit(flags.maxDelete),
		Adopt:     flags.adopt,
		Rebind:    flags.rebind,
		Notice:    func(text string) { a.out.notice("%s", harmless(text)) },
	}
	for _, pattern := range flags.exclude {
		if strings.ContainsAny(pattern, "\n\x00") || pattern == "" {
			return client.Config{}, &client.UsageError{Message: fmt.Sprintf("--exclude %s: a pattern is one line of text", quoted(pattern))}
		}
	}
	if cfg.State, err = xdg(a.env, "XDG_STATE_HOME", ".local/state"); err != nil {
		cfg.Notice(err.Error() + ", so a directory that loses its .dfs will not be noticed")
	} else {
		cfg.State = filepath.Join(cfg.State, "dfs")
	}
	if cfg.Hub, err = location(flags.hub, "--"+hubFlag); err != nil {
		return client.Config{}, err
	}
	if !bound {
		if cfg.NewHub, err = a.newHub(); err != nil {
			return client.Config{}, err
		}
	}
	if cfg.Host, err = os.Hostname(); err != nil {
		return client.Config{}, err
	}
	d := dialer{dir: dir, wait: flags.wait, notice: a.out.notice, bound: bound, given: flags.hub != "", create: create, rebind: flags.rebind, dryRun: flags.dryRun, rate: int64(flags.bwlimit)}
	d.options = func(location string) (remote.Options, error) { return a.remoteOptions(location, flags.tokenFile) }
	cfg.Dial = d.dial
	return cfg, nil
}

// outcome prints what a run has to say about single paths.
func (o *output) outcome(res *client.Result) {
	for _, c := range res.Changes {
		if res.Command == "sync" && !o.json {
			o.result("  %s%s", map[client.Side]string{client.Local: "here → hub", client.Remote: "hub → here"}[c.Side], changeText(c))
			continue
		}
		o.change(c)
	}
	o.settlings(res.Settlings)
	o.skipped(res.Skipped)
	o.paths("nested", res.Nested, "a replica of its own (it holds .dfs); left alone")
	o.paths("kept", res.Kept, "deleted on one side, and changed or not empty on the other; it is kept")
	o.problems(res.Problems)
	said := "changed here and on the hub; the hub keeps both versions, this directory its own"
	if res.Command == "pull" {
		said = "changed here and on the hub; left as it is here"
	}
	o.paths("conflict", res.Conflicts, said)
	o.waits(res.Waits)
}

// settlings prints what a strategy would make of conflicts.
func (o *output) settlings(list []client.Settling) {
	for _, s := range list {
		switch {
		case o.json:
			o.object(struct {
				Type string   `json:"type"` // "settle"
				Path jsonPath `json:"path"`
				Take string   `json:"take"`
				Copy jsonPath `json:"copy,omitempty"`
			}{"settle", jsonPath(s.Path), s.Take, jsonPath(s.Copy)})
		case s.Copy != "":
			o.result("  conflict    %s: settled by %s, as %s", quoted(s.Path), s.Take, quoted(s.Copy))
		default:
			o.result("  conflict    %s: settled by %s", quoted(s.Path), s.Take)
		}
	}
}

// change prints a change that a dry run would make.
func (o *output) change(c client.Change) {
	if o.json {
		o.object(note{Type: "change", Side: c.Side, Op: c.Op, Path: jsonPath(c.Path), From: jsonPath(c.From)})
		return
	}
	o.result("%s", changeText(c))
}

func changeText(c client.Change) string {
	text := fmt.Sprintf("  %-9s %s", opText(c.Op), quoted(c.Path))
	if c.Op == client.Moved {
		text += " (from " + quoted(c.From) + ")"
	}
	return text
}

func opText(op client.Op) string {
	if op == client.Added {
		return "new"
	}
	return string(op)
}

// summaryText tells in one line what a run did.
func summaryText(s *client.Summary, problems int64) string {
	var b strings.Builder
	counts := client.Counts{Added: s.Added, Modified: s.Modified, Moved: s.Moved, Deleted: s.Deleted}
	changed := s.Added + s.Modified + s.Moved + s.Deleted
	done := map[string]string{"push": "pushed", "pull": "pulled", "sync": "synced"}[s.Command]
	if s.DryRun {
		done = "would " + s.Command
	}
	switch {
	case changed > 0:
		what := countsText(counts)
		if s.Pushed != nil {
			what = bothText(s)
		}
		fmt.Fprintf(&b, "%s %s: %s", done, count(changed, "file"), what)
		if !s.DryRun {
			b.WriteString("; " + movedText(s))
		}
	case s.Conflicts > 0 || problems > 0:
		b.WriteString(done + " nothing")
	default:
		b.WriteString(done + ": no file differs")
		if s.FilesScanned > 0 {
			fmt.Fprintf(&b, ", %s checked", count(s.FilesScanned, "file"))
		}
	}
	if s.DryRun && s.Command == "sync" {
		fmt.Fprintf(&b, "; %s to send, %s to receive", size(s.BytesUp), size(s.BytesDown))
	}
	fmt.Fprintf(&b, " in %s", seconds(s.DurationS))
	if s.Settled > 0 {
		b.WriteString("; " + count(s.Settled, "conflict") + " settled")
	}
	if s.Conflicts > 0 {
		b.WriteString("; " + count(s.Conflicts, "conflict"))
	}
	if problems > 0 {
		b.WriteString("; " + count(problems, "problem"))
	}
	fmt.Fprintf(&b, " → volume %s", quoted(s.Volume))
	if !s.Snapshot.IsZero() {
		fmt.Fprintf(&b, " at snapshot %s", s.Snapshot.Short())
	}
	if s.Merged && changed > 0 {
		b.WriteString(", merged with changes of others")
	}
	return b.String()
}

// bothText tells what a sync did on each side.
func bothText(s *client.Summary) string {
	var parts []string
	if *s.Pushed != (client.Counts{}) {
		parts = append(parts, countsText(*s.Pushed)+" there")
	}
	if *s.Pulled != (client.Counts{}) {
		parts = append(parts, countsText(*s.Pulled)+" here")
	}
	return strings.Join(parts, ", ")
}

// movedText tells what crossed the wire, or for a hub in process what was new to
// the receiving side.
func movedText(s *client.Summary) string {
	if s.Command == "sync" && s.Requests == 0 {
		return "transferred " + size(s.BytesNew)
	}
	if s.Command == "sync" {
		return "sent " + size(s.BytesSent) + ", received " + size(s.BytesReceived)
	}
	verb, bytes := "sent", s.BytesSent
	if s.Command == "pull" {
		verb, bytes = "received", s.BytesReceived
	}
	if s.Requests == 0 {
		verb, bytes = "stored", s.BytesNew
		if s.Command == "pull" {
			verb = "fetched"
		}
	}
	text := verb + " " + size(bytes)
	if s.Command == "push" {
		text += " of " + size(s.BytesScanned)
	}
	if r := rate(bytes, s.DurationS); r != "" {
		text += " at " + r
	}
	return text
}

func countsText(c client.Counts) string {
	var parts []string
	for _, p := range []struct {
		n    int64
		word string
	}{{c.Added, "new"}, {c.Modified, "modified"}, {c.Moved, "moved"}, {c.Deleted, "deleted"}} {
		if p.n > 0 {
			parts = append(parts, number(p.n)+" "+p.word)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// detailText is the line that -v adds.
func detailText(s *client.Summary) string {
	return fmt.Sprintf("  hub %s; %s (%s) scanned, %s (%s) read; %s new of %s; %s skipped; %s, %s repeated, sent %s, received %s",
		quoted(s.Hub), count(s.FilesScanned, "file"), size(s.BytesScanned), number(s.FilesHashed), size(s.BytesHashed),
		count(s.ChunksNew, "chunk"), size(s.BytesNew), number(s.Skipped),
		count(s.Requests, "request"), number(s.Retries), size(s.BytesSent), size(s.BytesReceived))
}
