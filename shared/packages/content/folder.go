package content

import (
	"fmt"
	"io"
	"io/fs"
)

// maxFolder is how many files an unpacked package may have, as an archive.
const maxFolder = 10_000

// Folder is an unpacked package. Links and other things that are no files are left out.
func Folder(fsys fs.FS) (*Tree, error) {
	var files []*File
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if len(files) == maxFolder {
			return fmt.Errorf("the folder has more than %d files", maxFolder)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, &File{Name: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return fsys.Open(name) }})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the package's folder: %w", err)
	}
	return NewTree(files), nil
}
