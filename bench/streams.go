package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dfs/bench/report"
	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/remote"
)

const (
	streamedBytes = 512 << 20 // at scale 1, by all streams together
	uploadBytes   = 2 << 20   // of an upload, about, as a push sends them
)

// streams uploads the same chunks to a new hub each time, in streams of different numbers. They
// are random, and wait in this process's memory: it only sends them.
func (r *run) streams() error {
	uploads, size, err := r.uploads(max(1, int64(streamedBytes*r.Scale)))
	if err != nil {
		return err
	}
	for round := range r.Rounds {
		for _, n := range turn([]int{1, 4, 16, 64}, round) {
			rec := report.Record{Workload: "streams", Operation: fmt.Sprintf("upload, %d streams", n), Tool: "dfs", Bytes: size, Run: round}
			if n == 1 {
				rec.Operation = "upload, 1 stream"
			}
			if err := r.stream(rec, n, uploads); err != nil {
				return fmt.Errorf("%s: %w", rec.Operation, err)
			}
		}
	}
	return nil
}

// uploads makes size random bytes, cut into chunks and those put together for uploading.
func (r *run) uploads(size int64) (list [][]cas.Blob, total int64, err error) {
	var seed [32]byte
	copy(seed[:], fmt.Sprint("streams", r.Seed))
	chunks := chunker.New(io.LimitReader(rand.NewChaCha8(seed), size))
	buf := make([]byte, chunker.Max)
	full := uploadBytes
	for {
		chunk, err := chunks.Next(buf)
		switch {
		case err == io.EOF:
			return list, total, nil
		case err != nil:
			return nil, 0, err
		case r.ctx.Err() != nil:
			return nil, 0, r.ctx.Err()
		}
		if full >= uploadBytes {
			list = append(list, nil)
			full = 0
		}
		last := &list[len(list)-1]
		*last = append(*last, cas.Seal(cas.Chunk, slices.Clone(chunk)))
		full += len(chunk)
		total += int64(len(chunk))
	}
}

// stream measures n streams: from the first upload until a commit has made all of them durable.
// Each is a client of its own, with its session, and takes the next upload when it is done with one.
func (r *run) stream(rec report.Record, n int, uploads [][]cas.Blob) error {
	if err := r.settle(); err != nil {
		return err
	}
	d := newDfs(r)
	if err := d.begin(); err != nil {
		return err
	}
	defer d.end()
	callers, err := r.callers(d.hub.url, n)
	defer func() {
		for _, c := range callers {
			c.conn.Close()
		}
	}()
	if err != nil {
		return err
	}
	before := traffic(callers)
	err = d.asClient(&rec, func() error {
		began := time.Now()
		if err := r.send(callers, uploads); err != nil {
			return err
		}
		rec.Wall = time.Since(began).Seconds()
		after := traffic(callers)
		rec.WireSent, rec.WireReceived, rec.Requests = after.Sent-before.Sent, after.Received-before.Received, after.Requests-before.Requests
		return nil
	})
	if err != nil {
		return err
	}
	return r.add(rec)
}

// send has callers share the uploads, and commits.
func (r *run) send(callers []*caller, uploads [][]cas.Blob) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(r.ctx)
	for _, c := range callers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(uploads) {
					return nil
				}
				if err := c.conn.Upload(ctx, c.session, uploads[i]); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err := callers[0].commit(r.ctx, "uploaded", nil, uploads[0][0])
	return err
}

// callers returns n clients with an open session each, all of one new volume, also with an error.
func (r *run) callers(url string, n int) (list []*caller, err error) {
	volume := randomID()
	for range n {
		c, err := newCaller(url, volume)
		if err != nil {
			return list, err
		}
		list = append(list, c)
		if len(list) == 1 {
			if _, err := c.conn.CreateVolume(r.ctx, "streams", volume); err != nil {
				return list, err
			}
		}
		if err := c.start(r.ctx); err != nil {
			return list, err
		}
	}
	return list, nil
}

// traffic is what crossed the wires of all callers.
func traffic(callers []*caller) (sum remote.Traffic) {
	for _, c := range callers {
		t := c.conn.Traffic()
		sum.Sent += t.Sent
		sum.Received += t.Received
		sum.Requests += t.Requests
	}
	return sum
}
