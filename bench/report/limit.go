package report

import (
	"fmt"
	"strings"
)

// The keys of a machine's limits, measured in the same run (see package machine). All
// are one core's, but for WriteSync and Create, which are the whole machine's.
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
)

// term is one cost of an operation.
type term struct {
	factor float64
	what   string // "bytes", "files", "cut" (bytes that are rolled over) or "more" (bytes beyond those of created files)
	limit  string
}

// bound is the least time of an operation: the cores share the work of the
// processor, which no disk can shorten, and the disk takes its time, which no core can.
type bound struct{ cores, disk []term }

// boundOf returns an operation's bound, an empty one of an operation that it does not
// know. What a name adds after a comma, like "upload, 8 streams", does not matter.
func boundOf(op string) bound {
	op, _, _ = strings.Cut(op, ",")
	switch op {
	case OpPush:
		return bound{
			cores: []term{{1, "files", LimitOpen}, {1, "bytes", LimitRead}, {1, "cut", LimitRabin}, {2, "bytes", LimitSHA256}, {1, "bytes", LimitLoopback}},
			disk:  []term{{1, "bytes", LimitWriteSync}},
		}
	case OpPull:
		return bound{
			cores: []term{{1, "bytes", LimitRead}, {2, "bytes", LimitSHA256}, {1, "bytes", LimitLoopback}},
			disk:  []term{{1, "files", LimitCreate}, {1, "more", LimitWriteSync}},
		}
	case OpUpload:
		return bound{
			cores: []term{{1, "bytes", LimitSHA256}, {1, "bytes", LimitLoopback}},
			disk:  []term{{1, "bytes", LimitWriteSync}},
		}
	case OpUnchanged, OpStatus:
		return bound{cores: []term{{1, "files", LimitStat}}}
	case OpPushChurn:
		return bound{cores: []term{{1, "files", LimitStat}, {changed, "files", LimitOpen}}}
	case OpPullChurn:
		return bound{disk: []term{{changed, "files", LimitCreate}}}
	}
	return bound{}
}

// Limit returns the least time that the machine's limits allow for an operation on so
// many bytes in so many files, and the formula:
//
//	push               max((files/open + bytes/read + (bytes − 48 KiB·files)/rabin + 2·bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)
//	pull               max((bytes/read + 2·bytes/sha256 + bytes/loopback)/cores, files/create + (bytes − 4 KiB·files)/write_sync)
//	upload             max((bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)
//	unchanged, status  (files/stat)/cores
//	push-churn         (files/stat + 0.006·files/open)/cores
//	pull-churn         0.006·files/create
//
// Each byte is hashed twice, by the client and by the hub, and the hub's cost is on
// the same cores. Each byte is cut once: the chunker skips the first 48 KiB of every
// chunk, but the limit is measured in bytes that come out as chunks, so the skipped
// ones are in its rate already, and no factor stands before it. Only a file of up to
// 48 KiB costs nothing there: it is one chunk and never rolled over. The rate of
// created files has the writing of 4 KiB each in it. A pull-churn need not look at what
// did not change. Of entries only the files are known, not the directories.
//
// What was not measured is left out, of the formula too: that makes the least time
// smaller, never too great. The link is loopback: a delay or a rate is not in it. It
// holds for content that neither compresses nor repeats: where it does, fewer bytes are
// sent and written. An operation of another name, or without any measured limit, has
// none: 0 and an empty formula.
//
// It is a bound for a tool that does what dfs does. One that hashes nothing, like
// rsync, or syncs nothing may be below it.
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
		amount, name := float64(bytes), t.what
		switch t.what {
		case "files":
			amount = float64(files)
		case "cut":
			amount, name = float64(max(0, bytes-leastChunk*files)), "(bytes − 48 KiB·files)"
		case "more":
			amount, name = float64(max(0, bytes-created*files)), "(bytes − 4 KiB·files)"
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
