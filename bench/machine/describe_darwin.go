package machine

import "golang.org/x/sys/unix"

// describe fills in what macOS tells.
func describe(m *Machine, dir string) error {
	var err error
	if m.CPU, err = unix.Sysctl("machdep.cpu.brand_string"); err != nil {
		return err
	}
	if m.Kernel, err = unix.Sysctl("kern.osrelease"); err != nil {
		return err
	}
	memory, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return err
	}
	m.MemoryBytes = int64(memory)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	m.FS = unix.ByteSliceToString(fs.Fstypename[:])
	return nil
}

// available returns half of the memory: macOS does not tell simply what is free.
func available() int64 {
	memory, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(memory / 2)
}
