package merkle

import "math/bits"

type bytestring interface{ ~string | ~[]byte }

// Compare orders paths component by component: -1, 0 or +1. "/" sorts below
// every other byte, so an entry comes directly before all that is below it
// ("a" < "a/b" < "a b" < "b"), a subtree is a range, and the smallest path
// after p is p+"/". Components are compared as bytes.
func Compare(a, b string) int { return order(a, b, common(a, b)) }

func compare[A, B bytestring](a A, b B) int { return order(a, b, common(a, b)) }

// common returns the length of the longest common prefix.
func common[A, B bytestring](a A, b B) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := load64(a, i) ^ load64(b, i); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func load64[S bytestring](s S, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// order compares a and b, whose longest common prefix has n bytes.
func order[A, B bytestring](a A, b B, n int) int {
	switch {
	case n == len(a) && n == len(b):
		return 0
	case n == len(a):
		return -1
	case n == len(b):
		return +1
	case rank(a[n]) < rank(b[n]):
		return -1
	}
	return +1
}

// rank orders the bytes of paths: "/" first, then by value.
func rank(c byte) int {
	if c == '/' {
		return -1
	}
	return int(c)
}

// A span is the range of the paths at and below one; "" holds all paths.
type span string

// side says where path lies: -1 before the span, 0 in it, +1 after it.
func side[S bytestring](s span, path S) int {
	n := common(s, path)
	if n == len(s) && (n == 0 || n == len(path) || path[n] == '/') {
		return 0
	}
	return order(path, s, n)
}
