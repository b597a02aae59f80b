package packages

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"stoa/shared/packages/jsondoc"
)

// The files a package has in its root.
const (
	mainTemplate = "mainTemplate.json"
	uiDefinition = "createUiDefinition.json"
	view         = "viewDefinition.json"
)

// document is a readable .json file.
type document struct {
	file string
	text []byte
	root *jsondoc.Node
}

// Validate looks at a package. The error is that of reading the bytes or of the context; what is wrong with the
// package is in the report.
func Validate(ctx context.Context, name string, r io.ReaderAt, size int64) (Report, error) {
	report := Report{Findings: []Finding{}}
	watch := &watched{r: r, size: size}
	err := validate(ctx, name, watch, size, &report)
	report.sort()
	if watch.err != nil {
		return report, watch.err // the store failed, the package is not to blame
	}
	return report, err
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

func validate(ctx context.Context, name string, r io.ReaderAt, size int64, report *Report) error {
	if !strings.EqualFold(path.Ext(name), ".zip") { // AZA-101
		report.archive("PKG_WRONG_EXTENSION", "The name of a package ends in .zip.")
	}
	archive := openArchive(r, size, report)
	if archive == nil {
		return nil
	}
	entries, err := readEntries(ctx, archive, bounds{entry: maxEntry, total: maxInflated}, report)
	if err != nil || report.Blocking {
		return err
	}
	checkRootFiles(entries, report)
	docs := map[string]*document{}
	for _, e := range entries {
		if strings.EqualFold(path.Ext(e.name), ".json") {
			docs[e.name] = readDocument(e, report)
		}
	}
	template, ui := docs[mainTemplate], docs[uiDefinition]
	if template == nil || ui == nil {
		return nil
	}
	checkTemplate(template, report)
	checkUI(ui, template, report)
	return nil
}

// checkRootFiles looks for the two files of the root (AZA-110 to AZA-113).
func checkRootFiles(entries []entry, report *Report) {
	names := map[string]bool{}
	for _, e := range entries {
		names[e.name] = true
	}
	if folder := wrappingFolder(names); folder != "" && !names[mainTemplate] && !names[uiDefinition] {
		report.archive("APP_WRAPPED_IN_FOLDER", "The files of the package are inside the folder %s; they belong into the root.", folder)
		return
	}
	if !names[mainTemplate] {
		missing(mainTemplate, "APP_MAIN_TEMPLATE_MISSING", names, report)
	}
	if !names[uiDefinition] {
		missing(uiDefinition, "APP_UI_DEFINITION_MISSING", names, report)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.EqualFold(name, view) && name != view {
			report.file("APP_FILE_NAME_CASE", name, "The file must be called %s.", view)
		}
	}
}

// wrappingFolder is a folder that holds both files.
func wrappingFolder(names map[string]bool) string {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		dir, base := path.Split(name)
		if dir != "" && base == mainTemplate && names[dir+uiDefinition] {
			return strings.TrimSuffix(dir, "/")
		}
	}
	return ""
}

func missing(want, code string, names map[string]bool, report *Report) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.EqualFold(name, want) {
			report.file("APP_FILE_NAME_CASE", name, "The file must be called %s.", want)
			return
		}
		if want == mainTemplate && (name == "main-template.json" || name == "azuredeploy.json") {
			report.file("APP_WRONG_TEMPLATE_NAME", name, "The name belongs to another kind of package; the template of a plan is called %s.", want)
			return
		}
	}
	report.archive(code, "The root of the package has no %s.", want)
}

// readDocument parses a .json file; nil after a finding that leaves nothing to read (AZA-114 to AZA-117).
func readDocument(e entry, report *Report) *document {
	root := e.name == mainTemplate || e.name == uiDefinition
	if e.long || root && len(e.text) > rootJSON {
		if root {
			report.file("APP_TEMPLATE_LIMIT", e.name, "The file has more than %d bytes.", rootJSON)
		}
		return nil
	}
	text := bytes.TrimPrefix(e.text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		report.file("APP_ENCODING", e.name, "The file is not UTF-8.")
		return nil
	}
	doc := &document{file: e.name, text: text}
	parsed, problems := jsondoc.Parse(text)
	byKind := map[jsondoc.ProblemKind]string{
		jsondoc.Invalid: "APP_JSON_INVALID", jsondoc.Comment: "APP_JSON_COMMENT", jsondoc.Duplicate: "APP_JSON_DUPLICATE_KEY",
	}
	for _, p := range problems {
		doc.find(report, byKind[p.Kind], "", p.Offset, p.Message)
	}
	if parsed == nil {
		return nil
	}
	if emptyRoot(parsed) {
		doc.find(report, "arm-ttk/JSONFiles-Should-Be-Valid", "", parsed.Offset, "The file holds no object and no list.")
	}
	doc.root = parsed
	return doc
}

func emptyRoot(n *jsondoc.Node) bool {
	return n.Is(jsondoc.Null) || n.Is(jsondoc.Array) && len(n.Items) == 0 || n.Is(jsondoc.String) && n.Text == "" ||
		n.Is(jsondoc.Bool) && n.Text == "false" || n.Is(jsondoc.Number) && strings.Trim(n.Text, "-0.eE+") == ""
}

// find records a finding at a place of the document.
func (d *document) find(report *Report, code, pointer string, offset int, message string) {
	line, column := 0, 0
	if len(report.Findings) < maxFindings { // what is dropped needs no position
		line, column = jsondoc.Position(d.text, offset)
	}
	report.add(Finding{Code: code, File: d.file, Path: pointer, Line: line, Column: column, Message: message})
}
