// Package archive opens zip archives of strangers (rules AZA-101 to AZA-105, AZA-118).
//
// An archive is read through an io.ReaderAt, by ranges, with limits on entries, sizes and ratio that are counted while
// inflating and never taken from a header. What is wrong with it is a finding; the error is that of the source.
package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// Limits of an archive (AZA-102 to AZA-104). Inflated bytes are counted while inflating.
const (
	maxArchive  = 1 << 30  // bytes of the archive
	maxEntry    = 1 << 30  // bytes of one entry, inflated
	maxInflated = 4 << 30  // bytes of all entries, inflated
	maxEntries  = 10_000   // entries
	maxDirBytes = 8 << 20  // bytes of the directory that are read
	maxRatio    = 200      // of an entry over ratioFrom
	ratioFrom   = 10 << 20 // inflated bytes from which the ratio counts
)

// errDirectory says that the archive's directory is larger than any honest one.
var errDirectory = errors.New("the directory of the archive is too large")

// bounded limits what opening an archive may read, since a lying end record makes the library read headers as
// long as there are some. The limit is lifted once it is open.
type bounded struct {
	r    io.ReaderAt
	left int64
	open bool
}

// ReadAt reads unless the limit is used up.
func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if !b.open {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, errDirectory
		}
	}
	return b.r.ReadAt(p, at)
}

// Open reads the directory and inflates every entry once, so that sizes and checksums are known to be right. The tree
// is nil when the archive cannot be used. The error is that of the source or of the context.
func Open(ctx context.Context, r io.ReaderAt, size int64, report *finding.Report) (*content.Tree, error) {
	return open(ctx, r, size, &bounds{entry: maxEntry, total: maxInflated}, report)
}

func open(ctx context.Context, r io.ReaderAt, size int64, limit *bounds, report *finding.Report) (*content.Tree, error) {
	watch := &watched{r: r, size: size}
	archive := openArchive(watch, size, report)
	if archive == nil {
		return nil, watch.err
	}
	before := report.Count(finding.Error)
	files, err := readEntries(ctx, archive, limit, report)
	switch {
	case watch.err != nil:
		return nil, watch.err // the store failed, the package is not to blame
	case err != nil || report.Count(finding.Error) > before:
		return nil, err
	}
	return content.NewTree(files), nil
}

// watched remembers a failure of the source, which the zip reader would report as a broken package.
// A place outside the package, which a hostile directory may name, is the package's own fault.
type watched struct {
	r    io.ReaderAt
	size int64
	err  error
}

// errOutside says that the archive points outside itself.
var errOutside = errors.New("the archive points outside itself")

// ReadAt reads and remembers a failure other than the end.
func (w *watched) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at > w.size {
		return 0, errOutside
	}
	n, err := w.r.ReadAt(p, at)
	if err != nil && err != io.EOF && w.err == nil {
		w.err = err
	}
	return n, err
}

// openArchive reads the directory; nil after a finding.
func openArchive(r io.ReaderAt, size int64, report *finding.Report) *zip.Reader {
	switch {
	case size == 0:
		report.Add("PKG_EMPTY", finding.Place{}, "The package is empty.")
		return nil
	case size > maxArchive:
		report.Add("PKG_TOO_LARGE", finding.Place{}, "The package has %d bytes; at most %d are allowed.", size, maxArchive)
		return nil
	}
	if n := declaredEntries(r, size); n > maxEntries {
		report.Add("PKG_BOMB", finding.Place{}, "The package has %d entries; at most %d are allowed.", n, maxEntries)
		return nil
	}
	limit := &bounded{r: r, left: maxDirBytes}
	archive, err := zip.NewReader(limit, size)
	switch {
	case errors.Is(err, errDirectory):
		report.Add("PKG_BOMB", finding.Place{}, "The directory of the package is larger than %d bytes.", maxDirBytes)
		return nil
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		report.Add("PKG_NOT_ZIP", finding.Place{}, "The file is not a zip archive that can be read.")
		return nil
	case len(archive.File) > maxEntries:
		report.Add("PKG_BOMB", finding.Place{}, "The package has %d entries; at most %d are allowed.", len(archive.File), maxEntries)
		return nil
	}
	stored := uint64(0)
	for _, f := range archive.File {
		if stored += f.CompressedSize64; f.CompressedSize64 > uint64(size) || stored > uint64(size) {
			// Entries that share their bytes inflate to any multiple of the package.
			report.Add("PKG_BOMB", finding.Place{}, "The entries of the package overlap.")
			return nil
		}
	}
	limit.open = true
	return archive
}

