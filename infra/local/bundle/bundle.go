// Package bundle stages what the Functions host wants: host.json, the handler and one folder for each function.
//
// The same sources give the same zip, byte by byte. Functions marked local in infra/functions.json are staged for
// the local stack only. On Azure the package trigger listens to Event Grid; the local stack polls.
package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Options of a bundle.
type Options struct {
	Root  string // the source tree
	Dir   string // where the bundle goes; emptied first
	Local bool   // with the functions of the local stack, and polling
}

// Stage builds the handler and lays out the bundle.
func Stage(ctx context.Context, o Options) error {
	functions, err := catalog(o.Root)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return fmt.Errorf("stage the bundle: %w", err)
	}
	if err := copyFile(filepath.Join(o.Root, "host.json"), filepath.Join(o.Dir, "host.json")); err != nil {
		return err
	}
	for _, f := range functions {
		if f.Local && !o.Local {
			continue
		}
		if err := stageFunction(o, f.Name); err != nil {
			return err
		}
	}
	return build(ctx, o)
}

type function struct {
	Name  string
	Local bool
}

func catalog(root string) ([]function, error) {
	data, err := os.ReadFile(filepath.Join(root, "infra", "functions.json"))
	if err != nil {
		return nil, fmt.Errorf("read the list of functions: %w", err)
	}
	var list struct{ Functions []function }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read the list of functions: %w", err)
	}
	return list.Functions, nil
}

func stageFunction(o Options, name string) error {
	from := filepath.Join(o.Root, "functions", name, "function.json")
	to := filepath.Join(o.Dir, name, "function.json")
	if o.Local {
		return copyFile(from, to)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("stage %s: %w", name, err)
	}
	return writeFile(to, bytes.ReplaceAll(data,
		[]byte(`"type": "blobTrigger",`), []byte("\"type\": \"blobTrigger\",\n      \"source\": \"EventGrid\",")), 0o644)
}

func build(ctx context.Context, o Options) error {
	out, err := filepath.Abs(filepath.Join(o.Dir, "handler"))
	if err != nil {
		return fmt.Errorf("build the handler: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", out, "./functions")
	cmd.Dir = o.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the handler: %w\n%s", err, output)
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("stage the bundle: %w", err)
	}
	return writeFile(to, data, 0o644)
}

func writeFile(to string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("stage the bundle: %w", err)
	}
	if err := os.WriteFile(to, data, mode); err != nil {
		return fmt.Errorf("stage the bundle: %w", err)
	}
	return nil
}

// epoch stands in every entry of the zip, so that the time of the build does not change it.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Zip writes a staged bundle as a zip for zip deployment, its files in order of their names.
func Zip(dir string, w io.Writer) error {
	z := zip.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: epoch}
		header.SetMode(0o644)
		if name == "handler" {
			header.SetMode(0o755)
		}
		f, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("zip the bundle: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("zip the bundle: %w", err)
	}
	return nil
}
