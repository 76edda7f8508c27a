package measure

import (
	"os/exec"
	"syscall"
)

// EndWithUs has the kernel kill a command that is yet to be started when this process has gone,
// however that came; on Linux alone. What the command starts itself is not killed.
func EndWithUs(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
