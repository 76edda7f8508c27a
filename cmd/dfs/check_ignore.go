package main

import (
	"context"

	"github.com/spf13/cobra"

	"dfs/client"
	"dfs/client/worktree/ignore"
)

const checkIgnoreHelp = `Tell which paths are ignored, and with -v which pattern decides.

Patterns are in files named .dfsignore, which hold for the directory that they are
in and all below it, and in DIR/.dfs/exclude, which --exclude of push and pull adds to and which
wins over them. The syntax is that of git's .gitignore. What is ignored is left
alone: not sent, not fetched, not deleted.

Printed are the paths that are ignored. With -v it is every path, after the file,
line and pattern that decides and a tab: file:line:pattern, or :: for none. A path
need not exist; one that ends in a slash is taken for a directory.

Usage:
  dfs check-ignore PATH... [flags]

Examples:
  dfs check-ignore build/main.o
  dfs check-ignore -v notes.txt`

func (a *app) checkIgnore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check-ignore PATH...",
		Short: "tell which paths are ignored, and why",
		Long:  checkIgnoreHelp,
		Args:  cobra.MinimumNArgs(1),
	}
	fs := cmd.Flags()
	a.out.jsonFlag(fs)
	fs.CountVarP(&a.out.verbose, "verbose", "v", "name the pattern that decides")
	return a.command(cmd, func(_ context.Context, args []string) (int, error) {
		return exitDone, client.Ignored(args, a.out.ignored)
	})
}

// ignored prints whether a path is ignored, and by what pattern.
func (o *output) ignored(path string, ignored bool, by *ignore.Pattern) error {
	switch {
	case o.json:
		o.object(ignoredLine(path, ignored, by))
	case o.verbose > 0 && by == nil:
		o.result("::\t%s", quoted(path))
	case o.verbose > 0:
		o.result("%s:%d:%s\t%s", quoted(by.Source), by.Line, harmless(by.Text), quoted(path))
	case ignored:
		o.result("%s", quoted(path))
	}
	return nil
}

func ignoredLine(path string, ignored bool, by *ignore.Pattern) any {
	line := struct {
		Type    string    `json:"type"` // "ignore"
		Path    jsonPath  `json:"path"`
		Ignored bool      `json:"ignored"`
		Source  *jsonPath `json:"source,omitempty"`
		Line    int       `json:"line,omitempty"`
		Pattern *jsonPath `json:"pattern,omitempty"`
	}{Type: "ignore", Path: jsonPath(path), Ignored: ignored}
	if by != nil {
		source, pattern := jsonPath(by.Source), jsonPath(by.Text)
		line.Source, line.Line, line.Pattern = &source, by.Line, &pattern
	}
	return line
}
