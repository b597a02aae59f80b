// Package archivetest builds archives of archives for tests, so that corpora of binary packages stay text.
package archivetest

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// File is a file by its name, in which "!/" stands behind each archive: outer.zip!/inner.zip!/name.
type File struct {
	Name  string
	Bytes []byte
}

// Wrap turns the zip archive of a name into the file that is stored under it.
type Wrap func(name string, archive []byte) []byte

// Zip is the archive of the files. Archives inside it, and not the outermost, go through wrap, which may be nil.
func Zip(t testing.TB, files []File, wrap Wrap) []byte { return build(t, "", files, wrap) }

func build(t testing.TB, path string, files []File, wrap Wrap) []byte {
	t.Helper()
	inner := map[string][]File{}
	var order []string
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		archive, rest, nested := strings.Cut(f.Name, "!/")
		if !nested {
			write(t, w, f)
			continue
		}
		if !slices.Contains(order, archive) {
			order = append(order, archive)
		}
		inner[archive] = append(inner[archive], File{rest, f.Bytes})
	}
	for _, name := range order {
		content := build(t, path+name+"!/", inner[name], wrap)
		if wrap != nil {
			content = wrap(path+name, content)
		}
		write(t, w, File{name, content})
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func write(t testing.TB, w *zip.Writer, f File) {
	t.Helper()
	e, err := w.Create(f.Name)
	require.NoError(t, err)
	_, err = e.Write(f.Bytes)
	require.NoError(t, err)
}
