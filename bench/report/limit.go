package report

import (
	"fmt"
	"strings"
	"time"
)

// The keys of a machine's limits, measured in the same run (see package machine). All
// are one core's, but for WriteSync, Create and Fsync, which are the whole machine's.
const (
	LimitCores     = "cores"      // how many; 1 when it is missing
	LimitRead      = "read"       // bytes/s: read(2) of files in the page cache
	LimitRabin     = "rabin"      // bytes/s that are cut into chunks, those that the chunker skips counted too
	LimitSHA256    = "sha256"     // bytes/s, in pieces of 64 KiB
	LimitLoopback  = "loopback"   // bytes/s through a TCP connection to the same machine
	LimitWriteSync = "write_sync" // bytes/s: write and fsync of large files
	LimitOpen      = "open"       // files/s: open, read to the end and close of files of 4 KiB
	LimitStat      = "stat"       // entries/s: directory reads with a stat of each entry
	LimitCreate    = "create"     // files/s: create, write 4 KiB, rename, with a sync of the file system every some thousand
	LimitFsync     = "fsync"      // syncs/s: 4 KiB at the end of a file, and its fsync
)

const (
	// leastChunk is the size up to which a file is one chunk, which is not cut: the
	// rolling hash does not see it.
	leastChunk = 48 * kib
	// created is the size of the files of LimitCreate, whose writing is in its rate.
	created = 4 * kib
	// changed is the part of the files of which the content is new after a churn (see
	// package workload: of 1 % of the files, three of five are edited).
	changed = 0.006
	// nextState is that part in the next of the states of a source tree.
	nextState = 0.04
)

// The round trips of the protocol that must wait for one another, the connection's among them.
const (
	asked       = 2 // connection, start
	firstPushed = 3 // connection, start, commit: an empty hub is not asked what it lacks
	pushed      = 4 // connection, start, diff, commit
	pulled      = 4 // connection, start, changes, blobs
)

// term is one cost of an operation.
type term struct {
	factor float64
	what   string // "bytes", "files", "cut" (bytes that are rolled over), "more" (bytes beyond those of created files) or "1"
	limit  string
}

// bound is the least time of an operation: the cores share the work of the
// processor, which no disk can shorten, the disk takes its time, which no core can, and
// what is last begins when all that is done. Trips are those over a link.
type bound struct {
	cores, disk, last []term
	trips             int
}

// synced is what makes a small commit durable, when what is in it is known.
var synced = []term{{1, "1", LimitFsync}}

// boundOf returns an operation's bound, an empty one of an operation that it does not
// know. What a name adds after a comma, like "upload, 8 streams", does not matter.
func boundOf(op string) bound {
	op, _, _ = strings.Cut(op, ",")
	switch op {
	case OpPush, OpFirstState:
		return bound{cores: pushing(1), disk: []term{{1, "bytes", LimitWriteSync}}, trips: firstPushed}
	case OpResumed:
		return bound{cores: pushing(0.5), disk: []term{{0.5, "bytes", LimitWriteSync}}, trips: pushed}
	case OpPull:
		return bound{
			cores: []term{{1, "bytes", LimitRead}, {2, "bytes", LimitSHA256}, {1, "bytes", LimitLoopback}},
			disk:  []term{{1, "files", LimitCreate}, {1, "more", LimitWriteSync}},
			trips: pulled,
		}
	case OpUpload:
		return bound{
			cores: []term{{1, "bytes", LimitSHA256}, {1, "bytes", LimitLoopback}},
			disk:  []term{{1, "bytes", LimitWriteSync}},
			trips: 1,
		}
	case OpUnchanged, OpStatus:
		return bound{cores: []term{{1, "files", LimitStat}}, trips: asked}
	case OpChangedStatus:
		return bound{cores: []term{{1, "files", LimitStat}, {changed, "files", LimitOpen}}, trips: asked}
	case OpPushChurn:
		return bound{cores: []term{{1, "files", LimitStat}, {changed, "files", LimitOpen}}, last: synced, trips: pushed}
	case OpNextState:
		return bound{cores: []term{{1, "files", LimitStat}, {nextState, "files", LimitOpen}}, last: synced, trips: pushed}
	case OpOneChanged:
		return bound{cores: []term{{1, "files", LimitStat}}, last: synced, trips: pushed}
	case OpOverwritten, OpInserted, OpAppended:
		return bound{cores: []term{{1, "bytes", LimitRead}, {1, "bytes", LimitSHA256}}, last: synced, trips: pushed}
	case OpCommit:
		return bound{last: synced, trips: 1}
	case OpPullChurn:
		return bound{disk: []term{{changed, "files", LimitCreate}}, trips: pulled}
	case OpMerkleDiff:
		return bound{cores: []term{{1, "bytes", LimitRead}}}
	}
	return bound{}
}

// pushing is the processor's work of a first push, of that part of it.
func pushing(part float64) []term {
	return []term{{part, "files", LimitOpen}, {part, "bytes", LimitRead}, {part, "cut", LimitRabin}, {2 * part, "bytes", LimitSHA256}, {part, "bytes", LimitLoopback}}
}

// Work is what was done, as far as its least time depends on it.
type Work struct {
	Operation    string
	Bytes, Files int64
	Link         string // as a [Record] has it
	Wire         int64  // bytes that went one way, the way of more
}

