package api

// Append appends the binary form of c to dst: conflict in the grammar of
// messages. The error is that of a manifest that is not valid.
func (c *Conflict) Append(dst []byte) ([]byte, error) { return c.append(dst) }

// DecodeConflict reads the binary form of a conflict. Its errors are ErrInvalid;
// the result shares nothing with b.
func DecodeConflict(b []byte) (Conflict, error) {
	d := &decoder{buf: b}
	c := d.conflict()
	return c, d.end("conflict")
}
