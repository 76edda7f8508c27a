package replica

// StableInodes: the system's own file systems keep inode numbers.
func StableInodes(string) bool { return true }
