package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dfs/client"
)

const rootHelp = `dfs keeps directories the same through a hub, sending only what the hub lacks.

A hub keeps volumes: trees of files with a history. A directory that was pushed
or pulled is a replica of one volume; its state is in DIR/.dfs. The hub is a
local repository (a directory) or a server (http://host:port, see dfs serve).

Examples:
  dfs push ./docs                          # to the default local repository
  dfs pull ./copy --volume docs            # and back, to another place
  dfs sync ./copy                          # both ways
  dfs push ./docs --hub http://nas:8420    # to a server`

const helpHelp = `Print the help of a command.

Usage:
  dfs help [COMMAND...]

Examples:
  dfs help
  dfs help push
  dfs help hub invite`

// root returns the command line.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "dfs",
		Short:         "keep directories the same through a hub",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &client.UsageError{Message: "no command given"}
			}
			return unknown(cmd, args[0])
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpFunc(a.printHelp)
	root.SetHelpCommand(a.help(root))
	root.AddCommand(a.push(), a.pull(), a.sync(), a.status(), a.conflicts(), a.resolve(), a.checkIgnore(), a.serve(), a.events(), a.login(), a.logout(), a.hub(), a.bench(), a.version(), a.completion(root))
	return a.command(root, func(context.Context, []string) (int, error) { return exitDone, nil })
}

func unknown(root *cobra.Command, name string) error {
	message := fmt.Sprintf("unknown command %s", quoted(name))
	if similar := root.SuggestionsFor(name); len(similar) > 0 {
		message += "; is it " + strings.Join(similar, ", ") + "?"
	}
	return &client.UsageError{Message: message}
}

func (a *app) help(root *cobra.Command) *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "print the help of a command",
		Long:  helpHelp,
		Args:  cobra.ArbitraryArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if above, err := below(root, args); err == nil {
				for _, c := range above.Commands() {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}, func(_ context.Context, args []string) (int, error) {
		cmd, err := below(root, args)
		if err != nil {
			return 0, err
		}
		cmd.InitDefaultHelpFlag()
		a.printHelp(cmd, nil)
		return exitDone, nil
	})
}

// below returns the command to which the names lead from cmd.
func below(cmd *cobra.Command, names []string) (*cobra.Command, error) {
	for _, name := range names {
		list := cmd.Commands()
		i := slices.IndexFunc(list, func(c *cobra.Command) bool { return c.Name() == name })
		if i < 0 {
			return nil, unknown(cmd, name)
		}
		cmd = list[i]
	}
	return cmd, nil
}

// printHelp prints a command's help text, then the commands below it or else its flags.
func (a *app) printHelp(cmd *cobra.Command, _ []string) {
	fmt.Fprintln(a.out.stdout, cmd.Long)
	if cmd.HasSubCommands() {
		fmt.Fprintf(a.out.stdout, "\nCommands:\n")
		w := tabwriter.NewWriter(a.out.stdout, 14, 0, 2, ' ', 0)
		for _, c := range cmd.Commands() {
			if !c.Hidden {
				fmt.Fprintf(w, "  %s\t%s\n", c.Name(), c.Short)
			}
		}
		w.Flush()
		if !cmd.HasParent() {
			fmt.Fprint(a.out.stdout, "\ndfs help COMMAND tells more. Each flag --a-b is also the variable DFS_A_B.\n")
		} else {
			fmt.Fprintf(a.out.stdout, "\ndfs help %s COMMAND tells more.\n", cmd.Name())
		}
		return
	}
	fmt.Fprintf(a.out.stdout, "\nFlags:\n")
	w := tabwriter.NewWriter(a.out.stdout, 0, 0, 3, ' ', 0)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { printFlag(w, f) })
	w.Flush()
}

func printFlag(w io.Writer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	short := "   "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ","
	}
	value, usage := pflag.UnquoteUsage(f)
	if f.NoOptDefVal != "" {
		value = "" // a switch
	}
	fmt.Fprintf(w, "  %s --%s %s\t%s\n", short, f.Name, value, usage)
}

// directoryArgument makes cmd take at most one argument, DIR.
func directoryArgument(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

// hidden makes flags that help does not name.
func hidden(fs *pflag.FlagSet, names ...string) {
	for _, name := range names {
		fs.Lookup(name).Hidden = true
	}
}
