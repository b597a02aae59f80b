package powerbi

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/gif"  // icons may be
	_ "image/jpeg" // any of these
	_ "image/png"
	"regexp"
	"slices"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

const (
	packageJSON = "package.json"
	iconSide    = 20
	maxIcon     = 1 << 20 // bytes that are decoded
	maxPixels   = 1 << 24
)

// VisualOptions are what is known beside the package.
type VisualOptions struct {
	Certification bool    // was asked for (PBV-25)
	Published     *Visual // of the live version, nil before the first publish
	SameBytes     bool    // the package is byte for byte the published one (PBV-20)
	TakenBy       string  // another offer that has the GUID, empty when none has
	MinimumAPI    string  // lowest apiVersion without a warning; 2.6.0 when empty
}

// Visual names a visual and its version.
type Visual struct {
	GUID    string
	Version string
}

// visual is a PBIVIZ under inspection.
type visual struct {
	tree    *content.Tree
	options VisualOptions
	report  *finding.Report
	info    *content.Document // package.json
}

// ValidateVisual looks at an open PBIVIZ and returns which visual it is (PBV-17 to PBV-20, PBV-25). The error is that
// of the source.
func ValidateVisual(tree *content.Tree, o VisualOptions, report *finding.Report) (Visual, error) {
	v := &visual{tree: tree, options: o, report: report}
	file := tree.File(packageJSON)
	if file == nil {
		report.Add("PBV_PACKAGE_JSON_MISSING", finding.Place{}, "The root of the package has no %s.", packageJSON)
		return Visual{}, nil
	}
	doc, err := v.document(file)
	if err != nil || doc == nil {
		return Visual{}, err
	}
	if !doc.Root.Is(jsondoc.Object) {
		report.Add("PBV_PACKAGE_JSON_INVALID", finding.Place{File: packageJSON}, "The file holds no object.")
		return Visual{}, nil
	}
	v.info = doc
	v.checkMetadata()
	found := Visual{GUID: text(doc.Root, "visual", "guid"), Version: text(doc.Root, "visual", "version")}
	v.checkIdentity(found)
	return found, v.checkResource()
}

