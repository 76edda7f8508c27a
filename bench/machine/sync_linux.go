package machine

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncBelow makes all below dir durable: the file system that holds it.
func syncBelow(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}
