package main

import (
	"context"

	"github.com/spf13/cobra"
)

const completionHelp = `Print a script that makes a shell complete dfs's commands, flags and directories.

Usage:
  dfs completion bash|zsh|fish|powershell

Examples:
  source <(dfs completion bash)
  dfs completion zsh > "${fpath[1]}/_dfs"
  dfs completion fish > ~/.config/fish/completions/dfs.fish`

func (a *app) completion(root *cobra.Command) *cobra.Command {
	return a.command(&cobra.Command{
		Use:       "completion SHELL",
		Short:     "print a script for shell completion",
		Long:      completionHelp,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
	}, func(_ context.Context, args []string) (int, error) {
		w := a.out.stdout
		switch args[0] {
		case "bash":
			return exitDone, root.GenBashCompletionV2(w, true)
		case "zsh":
			return exitDone, root.GenZshCompletion(w)
		case "fish":
			return exitDone, root.GenFishCompletion(w, true)
		}
		return exitDone, root.GenPowerShellCompletionWithDesc(w)
	})
}
