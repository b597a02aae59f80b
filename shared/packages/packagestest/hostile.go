package packagestest

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Hostile is an archive that no validator may take, or that it warns of, by the code that is found.
type Hostile struct {
	Name, Code string
	Bytes      []byte
	Size       int64 // that it is said to have
}

// HostileArchives are archives for each code of an archive, those apart that only the service around the validators
// finds, and the 1 GiB of one entry (APP_ENTRY_TOO_LARGE), which package archive tries at smaller limits.
func HostileArchives(t testing.TB) []Hostile {
	t.Helper()
	two := Zip(t, map[string]string{"a.txt": "one", "b.txt": "another"})
	damaged := bytes.Clone(two)
	at := bytes.Index(damaged, []byte("a.txt")) + len("a.txt")
	damaged[at] ^= 0xff
	out := []Hostile{
		{Name: "nothing", Code: "PKG_EMPTY"},
		{Name: "a byte too many", Code: "PKG_TOO_LARGE", Bytes: two, Size: 1<<30 + 1},
		{Name: "no archive", Code: "PKG_NOT_ZIP", Bytes: []byte("text")},
		{Name: "an archive without its end", Code: "PKG_NOT_ZIP", Bytes: two[:len(two)-10]},
		{Name: "zeros", Code: "PKG_BOMB", Bytes: Zip(t, map[string]string{"zeros": strings.Repeat("\x00", 11<<20)})},
		{Name: "10,001 entries", Code: "PKG_BOMB", Bytes: entries(t, 10_001)},
		{Name: "a way out", Code: "PKG_UNSAFE_PATH", Bytes: Zip(t, map[string]string{`a\..\..\b`: "x"})},
		{Name: "an absolute name", Code: "PKG_UNSAFE_PATH", Bytes: Zip(t, map[string]string{"/etc/passwd": "x"})},
		{Name: "a name in two cases", Code: "PKG_DUPLICATE_ENTRY", Bytes: Zip(t, map[string]string{"a.txt": "x", "A.txt": "y"})},
		{Name: "encrypted", Code: "PKG_ENCRYPTED", Bytes: everyHeader(two, func(local, central []byte) { local[6] |= 1; central[8] |= 1 })},
		{Name: "another compression", Code: "PKG_CORRUPT_ENTRY", Bytes: everyHeader(two, func(local, central []byte) { local[8], central[10] = 12, 12 })},
		{Name: "damaged data", Code: "PKG_CORRUPT_ENTRY", Bytes: damaged},
		{Name: "left over from packing", Code: "APP_JUNK_ENTRY", Bytes: Zip(t, map[string]string{"a.txt": "x", "__MACOSX/._a.txt": "y"})},
	}
	for i := range out {
		if out[i].Size == 0 {
			out[i].Size = int64(len(out[i].Bytes))
		}
	}
	return out
}

// entries is an archive of so many empty files.
func entries(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		_, err := w.CreateHeader(&zip.FileHeader{Name: "f" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%50) + strings.Repeat("y", i/1300), Method: zip.Store})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// everyHeader changes the headers of every entry, before its data and in the directory.
func everyHeader(raw []byte, change func(local, central []byte)) []byte {
	out := bytes.Clone(raw)
	var locals, centrals []int
	for at := 0; at+4 <= len(out); at++ {
		switch string(out[at : at+4]) {
		case "PK\x03\x04":
			locals = append(locals, at)
		case "PK\x01\x02":
			centrals = append(centrals, at)
		}
	}
	for i := range locals {
		change(out[locals[i]:], out[centrals[i]:])
	}
	return out
}
