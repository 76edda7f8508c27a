// Package merkle is a history-independent search tree over content-addressed
// nodes: one sorted map path → value per root, a prolly tree. Equal maps have
// equal roots, whatever the order of the edits that made them, so comparing two maps is
// comparing two IDs, and [Diff] reads only where they differ. [Build] makes a tree
// from sorted entries in the memory of a few nodes, [Edit] makes the next tree
// along the edited paths only, [Walk] and [Cursor] read.
//
// # Format, version 1
//
// A node is a blob of kind [cas.Node]. Lengths count bytes; a varint is an
// unsigned LEB128 number (as in encoding/binary) of the fewest bytes.
//
//	node    = leaf | inner
//	leaf    = version 0x00  *( key size value )
//	inner   = version level 1*( key child count )
//	version = 0x01
//	level   = byte                     ; 1 to 63: one more than the children's
//	key     = shared added suffix
//	shared  = varint                   ; bytes shared with the key before in this node, 0 for the first
//	added   = varint                   ; length of suffix, 1 or more
//	suffix  = *byte                    ; the rest of the key
//	size    = varint                   ; 1 to 16,384
//	value   = *byte                    ; size bytes, opaque here
//	child   = 32 byte                  ; ID of a node of the level below
//	count   = varint                   ; leaf entries below the child, 1 to 2^63-1; so are their sums
//
// A key is a path, 1 to 4,095 bytes; in an inner node it is the last path below
// the child. Keys ascend strictly by [Compare], within a node and from each node to
// the next of its level, and share as many bytes as they can. The node ends after
// its last entry.
//
// The nodes of a level hold the level's entries in order: level 0 those of the
// map, each other level one per node of the level below. A node ends after an
// entry, and the next begins, when it has two entries or more and, for
//
//	x = length of the node's entries as encoded, this one included
//	s = length of this entry as encoded
//	h = number level+1 (from 1) of the SplitMix64 generator seeded with XXH64(key, seed 0)
//
// x ≥ 2,048 and (x ≥ 32,768 or ⌊h / 2^14⌋ < s·x³). The last node of a level ends with
// the level. The root is the node of the first level that has only one; the empty map's
// is the leaf without entries. So a root is a leaf or has two children or more; only the
// last node of a level may have one child.
//
// The rule makes the rate of cuts grow as x³, a Weibull distribution of shape 4
// around a target of 8 KiB: sizes average 7.4 KiB, with few nodes below 4 or above 12 KiB.
// It takes the hash of the key alone, so a value that changes within its
// length moves no cut. Chosen keys can bring nodes to 2 KiB or 32 KiB and,
// where entries are large, to 53,255 bytes; no further.
//
// A decoder refuses every other form, so a node has one encoding. It does not check
// where nodes were cut: a tree cut otherwise reads well, but is not the tree of its
// map, which comparing with the root of a [Build] tells.
//
// # Example
//
// The map { "a": 01, "a/b": 02 03, "a b": 04 } is one leaf of 20 bytes, whose
// SHA-256, the root, is
// 455d7eeedb05b561abc34d39ee7f37d68ce3579d024129eb3f6885aaeac4e4d7:
//
//	01 00                      version 1, level 0
//	00 01 61       01 01       "a": shares 0, adds 1; 1 byte of value
//	01 02 2f 62    02 02 03    "a/b": shares "a", adds "/b"; 2 bytes of value
//	01 02 20 62    01 04       "a b": "/" sorts below " "
//
// Six entries wide/0 to wide/5 with values of 7,000 to 7,005 zero bytes make three leaves
// of two and this inner node:
//
//	01 01                                        version 1, level 1
//	00 06 77 69 64 65 2f 31  bd da ce … 39 39 2a  02   up to "wide/1": 2 entries
//	05 01 33                 55 f2 2c … ae 78 77  02   up to "wide/3"
//	05 01 35                 78 b7 29 … 05 bb 2b  02   up to "wide/5"
//
// More trees, with all their nodes, are in testdata/vectors/merkle.
//
// Sources: the prolly trees of Noms, and Dolt's key splitter with its size-dependent
// threshold (dolthub/dolt, go/store/prolly/tree/node_splitter.go), here in integers.
package merkle
