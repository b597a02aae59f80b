package selftest

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
)

// version is a version number, part by part (VMO-92).
type version []uint64

var (
	dotted = regexp.MustCompile(`\d+(\.\d+)+`)
	digits = regexp.MustCompile(`\d+`)
)

// findVersion is the first dotted number in a text, as written, empty when there is none. A letter behind it, as in
// 1.0.2k, is left out (VMO-92).
func findVersion(text string) string { return dotted.FindString(text) }

// parseVersion reads all numbers of a text.
func parseVersion(text string) version {
	var v version
	for _, d := range digits.FindAllString(text, -1) {
		n, err := strconv.ParseUint(d, 10, 64)
		if err != nil {
			n = math.MaxUint64 // beyond every number that is asked for
		}
		v = append(v, n)
	}
	return v
}

// compare orders versions by number; a part that is missing is 0.
func (v version) compare(w version) int {
	for i := range max(len(v), len(w)) {
		if c := cmp.Compare(v.part(i), w.part(i)); c != 0 {
			return c
		}
	}
	return 0
}

func (v version) part(i int) uint64 {
	if i < len(v) {
		return v[i]
	}
	return 0
}

// atLeast compares two written versions.
func atLeast(found, required string) bool {
	return parseVersion(found).compare(parseVersion(required)) >= 0
}