// Limit returns the least time that the machine's limits allow for some work, and the formula:
//
//	push               max((files/open + bytes/read + (bytes − 48 KiB·files)/rabin + 2·bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)
//	pull               max((bytes/read + 2·bytes/sha256 + bytes/loopback)/cores, files/create + (bytes − 4 KiB·files)/write_sync)
//	upload             max((bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)
//	unchanged, status  (files/stat)/cores
//	push-churn         (files/stat + 0.006·files/open)/cores + 1/fsync
//	pull-churn         0.006·files/create
//	commit             1/fsync
//	merkle diff        (bytes/read)/cores, of the nodes that are read
//
//	push of the first state          as push
//	push of the next state           (files/stat + 0.04·files/open)/cores + 1/fsync
//	push after 1 file changed        (files/stat)/cores + 1/fsync
//	push after an edit of one file   (bytes/read + bytes/sha256)/cores + 1/fsync
//	push resumed after a kill        half of push
//	status after 1 % changed         (files/stat + 0.006·files/open)/cores
//
// Over a link the least time is the greater of that and
//
//	trips·RTT + wire/rate
//
// where wire is what the tool itself sent or received, whichever is more, and trips are
// those that must wait for one another in dfs's protocol: of a first push 3 (connection, start,
// commit), of other pushes 4 (and diff), of a pull 4 (connection, start, changes, blobs), of
// unchanged and status 2, of an upload and a commit 1.
//
// Each byte is hashed twice, by the client and by the hub, and the hub's cost is on
// the same cores. Each byte is cut once: the chunker skips the first 48 KiB of every
// chunk, but the limit is measured in bytes that come out as chunks, so the skipped
// ones are in its rate already, and no factor stands before it. Only a file of up to
// 48 KiB costs nothing there: it is one chunk and never rolled over. A file that was
// edited must be read and hashed whole, but need not be cut where its former chunks are.
// The rate of created files has the writing of 4 KiB each in it. A pull-churn need not look
// at what did not change. A small commit's sync comes last: what it is about must be known.
// Of entries only the files are known, not the directories.
//
// What was not measured is left out, of the formula too: that makes the least time
// smaller, never too great. It
// holds for content that neither compresses nor repeats: where it does, fewer bytes are
// sent and written. An operation of another name, or without any measured limit, has
// none: 0 and an empty formula. Such are those under strace, and what a hub takes to be ready
// after a kill, which depends on what its store had not written yet.
//
// It is a bound for a tool that does what dfs does. One that hashes nothing, like
// rsync, or syncs nothing may be below it.
func Limit(w Work, limits map[string]float64) (seconds float64, formula string) {
	b := boundOf(w.Operation)
	cores := limits[LimitCores]
	if cores < 1 {
		cores = 1
	}
	busy, busyFormula := sum(b.cores, w, limits)
	busy /= cores
	if busyFormula != "" {
		busyFormula = "(" + busyFormula + ")/cores"
	}
	disk, diskFormula := sum(b.disk, w, limits)
	seconds, formula = greater(busy, busyFormula, disk, diskFormula)
	if last, lastFormula := sum(b.last, w, limits); lastFormula != "" {
		seconds += last
		formula = strings.TrimPrefix(formula+" + "+lastFormula, " + ")
	}
	wire, wireFormula := overLink(b.trips, w)
	return greater(seconds, formula, wire, wireFormula)
}

// greater returns the greater of two times, of which one may not be known.
func greater(a float64, formulaA string, b float64, formulaB string) (float64, string) {
	switch {
	case formulaB == "":
		return a, formulaA
	case formulaA == "":
		return b, formulaB
	}
	return max(a, b), "max(" + formulaA + ", " + formulaB + ")"
}

// overLink returns the least time over a link, none where there is no link.
func overLink(trips int, w Work) (seconds float64, formula string) {
	delay, rate, _ := strings.Cut(w.Link, "-")
	rtt, err := time.ParseDuration(delay)
	if err != nil || trips == 0 {
		return 0, ""
	}
	seconds, formula = float64(trips)*rtt.Seconds(), fmt.Sprintf("%d·RTT", trips)
	var mbit float64
	if n, _ := fmt.Sscanf(rate, "%gmbit", &mbit); n == 1 && mbit > 0 {
		seconds += float64(w.Wire) * 8 / (mbit * 1e6)
		formula += " + wire/rate"
	}
	return seconds, formula
}

// sum adds up the terms whose limit is known.
func sum(terms []term, w Work, limits map[string]float64) (seconds float64, formula string) {
	var parts []string
	for _, t := range terms {
		rate := limits[t.limit]
		if rate <= 0 {
			continue
		}
		amount, name := float64(w.Bytes), t.what
		switch t.what {
		case "1":
			amount = 1
		case "files":
			amount = float64(w.Files)
		case "cut":
			amount, name = float64(max(0, w.Bytes-leastChunk*w.Files)), "(bytes − 48 KiB·files)"
		case "more":
			amount, name = float64(max(0, w.Bytes-created*w.Files)), "(bytes − 4 KiB·files)"
		}
		seconds += t.factor * amount / rate
		part := name + "/" + t.limit
		if t.factor != 1 {
			part = fmt.Sprintf("%g·%s", t.factor, part)
		}
		parts = append(parts, part)
	}
	return seconds, strings.Join(parts, " + ")
}
