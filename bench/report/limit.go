package report

import (
	"fmt"
	"strings"
)

// The operations that have a least time. Others have none.
const (
	OpPush      = "push"       // the first push
	OpUnchanged = "unchanged"  // a push with nothing changed
	OpPushChurn = "push-churn" // a push after some files changed
	OpStatus    = "status"
	OpPull      = "pull"       // into an empty directory
	OpPullChurn = "pull-churn" // into a former state
	OpUpload    = "upload"     // blobs in parallel streams
)

// The keys of a machine's limits. All are a single thread's, but for WriteSync and
// Create, which are the whole machine's.
const (
	LimitCores     = "cores"      // how many; 1 when it is missing
	LimitRead      = "read"       // bytes/s: read(2) of files in the page cache
	LimitRabin     = "rabin"      // bytes/s that go through the rolling hash, each byte counted that it takes in
	LimitSHA256    = "sha256"     // bytes/s, in pieces of 64 KiB
	LimitLoopback  = "loopback"   // bytes/s through a TCP connection to the same machine
	LimitWriteSync = "write_sync" // bytes/s: write and fsync of large files
	LimitOpen      = "open"       // files/s: open, read to the end and close of files of 4 KiB
	LimitStat      = "stat"       // files/s: directory reads with a stat of each entry
	LimitCreate    = "create"     // files/s: create, write 4 KiB, close, and a sync of the file system at the end
)

// rolled is the part of the bytes that the rolling hash takes in: of a chunk of 64 KiB
// in the mean, the first 48 KiB are skipped.
const rolled = 0.25

// term is one cost of an operation.
type term struct {
	what   string // "bytes" or "files"
	factor float64
	limit  string
}

// bound is the least time of an operation: the cores share the work of the
// processor, which no disk can shorten, and the disk takes its time, which no core can.
type bound struct{ cores, disk []term }

// boundOf returns an operation's bound.
func boundOf(op string) bound {
	switch op {
	case OpPush:
		return bound{
			cores: []term{{"files", 1, LimitOpen}, {"bytes", 1, LimitRead}, {"bytes", rolled, LimitRabin}, {"bytes", 2, LimitSHA256}, {"bytes", 1, LimitLoopback}},
			disk:  []term{{"bytes", 1, LimitWriteSync}},
		}
	case OpPull:
		return bound{
			cores: []term{{"bytes", 1, LimitRead}, {"bytes", 2, LimitSHA256}, {"bytes", 1, LimitLoopback}},
			disk:  []term{{"files", 1, LimitCreate}, {"bytes", 1, LimitWriteSync}},
		}
	case OpUpload:
		return bound{
			cores: []term{{"bytes", 1, LimitSHA256}, {"bytes", 1, LimitLoopback}},
			disk:  []term{{"bytes", 1, LimitWriteSync}},
		}
	case OpUnchanged, OpStatus, OpPushChurn:
		return bound{cores: []term{{"files", 1, LimitStat}}}
	}
	return bound{}
}

// Limit returns the least time that the machine's limits allow for an operation on so
// many bytes in so many files, and the formula:
//
//	push                       max((files/open + bytes/read + 0.25·bytes/rabin + 2·bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)
//	pull                       max((bytes/read + 2·bytes/sha256 + bytes/loopback)/cores, files/create + bytes/write_sync)
//	upload                     max((bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)
//	unchanged, status,         (files/stat)/cores
//	push-churn
//
// Each byte is hashed twice, by the client and by the hub, and the hub's cost is on
// the same cores. What was not measured is left out, of the formula too: that makes
// the least time smaller, never too great. The link is loopback: a delay or a rate is
// not in it. An operation of another name, or without any measured limit, has none:
// 0 and an empty formula.
//
// It is a bound for a tool that does what dfs does. One that hashes nothing, like
// rsync, may be below it.
func Limit(op string, bytes, files int64, limits map[string]float64) (seconds float64, formula string) {
	b := boundOf(op)
	cores := limits[LimitCores]
	if cores < 1 {
		cores = 1
	}
	busy, busyFormula := sum(b.cores, bytes, files, limits)
	busy /= cores
	if busyFormula != "" {
		busyFormula = "(" + busyFormula + ")/cores"
	}
	disk, diskFormula := sum(b.disk, bytes, files, limits)
	switch {
	case diskFormula == "":
		return busy, busyFormula
	case busyFormula == "":
		return disk, diskFormula
	}
	return max(busy, disk), "max(" + busyFormula + ", " + diskFormula + ")"
}

// sum adds up the terms whose limit is known.
func sum(terms []term, bytes, files int64, limits map[string]float64) (seconds float64, formula string) {
	var parts []string
	for _, t := range terms {
		rate := limits[t.limit]
		if rate <= 0 {
			continue
		}
		amount := float64(bytes)
		if t.what == "files" {
			amount = float64(files)
		}
		seconds += t.factor * amount / rate
		part := t.what + "/" + t.limit
		if t.factor != 1 {
			part = fmt.Sprintf("%g·%s", t.factor, part)
		}
		parts = append(parts, part)
	}
	return seconds, strings.Join(parts, " + ")
}
