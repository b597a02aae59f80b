package archive

import (
	"archive/zip"
	"fmt"
	"io"
	"strings"
)

// Replace writes the archive anew with another text in one of its files. All other entries are copied as they are
// compressed; what is left over from packing is left out (AZA-118). The archive must be one that Open took.
func Replace(w io.Writer, r io.ReaderAt, size int64, name string, text []byte) error {
	from, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("read the archive again: %w", err)
	}
	to := zip.NewWriter(w)
	for _, f := range from.File {
		entry := strings.ReplaceAll(f.Name, `\`, "/")
		switch {
		case junk(entry):
			continue
		case entry == name:
			err = write(to, f, text)
		default:
			err = to.Copy(f)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", entry, err)
		}
	}
	if err := to.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// write adds a file with the name and the time of another.
func write(to *zip.Writer, like *zip.File, text []byte) error {
	w, err := to.CreateHeader(&zip.FileHeader{Name: like.Name, Comment: like.Comment, Modified: like.Modified, ExternalAttrs: like.ExternalAttrs, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
