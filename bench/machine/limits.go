package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dfs/cas"
	"dfs/cas/chunker"
)

// Limits is what a machine allows: in bytes a second, in files a second of files
// of SmallBytes that are in the page cache, and in syncs a second.
type Limits struct {
	Read      float64 // a file that is in the page cache, in pieces of 1 MiB
	SHA256    float64 // cas.Sum of pieces of 64 KiB, on one core
	Rabin     float64 // cutting random bytes with a chunker.Chunker, on one core; those that it skips count too
	WriteSync float64 // a new file, written in pieces of 1 MiB, and its fsync
	Loopback  float64 // TCP over 127.0.0.1, both ends in this process

	Open   float64 // open, read to the end and close; a core's part when all work
	Stat   float64 // list a directory and stat each entry; a core's part when all work
	Create float64 // create, write, sync the file system every some thousand, rename; all cores together

	Fsync float64 // syncs a second: 4 KiB at the end of a file, and its fsync, one after the other
}

// piece is how much is read, written and sent at once.
const piece = 1 << 20

// A probe is one measurement: run moves the bytes that it returns.
type probe struct {
	result *float64
	run    func(ctx context.Context) (int64, error)
}

// Measure measures the limits, each as the median of three runs that take some
// tenths of a second. Files are made in a new directory below dir, 1 GiB in
// all, and removed at the end. The small files, some 100 MiB, are left there for
// the caller to remove when all is measured: some file systems make files
// slowly after many were removed.
func Measure(ctx context.Context, dir string) (Limits, error) {
	return measure(ctx, dir, 256<<20, 8000)
}

// measure is Measure with so many bytes, or small files, in each run.
func measure(ctx context.Context, dir string, size int64, files int) (Limits, error) {
	tmp, err := os.MkdirTemp(dir, "limits-")
	if err != nil {
		return Limits{}, err
	}
	large := filepath.Join(tmp, "large")
	if err := os.Mkdir(large, 0o700); err != nil {
		return Limits{}, err
	}
	l, err := throughput(ctx, large, size)
	if err == nil {
		err = l.small(ctx, tmp, files)
	}
	if err = errors.Join(err, os.RemoveAll(large)); err != nil { // only now: a sync waits for what is given back to the disk
		return Limits{}, err
	}
	return l, nil
}

// throughput measures the limits in bytes a second, and in syncs a second.
func throughput(ctx context.Context, tmp string, size int64) (l Limits, err error) {
	data := make([]byte, min(size, 16<<20))
	rand.NewChaCha8([32]byte{1}).Read(data)
	TouchMemory(4 * size)
	warm := filepath.Join(tmp, "warm")
	if _, err := writeSync(ctx, warm, data, size); err != nil {
		return Limits{}, err
	}
	files := 0
	for _, p := range []probe{
		{&l.Read, func(ctx context.Context) (int64, error) { return read(ctx, warm) }},
		{&l.SHA256, func(ctx context.Context) (int64, error) { return hash(ctx, data, size) }},
		{&l.Rabin, func(ctx context.Context) (int64, error) { return cut(ctx, data, size) }},
		{&l.WriteSync, func(ctx context.Context) (int64, error) {
			files++
			return writeSync(ctx, filepath.Join(tmp, fmt.Sprint(files)), data, size)
		}},
		{&l.Loopback, func(ctx context.Context) (int64, error) { return loopback(ctx, data, size) }},
		{&l.Fsync, func(ctx context.Context) (int64, error) {
			return fsyncs(ctx, filepath.Join(tmp, "synced"), data[:4<<10])
		}},
	} {
		if *p.result, err = median(ctx, p.run); err != nil {
			return Limits{}, err
		}
	}
	return l, nil
}

// median returns the median of three runs, in what they return a second.
func median(ctx context.Context, run func(context.Context) (int64, error)) (float64, error) {
	var rates []float64
	for range 3 {
		start := time.Now()
		n, err := run(ctx)
		if err != nil {
			return 0, err
		}
		rates = append(rates, float64(n)/time.Since(start).Seconds())
	}
	slices.Sort(rates)
	return rates[1], nil
}

func read(ctx context.Context, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return drain(ctx, f)
}

// drain reads r to its end.
func drain(ctx context.Context, r io.Reader) (total int64, err error) {
	buf := make([]byte, piece)
	for {
		n, err := r.Read(buf)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return total, err
		}
	}
}

// feed writes size bytes to w, data over and over.
func feed(ctx context.Context, w io.Writer, data []byte, size int64) (total int64, err error) {
	for total < size {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		off := total % int64(len(data))
		n, err := w.Write(data[off:min(off+piece, off+size-total, int64(len(data)))])
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// A hasher hashes what is written to it in pieces of 64 KiB.
type hasher struct{ last cas.ID }

func (h *hasher) Write(b []byte) (int, error) {
	for part := range slices.Chunk(b, 64<<10) {
		h.last = cas.Sum(part)
	}
	return len(b), nil
}

func hash(ctx context.Context, data []byte, size int64) (int64, error) {
	return feed(ctx, new(hasher), data, size)
}

func cut(ctx context.Context, data []byte, size int64) (total int64, err error) {
	c := chunker.New(bytes.NewReader(data))
	buf := make([]byte, chunker.Max)
	for total < size {
		chunk, err := c.Next(buf)
		total += int64(len(chunk))
		if err == io.EOF {
			c.Reset(bytes.NewReader(data))
			err = ctx.Err()
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func writeSync(ctx context.Context, path string, data []byte, size int64) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := feed(ctx, f, data, size)
	if err != nil {
		return n, err
	}
	if err := f.Sync(); err != nil {
		return n, err
	}
	return n, f.Close()
}

// fsyncs adds data to the end of a file and syncs it, again and again, and returns how often.
func fsyncs(ctx context.Context, path string, data []byte) (n int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for start := time.Now(); n == 0 || time.Since(start) < time.Second/10; n++ {
		if _, err := f.Write(data); err != nil {
			return n, err
		}
		if err := errors.Join(f.Sync(), ctx.Err()); err != nil {
			return n, err
		}
	}
	return n, f.Close()
}

func loopback(ctx context.Context, data []byte, size int64) (int64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			l.Close()
			sent <- err
			return
		}
		defer conn.Close()
		_, err = feed(ctx, conn, data, size)
		sent <- err
	}()
	conn, err := l.Accept()
	if err != nil {
		return 0, errors.Join(err, <-sent)
	}
	defer conn.Close()
	n, err := drain(ctx, conn)
	if err != nil {
		conn.Close()
	}
	return n, errors.Join(err, <-sent)
}
