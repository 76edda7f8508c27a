package workload

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
)

// A stream is the generator splitmix64. It is a source for math/rand/v2.
type stream uint64

// newStream returns a stream that is another one for other numbers.
func newStream(numbers ...uint64) *stream {
	s := stream(0x6466735f62656e63)
	for _, n := range numbers {
		s ^= stream(n)
		s = stream(s.Uint64())
	}
	return &s
}

// Uint64 returns the next 64 bits.
func (s *stream) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (s *stream) below(n int) int {
	hi, _ := bits.Mul64(s.Uint64(), uint64(n))
	return int(hi)
}

// fill fills b with random bytes.
func (s *stream) fill(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, s.Uint64())
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], s.Uint64())
		copy(b, last[:])
	}
}

// pick returns k of the numbers from 0 to n-1, all different, in random order.
func (s *stream) pick(n, k int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	for i := range k {
		j := i + s.below(n-i)
		all[i], all[j] = all[j], all[i]
	}
	return all[:k]
}

// sizes draws n sizes whose logarithm has a normal distribution with the
// standard deviation sigma, at least 1 each and total in all.
func sizes(seed uint64, n, total int64, sigma float64) []int64 {
	rng := rand.New(newStream(seed, 'z'))
	weights := make([]float64, n)
	var sum float64
	for i := range weights {
		weights[i] = math.Exp(sigma * rng.NormFloat64())
		sum += weights[i]
	}
	list := make([]int64, n)
	rest := total
	for i, w := range weights {
		list[i] = max(1, int64(w/sum*float64(total)))
		rest -= list[i]
	}
	list[0] = max(1, list[0]+rest)
	return list
}
