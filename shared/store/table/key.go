package table

import "strings"

// Join builds a key from parts, separated by "|". Characters that a key may not hold, and "|" and "~" and "%"
// themselves, are written as %XX of their UTF-8 bytes, so that different parts never make the same key and keys
// sort like their parts for plain ids.
func Join(parts ...string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('|')
		}
		escape(&b, part)
	}
	return b.String()
}

const hexDigits = "0123456789ABCDEF"

func escape(b *strings.Builder, part string) {
	for i := 0; i < len(part); i++ {
		c := part[i]
		if c < 0x20 || c >= 0x7f || strings.IndexByte(`/\#?|%~'`, c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
			continue
		}
		b.WriteByte(c)
	}
}

// PrefixEnd is the first key behind all keys that begin with prefix, for the Until of a query. Keys are made by
// Join and so hold nothing above "~".
func PrefixEnd(prefix string) string { return prefix + "~" }
