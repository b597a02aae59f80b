package azureapp

import (
	"path"
	"slices"
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/jsondoc"
)

// inPackage stands for the address at which the files of the package will lie, so that an address that is built on it
// can be computed.
const inPackage = "https://package.invalid"

// The parameters that tell a template where its files lie.
const (
	artifactsLocation = "_artifactsLocation"
	artifactsToken    = "_artifactsLocationSasToken"
)

// artifacts finds what the templates refer to.
type artifacts struct {
	*app
	used bool // a file of the package is referred to
}

// checkArtifacts compares what the templates refer to with what the package holds (AZA-140 to AZA-142).
func (a *app) checkArtifacts() {
	s := &artifacts{app: a}
	for _, t := range a.Templates {
		folder := t.Folder(given(t.Doc.File))
		folder.Left = &a.left
		for _, v := range t.Values {
			if v.Kind == jsondoc.String && v.Parent != nil && v.Section != "parameters" {
				s.look(t, v, folder)
			}
		}
	}
	if main := a.Main; s.used && (main.Parameter(artifactsLocation) == nil || main.Parameter(artifactsToken) == nil) { // AZA-141
		a.missing("APP_ARTIFACTS_PARAMETER_REQUIRED", main, "parameters", "The templates refer to files of the package, and the main template does not declare both %s and %s.", artifactsLocation, artifactsToken)
	}
}

// given are the values that a template of a package gets from outside: where its files lie, and an empty token.
func given(file string) func(call *armexpr.Node) *jsondoc.Node {
	text := func(s string) *jsondoc.Node { return &jsondoc.Node{Kind: jsondoc.String, Text: s} }
	object := func(name string, v *jsondoc.Node) *jsondoc.Node {
		return &jsondoc.Node{Kind: jsondoc.Object, Members: []jsondoc.Member{{Key: name, Value: v}}}
	}
	deployment := object("properties", object("templateLink", object("uri", text(inPackage+"/"+file))))
	return func(call *armexpr.Node) *jsondoc.Node {
		name, _ := call.Argument(0)
		switch {
		case call.Calls("deployment"):
			return deployment
		case call.Calls("parameters") && strings.EqualFold(name, artifactsLocation):
			return text(inPackage)
		case call.Calls("parameters") && strings.EqualFold(name, artifactsToken):
			return text("")
		default:
			return nil
		}
	}
}

// look finds the addresses in one text.
func (s *artifacts) look(t *armtemplate.Template, v *armtemplate.Value, folder *armexpr.Folder) {
	switch {
	case isLink(v, "relativePath"):
		if relative, known := folder.Text(v.Text); known {
			s.file(t, v, path.Join(path.Dir(t.Doc.File), relative))
		}
		return
	case isLink(v, "uri") || v.Parent.Kind == jsondoc.Array && strings.EqualFold(v.Parent.Key, "fileUris"):
		if address, known := folder.Text(v.Text); known {
			s.address(t, v, address)
			return
		}
	}
	v.Expr.Walk(func(n *armexpr.Node) bool {
		if !n.Calls("uri", "concat", "format") {
			return true
		}
		address, known := folder.Expression(n)
		if !known || !strings.HasPrefix(address, inPackage) {
			return true
		}
		s.address(t, v, address)
		return false
	})
}

// isLink reports whether a value is this member of the link to a template.
func isLink(v *armtemplate.Value, name string) bool {
	return strings.EqualFold(v.Key, name) && strings.EqualFold(v.Parent.Key, "templateLink")
}

// address looks at the whole address of a file.
func (s *artifacts) address(t *armtemplate.Template, v *armtemplate.Value, address string) {
	name, inside := strings.CutPrefix(address, inPackage)
	switch {
	case inside:
		s.file(t, v, name)
	case hasScheme(address): // AZA-142
		s.add("APP_ARTIFACT_EXTERNAL", t, v, "The file lies outside of the package, at %s.", withoutQuery(address))
	case address != "" && v.Parent.Kind == jsondoc.Array:
		s.file(t, v, address)
	}
}

// file looks for a file of the package (AZA-140). A variable may hold a folder, or the begin of a name.
func (s *artifacts) file(t *armtemplate.Template, v *armtemplate.Value, name string) {
	name = strings.TrimLeft(withoutQuery(name), "/")
	if name == "" || strings.HasSuffix(name, "/") || v.Section == "variables" && path.Ext(name) == "" {
		return
	}
	name = path.Clean(name)
	if s.hasFolder(name) {
		return
	}
	if name != mainTemplate && name != uiDefinition && name != view {
		s.used = true
	}
	if s.tree.File(name) != nil {
		return
	}
	if other := s.tree.Fold(name); other != nil {
		s.add("APP_ARTIFACT_MISSING", t, v, "The package has no file %s; %s is written otherwise, and names are case-sensitive.", name, other.Name)
		return
	}
	s.add("APP_ARTIFACT_MISSING", t, v, "The package has no file %s.", name)
}

func (s *artifacts) hasFolder(name string) bool {
	files := s.tree.Files()
	at, _ := slices.BinarySearchFunc(files, name+"/", func(f *content.File, name string) int { return strings.Compare(f.Name, name) })
	return at < len(files) && strings.HasPrefix(files[at].Name, name+"/")
}

func hasScheme(address string) bool {
	low := strings.ToLower(address[:min(len(address), len("https://"))])
	return strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://")
}

func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
