package workload

import "slices"

// segment is what a file's content is made in, each seeded by itself.
const segment = 1 << 20

// A content makes bytes of one kind.
type content interface {
	// fill makes b, which begins at a multiple of segment in its file.
	fill(b []byte, s *stream)
}

// random is incompressible.
type random struct{}

func (random) fill(b []byte, s *stream) { s.fill(b) }

// half is compressible by half: 2 KiB of each 4 KiB are random, the others one
// sentence over and over.
type half struct{ words []string }

func newHalf() half { return half{vocabulary()} }

func (h half) fill(b []byte, s *stream) {
	const block = 4096
	for len(b) > 0 {
		n := min(block, len(b))
		s.fill(b[:n/2])
		var sentence []byte
		for range 8 {
			sentence = append(sentence, h.words[s.below(len(h.words))]...)
			sentence = append(sentence, ' ')
		}
		for rest := b[n/2 : n]; len(rest) > 0; {
			rest = rest[copy(rest, sentence):]
		}
		b = b[n:]
	}
}

// prose is text like source code: statements of some twenty shapes over two
// thousand identifiers, of which few occur often.
type prose struct {
	words  []string
	shapes [][]string // the text between the identifiers
}

func newProse() *prose { return &prose{vocabulary(), shapes()} }

func (p *prose) fill(b []byte, s *stream) {
	out := b[:0]
	for len(out) < len(b) {
		line := p.appendStatement(out[len(out):len(out):len(b)], s)
		out = out[:min(len(b), len(out)+copy(b[len(out):], line))]
	}
}

// appendStatement appends a statement of one or some whole lines.
func (p *prose) appendStatement(b []byte, s *stream) []byte {
	shape := p.shapes[s.below(len(p.shapes))]
	b = append(b, shape[0]...)
	for _, part := range shape[1:] {
		n := len(p.words)
		b = append(b, p.words[min(s.below(n), s.below(n), s.below(n))]...)
		b = append(b, part...)
	}
	return b
}

// vocabulary returns 2,048 different identifiers, each time the same.
func vocabulary() []string {
	syllables := []string{
		"ab", "ac", "ad", "al", "an", "ar", "at", "ba", "be", "ca", "ch", "co", "de", "di", "do", "el",
		"en", "er", "es", "ex", "fi", "fo", "ge", "ha", "he", "id", "in", "io", "is", "it", "ke", "la",
		"le", "li", "lo", "ma", "me", "mo", "na", "ne", "no", "on", "op", "or", "pa", "po", "qu", "ra",
		"re", "ro", "sa", "se", "si", "st", "ta", "te", "ti", "to", "un", "up", "va", "ve", "wa", "yi",
	}
	s := newStream('w')
	words := make([]string, 0, 2048)
	seen := make(map[string]bool)
	for len(words) < cap(words) {
		var w string
		for range 1 + s.below(4) {
			w += syllables[s.below(len(syllables))]
		}
		if s.below(4) == 0 {
			w = string(w[0]-'a'+'A') + w[1:]
		}
		if !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	slices.SortStableFunc(words, func(a, b string) int { return len(a) - len(b) })
	return words
}