// declaredEntries is the number of entries the end record names, 0 when there is none that can be read. 0xffff
// stands for Zip64 and is left to the reader's own limit.
func declaredEntries(r io.ReaderAt, size int64) int {
	const record, maxComment = 22, 65535
	tail := make([]byte, min(size, record+maxComment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || at+record > len(tail) {
		return 0
	}
	n := int(binary.LittleEndian.Uint16(tail[at+10:]))
	if n == 0xffff {
		return 0
	}
	return n
}

// bounds are how much may still be inflated: of one entry, and of all.
type bounds struct{ entry, total int64 }

// readEntries checks every entry and reads all of them once, which uses up the limit.
func readEntries(ctx context.Context, archive *zip.Reader, limit *bounds, report *finding.Report) ([]*content.File, error) {
	var out []*content.File
	seen := map[string]bool{}
	buffer := make([]byte, 64<<10)
	digest := sha256.New()
	for _, f := range archive.File {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(f.Name, `\`, "/")
		if !checkEntry(f, name, seen, report) || strings.HasSuffix(name, "/") {
			continue
		}
		if junk(name) {
			report.Add("APP_JUNK_ENTRY", finding.Place{File: name}, "The file is left over from packing and is dropped.")
			continue
		}
		digest.Reset()
		n, err := inflate(f, digest, buffer, *limit)
		limit.total -= n
		switch {
		case err == nil:
			out = append(out, &content.File{Name: name, Size: n, SHA256: hex.EncodeToString(digest.Sum(nil)), Open: f.Open})
		case errors.Is(err, errTotal):
			report.Add("PKG_BOMB", finding.Place{}, "The package inflates to more than %d bytes.", int64(maxInflated))
			return out, nil
		default:
			blame(f, name, err, report)
		}
	}
	return out, nil
}

// checkEntry looks at what the directory says of an entry (AZA-105).
func checkEntry(f *zip.File, name string, seen map[string]bool, report *finding.Report) bool {
	shown := printable(name)
	if why := unsafeName(name, f.Mode()); why != "" {
		report.Add("PKG_UNSAFE_PATH", finding.Place{File: shown}, "The name of the entry %s.", why)
		return false
	}
	folded := strings.ToLower(strings.TrimSuffix(name, "/"))
	if seen[folded] {
		report.Add("PKG_DUPLICATE_ENTRY", finding.Place{File: shown}, "Another entry has this name, letter case aside.")
		return false
	}
	seen[folded] = true
	if f.Flags&0x1 != 0 {
		report.Add("PKG_ENCRYPTED", finding.Place{File: shown}, "The entry is encrypted.")
		return false
	}
	if f.Method != zip.Store && f.Method != zip.Deflate {
		report.Add("PKG_CORRUPT_ENTRY", finding.Place{File: shown}, "The entry uses the compression method %d; store and deflate are allowed.", f.Method)
		return false
	}
	return true
}

// unsafeName says what is wrong with a name.
func unsafeName(name string, mode fs.FileMode) string {
	switch {
	case name == "" || !utf8.ValidString(name):
		return "is empty or not readable text"
	case strings.HasPrefix(name, "/"):
		return "is absolute"
	case len(name) > 1 && name[1] == ':':
		return "begins with a drive"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "holds a control character"
	case mode&fs.ModeSymlink != 0:
		return "belongs to a symbolic link"
	case mode.Type() != 0 && !mode.IsDir():
		return "belongs to something that is no file"
	}
	for _, segment := range strings.Split(name, "/") {
		if segment == ".." {
			return "leaves the archive"
		}
	}
	return ""
}

func printable(name string) string {
	if len(name) > 200 {
		name = name[:200] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return '?'
		}
		return r
	}, name)
}

func junk(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || strings.HasPrefix(name, ".git/") || strings.Contains(name, "/.git/") ||
		base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db")
}

// What inflating an entry may come to.
var (
	errRatio = errors.New("the entry inflates like a bomb")
	errEntry = errors.New("the entry is too large")
	errTotal = errors.New("the package is too large")
)

// inflate reads the whole entry into a digest and returns the bytes counted.
func inflate(f *zip.File, digest io.Writer, buffer []byte, limit bounds) (int64, error) {
	if f.UncompressedSize64 > ratioFrom && f.UncompressedSize64/maxRatio > f.CompressedSize64 {
		return 0, errRatio // it says so itself; one that does not is counted below
	}
	r, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	count := int64(0)
	for {
		n, err := r.Read(buffer)
		count += int64(n)
		_, _ = digest.Write(buffer[:n]) // a hash takes everything
		switch {
		case count > limit.entry:
			return count, errEntry
		case count > limit.total:
			return count, errTotal
		case count > ratioFrom && count/maxRatio > int64(f.CompressedSize64):
			return count, errRatio
		case errors.Is(err, io.EOF):
			return count, nil
		case err != nil:
			return count, err
		}
	}
}

// blame turns a failure of reading into a finding.
func blame(f *zip.File, name string, err error, report *finding.Report) {
	at := finding.Place{File: name}
	switch {
	case errors.Is(err, errEntry):
		report.Add("APP_ENTRY_TOO_LARGE", at, "The entry inflates to more than %d bytes.", maxEntry)
	case errors.Is(err, errRatio):
		report.Add("PKG_BOMB", at, "The entry inflates to more than %d times its %d bytes.", maxRatio, f.CompressedSize64)
	default:
		report.Add("PKG_CORRUPT_ENTRY", at, "The entry cannot be read: %s.", readable(err))
	}
}

// readable names the library's two reasons in our words and nothing else.
func readable(err error) string {
	if errors.Is(err, zip.ErrChecksum) {
		return "its checksum is wrong"
	}
	return "its compressed data is damaged"
}
