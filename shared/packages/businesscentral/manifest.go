package businesscentral

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/xmldoc"
)

const manifestName = "NavxManifest.xml"

// required are the properties that the marketplace needs.
var required = []string{"Name", "Publisher", "Version", "Brief", "Description", "PrivacyStatement", "EULA", "Help", "Logo"}

// app is an extension whose manifest is read.
type app struct {
	Extension
	digest  func() (string, error)
	doc     *xmldoc.Document
	root    *xmldoc.Element   // of its properties
	needs   []*xmldoc.Element // its dependencies, like those of the extension
	version version
}

// spot is an element, or an attribute of it; the zero spot is the root.
type spot struct {
	element *xmldoc.Element
	attr    string
}

// add records a finding at a place of the manifest, which is not looked up for a report that is full.
func (a *app) add(report *finding.Report, code string, s spot, format string, args ...any) {
	at := finding.Place{File: a.doc.File}
	if !report.Full() {
		at = a.doc.Place(s.element, s.attr)
	}
	report.Add(code, at, format, args...)
}

func (a *app) property(name string) spot { return spot{a.root, name} }

// readManifest reads who the extension is and what it needs; nil when it does not say so.
func (v *validation) readManifest(s source, tree *content.Tree, f *content.File) (*app, error) {
	file := archive.Join(s.path, f.Name)
	if f.Size > min(maxManifest, v.left) {
		v.report.Add("BC_MANIFEST_INVALID", finding.Place{File: file}, "The manifest has %d bytes; at most %d are read, and at most %d of all manifests.", f.Size, maxManifest, maxManifests)
		return nil, nil
	}
	v.left -= f.Size
	raw, err := f.Read()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	doc, problem := xmldoc.Parse(file, raw)
	if problem != nil {
		v.report.Add("BC_MANIFEST_INVALID", problem.Place, "The manifest is no XML that can be read: %s.", problem.Message)
		return nil, nil
	}
	a := &app{doc: doc, root: doc.Root.Child("App"), digest: s.digest}
	a.File = s.path
	if doc.Root.Name != "Package" || a.root == nil {
		a.add(v.report, "BC_MANIFEST_INVALID", spot{}, "The manifest has no element Package/App.")
		return nil, nil
	}
	v.readDependencies(a)
	readable := v.readIdentity(a)
	if !s.tests {
		v.checkProperties(a, tree)
	}
	if !readable {
		return nil, nil
	}
	return a, nil
}

// readIdentity reads the properties of the extension, and reports whether its id and its version can be read.
func (v *validation) readIdentity(a *app) bool {
	id, isID := guid(a.root.Attr("Id"))
	a.ID, a.Name, a.Publisher, a.Version = id, a.root.Attr("Name"), a.root.Attr("Publisher"), a.root.Attr("Version")
	a.Application = a.root.Attr("Application")
	if !isID {
		a.add(v.report, "BC_MANIFEST_INVALID", a.property("Id"), "The id of the extension is %s; it must be a GUID.", quoted(a.root.Attr("Id")))
	}
	number, isVersion := parseVersion(a.Version)
	if a.version = number; !isVersion {
		a.add(v.report, "BC_MANIFEST_INVALID", a.property("Version"), "The version is %s; it must be four numbers with dots between them.", quoted(a.Version))
	}
	if _, ok := parseVersion(a.Application); !ok && a.Application != "" {
		a.add(v.report, "BC_MANIFEST_INVALID", a.property("Application"), "The version of the application is %s; it must be four numbers with dots between them.", quoted(a.Application))
	}
	return isID && isVersion
}

// readDependencies reads the extensions that this one needs. One that cannot be read is found and left out.
func (v *validation) readDependencies(a *app) {
	for _, list := range a.doc.Root.All("Dependencies") {
		for _, e := range list.All("Dependency") {
			id, ok := guid(e.Attr("Id"))
			if !ok {
				a.add(v.report, "BC_MANIFEST_INVALID", spot{e, "Id"}, "The id of the dependency %s is %s; it must be a GUID.", quoted(e.Attr("Name")), quoted(e.Attr("Id")))
				continue
			}
			if _, ok := parseVersion(e.Attr("MinVersion")); !ok {
				a.add(v.report, "BC_MANIFEST_INVALID", spot{e, "MinVersion"}, "The version of the dependency %s is %s; it must be four numbers with dots between them.", quoted(e.Attr("Name")), quoted(e.Attr("MinVersion")))
				continue
			}
			a.Dependencies = append(a.Dependencies, Dependency{ID: id, Name: e.Attr("Name"), Publisher: e.Attr("Publisher"), MinVersion: e.Attr("MinVersion")})
			a.needs = append(a.needs, e)
		}
	}
}

// checkProperties looks whether the extension has what the marketplace needs.
func (v *validation) checkProperties(a *app, tree *content.Tree) {
	for _, name := range required {
		if a.root.Attr(name) == "" {
			a.add(v.report, "AS0051", a.property(name), "The property %s is missing or empty.", name)
		}
	}
	if logo := a.root.Attr("Logo"); logo != "" && tree.Fold(entryName(logo)) == nil {
		a.add(v.report, "AS0051", a.property("Logo"), "The logo %s is not in the extension.", quoted(logo))
	}
	for _, d := range a.Dependencies {
		if _, ok := baseApplications[d.ID]; ok {
			return
		}
	}
	if a.Application == "" {
		a.add(v.report, "AS0100", a.property("Application"), "The extension names neither the application it is for nor a dependency on one of its parts.")
	}
}

// entryName is a path as archives have it.
func entryName(path string) string {
	return strings.TrimLeft(strings.TrimPrefix(strings.ReplaceAll(path, `\`, "/"), "./"), "/")
}

// guid is a GUID in lower case and without braces.
func guid(s string) (string, bool) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 && !strings.HasPrefix(s, "{") {
		return "", false
	}
	return id.String(), true
}

// version is a version of four numbers.
type version [4]int

func parseVersion(s string) (v version, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != len(v) {
		return v, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return v, false
		}
		v[i] = int(n)
	}
	return v, true
}

func (v version) below(o version) bool { return slices.Compare(v[:], o[:]) < 0 }