// document parses a JSON file; nil after a finding.
func (v *visual) document(f *content.File) (*content.Document, error) {
	raw, err := f.Read()
	if err == content.ErrTooLong {
		v.report.Add("PBV_PACKAGE_JSON_INVALID", finding.Place{File: f.Name}, "The file has more than %d bytes.", content.MaxInMemory)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	scratch := finding.New("")
	doc := content.Parse(f.Name, raw, scratch)
	for _, wrong := range scratch.Findings {
		if doc == nil || wrong.Code == "APP_JSON_INVALID" {
			v.report.Add("PBV_PACKAGE_JSON_INVALID", finding.Place{File: f.Name, Line: wrong.Line, Column: wrong.Column}, "The file is no JSON: %s", wrong.Message)
			break
		}
	}
	return doc, nil
}

// node is a member by its path of exact names, nil when it is not there.
func node(n *jsondoc.Node, path ...string) *jsondoc.Node {
	for _, key := range path {
		n = member(n, key)
	}
	return n
}

func member(n *jsondoc.Node, key string) *jsondoc.Node {
	if n == nil {
		return nil
	}
	for _, m := range n.Members {
		if m.Key == key {
			return m.Value
		}
	}
	return nil
}

func text(n *jsondoc.Node, path ...string) string {
	if v := node(n, path...); v.Is(jsondoc.String) {
		return v.Text
	}
	return ""
}

func (v *visual) at(path string) finding.Place {
	n := node(v.info.Root, strings.Split(path, ".")...)
	return v.info.Place("/"+strings.ReplaceAll(path, ".", "/"), n)
}

var (
	namePattern    = regexp.MustCompile(constants.Visual.NamePattern)
	guidPattern    = regexp.MustCompile(constants.Visual.GUIDPattern)
	versionPattern = regexp.MustCompile(constants.Visual.VersionPattern)
	emailPattern   = regexp.MustCompile(constants.Visual.EmailPattern)
)

// checkMetadata looks at what package.json says of the visual and its author (PBV-18).
func (v *visual) checkMetadata() {
	for _, path := range constants.Visual.Required {
		if strings.TrimSpace(text(v.info.Root, strings.Split(path, ".")...)) == "" {
			v.report.Add("PBV_METADATA_MISSING", v.at(path), "%s is missing or blank.", path)
		}
	}
	value := func(path string) string { return text(v.info.Root, strings.Split(path, ".")...) }
	if name := value("visual.name"); name != "" && (!namePattern.MatchString(name) || slices.Contains(constants.ReservedWords, name)) {
		v.report.Add("PBV_NAME_FORMAT", v.at("visual.name"), "The name is %q.", name)
	}
	if email := value("author.email"); email != "" && !emailPattern.MatchString(email) {
		v.report.Add("PBV_AUTHOR_EMAIL", v.at("author.email"), "The address is %q.", email)
	}
	switch guid := value("visual.guid"); {
	case guid == "":
	case !guidPattern.MatchString(guid):
		v.report.Add("PBV_GUID_FORMAT", v.at("visual.guid"), "The GUID is %q.", guid)
	case strings.HasSuffix(guid, constants.Visual.DebugSuffix):
		v.report.Add("PBV_GUID_DEBUG", v.at("visual.guid"), "The GUID is %q.", guid)
	}
	if version := value("visual.version"); version != "" && !versionPattern.MatchString(version) {
		v.report.Add("PBV_VERSION_FORMAT", v.at("visual.version"), "The version is %q.", version)
	}
	if strings.TrimSpace(value("visual.supportUrl")) == "" {
		v.report.Add("PBV_SUPPORT_URL_MISSING", v.at("visual.supportUrl"), "visual.supportUrl is blank.")
	}
}

// checkIdentity compares with what is published (PBV-19, PBV-20).
func (v *visual) checkIdentity(found Visual) {
	if other := v.options.TakenBy; other != "" {
		v.report.Add("PBV_GUID_TAKEN", v.at("visual.guid"), "The GUID %s belongs to another offer.", found.GUID)
	}
	live := v.options.Published
	if live == nil || found.GUID == "" {
		return
	}
	if found.GUID != live.GUID {
		v.report.Add("PBV_GUID_CHANGED", v.at("visual.guid"), "The GUID is %s; %s is published.", found.GUID, live.GUID)
	}
	if versionPattern.MatchString(found.Version) && !v.options.SameBytes && compareVersions(found.Version, live.Version) <= 0 {
		v.report.Add("PBV_VERSION_NOT_INCREASED", v.at("visual.version"), "The version is %s; %s is published.", found.Version, live.Version)
	}
}

// checkResource looks at the resource that holds the visual.
func (v *visual) checkResource() error {
	id := text(v.info.Root, "metadata", "pbivizjson", "resourceId")
	name := ""
	for _, r := range items(member(v.info.Root, "resources")) {
		if id != "" && text(r, "resourceId") == id {
			name = text(r, "file")
		}
	}
	file := v.tree.File(name)
	if file == nil {
		v.report.Add("PBV_RESOURCE_MISSING", v.at("metadata.pbivizjson"), "The resource %q names the file %q, which is not there.", id, name)
		return nil
	}
	doc, err := v.document(file)
	if err != nil || doc == nil {
		return err
	}
	v.checkConsistent(doc)
	v.checkContent(doc)
	v.checkCapabilities(doc)
	return nil
}

func items(n *jsondoc.Node) []*jsondoc.Node {
	if !n.Is(jsondoc.Array) {
		return nil
	}
	return n.Items
}

// checkConsistent compares the two places that say which visual it is.
func (v *visual) checkConsistent(doc *content.Document) {
	for _, key := range []string{"guid", "version", "name"} {
		outer, inner := text(v.info.Root, "visual", key), text(doc.Root, "visual", key)
		if outer != inner {
			v.report.Add("PBV_RESOURCE_INCONSISTENT", doc.Place("/visual/"+key, node(doc.Root, "visual", key)), "%s is %q here and %q in package.json.", key, inner, outer)
		}
	}
	if outer, inner := text(v.info.Root, "version"), text(v.info.Root, "visual", "version"); outer != inner {
		v.report.Add("PBV_RESOURCE_INCONSISTENT", v.at("version"), "The version of the package is %q, that of the visual %q.", outer, inner)
	}
	least := v.options.MinimumAPI
	if least == "" {
		least = "2.6.0"
	}
	if api := text(doc.Root, "apiVersion"); compareVersions(api, least) < 0 {
		v.report.Add("PBV_API_VERSION_OLD", doc.Place("/apiVersion", member(doc.Root, "apiVersion")), "apiVersion is %q; %s or later is wanted.", api, least)
	}
}

// checkContent looks at script and icon.
func (v *visual) checkContent(doc *content.Document) {
	script := text(doc.Root, "content", "js")
	at := doc.Place("/content/js", node(doc.Root, "content", "js"))
	if strings.TrimSpace(script) == "" {
		v.report.Add("PBV_CONTENT_EMPTY", at, "content.js is missing or empty.")
	}
	for _, call := range forbiddenCalls(script, constants.ForbiddenCalls) {
		v.putCertification("PBV_CERT_FORBIDDEN_CALL", at, fmt.Sprintf("The script uses %s.", call))
	}
	icon := text(doc.Root, "content", "iconBase64")
	place := doc.Place("/content/iconBase64", node(doc.Root, "content", "iconBase64"))
	kind, config, err := decodeIcon(icon)
	switch {
	case err != nil:
		v.report.Add("PBV_ICON_INVALID", place, "The icon %s.", err)
	case kind != "png" || config.Width != iconSide || config.Height != iconSide:
		v.report.Add("PBV_ICON_SIZE", place, "The icon is a %s of %d x %d.", kind, config.Width, config.Height)
	}
}

// putCertification records a finding that blocks when certification was asked for, and warns otherwise (PBV-25).
func (v *visual) putCertification(code string, at finding.Place, message string) {
	f := finding.Finding{Code: code, File: at.File, Path: at.Path, Line: at.Line, Column: at.Column, Message: message}
	if !v.options.Certification {
		f.Severity = finding.Warning
	}
	v.report.Put(f)
}

// decodeIcon reads a data URI of an image, header first so that a huge one is not inflated.
func decodeIcon(uri string) (string, image.Config, error) {
	head, data, found := strings.Cut(uri, ",")
	if !found || !strings.HasPrefix(head, "data:image/") || !strings.HasSuffix(head, ";base64") {
		return "", image.Config{}, fmt.Errorf("is no data URI of an image")
	}
	if len(data) > maxIcon {
		return "", image.Config{}, fmt.Errorf("has more than %d characters", maxIcon)
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return "", image.Config{}, fmt.Errorf("is no base64")
	}
	config, kind, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || config.Width*config.Height > maxPixels {
		return "", image.Config{}, fmt.Errorf("does not decode as an image")
	}
	if _, _, err := image.Decode(bytes.NewReader(raw)); err != nil {
		return "", image.Config{}, fmt.Errorf("does not decode as an image")
	}
	return kind, config, nil
}

// checkCapabilities looks at what the visual may do.
func (v *visual) checkCapabilities(doc *content.Document) {
	capabilities := member(doc.Root, "capabilities")
	if !capabilities.Is(jsondoc.Object) {
		v.report.Add("PBV_CAPABILITIES_MISSING", doc.Place("/capabilities", capabilities), "capabilities is missing or no object.")
		return
	}
	for i, p := range items(member(capabilities, "privileges")) {
		if slices.Contains(constants.ForbiddenPrivileges, text(p, "name")) {
			v.putCertification("PBV_CERT_PRIVILEGE", doc.Place(fmt.Sprintf("/capabilities/privileges/%d", i), p), fmt.Sprintf("The visual asks for the privilege %s.", text(p, "name")))
		}
	}
}
