package tally

// SampleEvery says that one call in so many is timed. It is a power of two.
const SampleEvery = 64

// NextSample returns the first call from number n on that is timed: of each
// SampleEvery calls one, at a place that looks random, so that work which comes
// back at some period is neither always in the sample nor never. Call 0 is.
func NextSample(n uint64) uint64 {
	block := n / SampleEvery
	if at := sampled(block); at >= n {
		return at
	}
	return sampled(block + 1)
}

// sampled returns which call of a block of SampleEvery is timed.
func sampled(block uint64) uint64 { return block*SampleEvery + offset(block) }

// offset returns the place of the timed call in a block: the places are those of
// a Weyl sequence with the golden ratio, which come evenly and repeat at no
// period.
func offset(block uint64) uint64 { return block * 0x9E3779B97F4A7C15 >> 58 }

// Sampled reports whether call n is timed.
func Sampled(n uint64) bool { return offset(n/SampleEvery) == n%SampleEvery }
