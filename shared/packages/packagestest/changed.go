package packagestest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive/archivetest"
)

// Base are the files of a clean package that the cases of a corpus change; it is written like a case.
func Base(t testing.TB, path string) []File {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return parse(t, filepath.Base(path), string(raw)).Files
}

// Changed are the files of a case: the clean ones, changed by its options and with its own files in place of them.
// A name of an archive stands for all files in it.
//
//	without=NAME…            files that are left out
//	edit NAME=OLD => NEW     texts in one that are replaced, several with ";;" between them
//	empty=yes                nothing of the clean ones
func Changed(t testing.TB, clean []File, c Case) []File {
	t.Helper()
	without := strings.Fields(c.Options["without"])
	for _, own := range c.Files {
		without = append(without, own.Name)
	}
	var out []File
	for _, f := range clean {
		covers := func(name string) bool { return name == f.Name || strings.HasPrefix(f.Name, name+"!/") }
		if c.Options["empty"] == "" && !slices.ContainsFunc(without, covers) {
			out = append(out, f)
		}
	}
	out = append(out, c.Files...)
	for i := range out {
		out[i].Text = edited(t, out[i], c)
	}
	return out
}

func edited(t testing.TB, f File, c Case) string {
	t.Helper()
	edits, ok := c.Options["edit "+f.Name]
	if !ok {
		return f.Text
	}
	text := f.Text
	for _, edit := range strings.Split(edits, " ;; ") {
		old, with, found := strings.Cut(strings.ReplaceAll(edit, `\n`, "\n"), " =>")
		require.True(t, found, c.Name)
		require.Contains(t, text, old, c.Name)
		text = strings.ReplaceAll(text, old, strings.TrimPrefix(with, " "))
	}
	return text
}

// Packed is the archive of the files. A text "image png 32 32" is a picture of that size, cut off after so many bytes
// when there is a number behind it.
func Packed(t testing.TB, files []File) []byte {
	t.Helper()
	out := make([]archivetest.File, len(files))
	for i, f := range files {
		out[i] = archivetest.File{Name: f.Name, Bytes: []byte(f.Text)}
		if strings.HasPrefix(f.Text, "image ") {
			out[i].Bytes = picture(t, f.Text)
		}
	}
	return archivetest.Zip(t, out, nil)
}

func picture(t testing.TB, text string) []byte {
	t.Helper()
	var kind string
	var width, height, most int
	n, _ := fmt.Sscanf(text, "image %s %d %d %d", &kind, &width, &height, &most)
	require.GreaterOrEqual(t, n, 3, text)
	pixels := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	switch kind {
	case "png":
		require.NoError(t, png.Encode(&b, pixels))
	case "jpeg":
		require.NoError(t, jpeg.Encode(&b, pixels, nil))
	case "gif":
		require.NoError(t, gif.Encode(&b, pixels, nil))
	}
	if most > 0 {
		return b.Bytes()[:most]
	}
	return b.Bytes()
}

// Failing reads like a store that goes away after some bytes: with io.ErrClosedPipe.
type Failing struct {
	io.ReaderAt
	Good int64
}

// ReadAt implements io.ReaderAt.
func (f Failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.Good {
		return 0, io.ErrClosedPipe
	}
	return f.ReaderAt.ReadAt(p, at)
}
