// Package access knows who may do what on a hub: the tokens of clients with their rights,
// the join keys with which clients register, and how often strangers may guess.
//
// A token and a join key are 256 random bits, so their SHA-256 is all that is stored, without
// a salt and without a slow function. A secret is looked up by its hash, so how long that takes
// tells nothing of any other.
//
// # Records
//
//	token   = "t" hash   {"client", "name", "grants", "created"}
//	invite  = "i" hash   {"id", "name", "grants", "created", "expires"}: a join key
//	use     = "u" hash   {"token": hash, "client"}: what a join key was used for
//	revoked = "x" hash   {"at"}: of a token or a join key
//
// where hash is the 32 bytes of a secret's SHA-256 and values are JSON. Records are only ever
// added, never changed or deleted: what is revoked or used stays so whatever is lost later.
package access
