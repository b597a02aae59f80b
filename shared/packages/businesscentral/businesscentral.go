package businesscentral

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/finding"
)

// File is an uploaded file.
type File struct {
	Name  string
	Bytes io.ReaderAt
	Size  int64
}

// Submission is what an offer's slots hold; nil for an empty one.
type Submission struct {
	Main       *File // the extension
	Library    *File // an extension it needs, or a .zip of such
	Tests      *File // tests of the extension
	Dependency *File // a slot that is retired
}

// Options are what is known beside the submission. An empty text is not compared.
type Options struct {
	Connect    bool        // the offer links Business Central with a service and has no extension
	Name       string      // of the listing
	Publisher  string      // display name
	AppVersion string      // as the page Properties has it
	LiveID     string      // of the live extension of this offer
	Markets    []string    // of the offer
	Published  []Published // extensions and libraries that are live in the marketplace
}

// Published is an extension that is live.
type Published struct {
	ID      string
	Version string
	Markets []string
	SHA256  string // of the .app file, in hexadecimal
	Foreign bool   // it belongs to another publisher
}

// Facts are what a submission says of itself.
type Facts struct {
	Extensions     []Extension `json:"extensions"`               // the main extension first, tests not among them
	MinimumRelease string      `json:"minimumRelease,omitempty"` // major.minor of Business Central
}

// Extension is what the manifest of an extension says.
type Extension struct {
	File         string       `json:"file"`
	ID           string       `json:"id"` // lower case
	Name         string       `json:"name"`
	Publisher    string       `json:"publisher"`
	Version      string       `json:"version"`
	Application  string       `json:"application,omitempty"`
	Dependencies []Dependency `json:"dependencies"`
}

// Dependency is an extension that another one needs.
type Dependency struct {
	ID         string `json:"id"` // lower case
	Name       string `json:"name"`
	Publisher  string `json:"publisher"`
	MinVersion string `json:"minVersion"`
}

const (
	maxFile      = 300 << 20 // bytes of an uploaded file
	maxManifest  = 1 << 20   // bytes of a manifest
	maxManifests = 8 << 20   // bytes of all manifests, which are held at once
)

// validation is one run over a submission.
type validation struct {
	options Options
	report  *finding.Report
	nest    *archive.Nest
	left    int64 // bytes of manifests that may still be read
	unread  bool  // one of the extensions cannot be read
}

// Validate looks at a submission. The error is that of the source or of the context.
func Validate(ctx context.Context, s Submission, o Options, report *finding.Report) (Facts, error) {
	v := &validation{options: o, report: report, nest: archive.NewNest(), left: maxManifests}
	if s.Dependency != nil { // DYN-53
		report.Add("BC_DEPENDENCY_RETIRED", s.Dependency.at(), "The slot for dependency packages is retired.")
	}
	if o.Connect { // DYN-49
		for _, f := range []*File{s.Main, s.Library, s.Tests} {
			if f != nil {
				report.Add("BC_CONNECT_HAS_PACKAGE", f.at(), "A Connect app has no packages; this one was uploaded.")
			}
		}
		return Facts{}, nil
	}
	main, err := v.readMain(ctx, s.Main)
	if err != nil {
		return Facts{}, err
	}
	libraries, err := v.readLibraries(ctx, s.Library)
	if err != nil {
		return Facts{}, err
	}
	if main != nil {
		v.checkOffer(main)
	}
	all := libraries
	if main != nil {
		all = append([]*app{main}, libraries...)
	}
	if err := v.checkSubmission(all); err != nil {
		return Facts{}, err
	}
	if s.Tests != nil {
		if err := v.checkTests(ctx, s.Tests, main); err != nil {
			return Facts{}, err
		}
	}
	return facts(all), nil
}

func (f *File) at() finding.Place { return finding.Place{File: path.Base(f.Name)} }

// check looks at what is known without the bytes.
func (f *File) check(report *finding.Report, extensions ...string) bool {
	extension := path.Ext(f.Name)
	switch {
	case f.Size == 0:
		report.Add("PKG_EMPTY", f.at(), "The file is empty.")
		return false
	case f.Size > maxFile:
		report.Add("PKG_TOO_LARGE", f.at(), "The file has %d bytes; at most %d are allowed.", f.Size, maxFile)
		return false
	}
	for _, e := range extensions {
		if strings.EqualFold(e, extension) {
			return true
		}
	}
	report.Add("PKG_WRONG_EXTENSION", f.at(), "The name ends in %s; it must end in %s.", quoted(extension), strings.Join(extensions, " or "))
	return false
}

// readMain reads the extension itself; nil when there is none that can be read.
func (v *validation) readMain(ctx context.Context, f *File) (*app, error) {
	if f == nil {
		return nil, nil
	}
	a, err := v.readFile(ctx, f, false)
	v.unread = v.unread || a == nil
	return a, err
}

// readFile reads an uploaded .app file; nil after a finding that leaves nothing to read.
func (v *validation) readFile(ctx context.Context, f *File, tests bool) (*app, error) {
	if !f.check(v.report, ".app") {
		return nil, nil
	}
	return v.readApp(ctx, source{path: path.Base(f.Name), bytes: f.Bytes, size: f.Size, digest: f.sha256, tests: tests})
}

// readLibraries reads the extensions that come with the main one: one .app, or a .zip of nothing else.
func (v *validation) readLibraries(ctx context.Context, f *File) ([]*app, error) {
	if f == nil {
		return nil, nil
	}
	if strings.EqualFold(path.Ext(f.Name), ".app") {
		a, err := v.readFile(ctx, f, false)
		if v.unread = v.unread || a == nil; a == nil {
			return nil, err
		}
		return []*app{a}, err
	}
	if !f.check(v.report, ".app", ".zip") {
		v.unread = true
		return nil, nil
	}
	tree, err := v.nest.Open(ctx, f.Bytes, f.Size, path.Base(f.Name), v.report)
	if err != nil || tree == nil {
		v.unread = true
		return nil, err
	}
	if len(tree.Files()) == 0 {
		v.report.Add("PKG_EMPTY", f.at(), "The archive holds no extension.")
	}
	var out []*app
	for _, entry := range tree.Files() {
		name := archive.Join(path.Base(f.Name), entry.Name)
		if !entry.Has(".app") {
			v.report.Add("PKG_WRONG_EXTENSION", finding.Place{File: name}, "The archive may hold .app files only.")
			continue
		}
		digest := func() (string, error) { return entry.SHA256, nil }
		a, err := v.readEntry(ctx, entry, source{path: name, depth: 1, digest: digest})
		if err != nil {
			return nil, err
		}
		if v.unread = v.unread || a == nil; a != nil {
			out = append(out, a)
		}
	}
	return out, nil
}

// checkTests looks at the app that tests the extension.
func (v *validation) checkTests(ctx context.Context, f *File, main *app) error {
	tests, err := v.readFile(ctx, f, true)
	if err != nil || tests == nil || main == nil {
		return err
	}
	for _, d := range tests.Dependencies {
		if d.ID == main.ID {
			return nil
		}
	}
	tests.add(v.report, "BC_TEST_APP_UNRELATED", spot{}, "The test app does not depend on %s, the extension %s.", main.ID, quoted(main.Name))
	return nil
}

// sha256 is the digest of the file.
func (f *File) sha256() (string, error) {
	digest := sha256.New()
	if _, err := io.Copy(digest, io.NewSectionReader(f.Bytes, 0, f.Size)); err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name, err)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// quoted is a stranger's text as a message shows it.
func quoted(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
