//go:build unix

package measure

import (
	"os/exec"
	"syscall"
)

// inGroup makes the command the first of a process group, and the end of its
// context the end of the group.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
