package dynamics

import (
	"maps"
	"path"
	"slices"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/xmldoc"
)

const contentTypesName = "[Content_Types].xml"

// checkContentTypes looks whether the archive declares a type for each of its files, by extension or by name. Of the
// files with one undeclared extension the first is named.
func (v *validation) checkContentTypes(b *box) error {
	f := b.rootFile(contentTypesName)
	if f == nil {
		v.report.Add("CE_CONTENT_TYPES_MISSING", b.at(""), "There is no %s at the root of the archive.", contentTypesName)
		return nil
	}
	doc, err := v.document(b, f, "CE_CONTENT_TYPES_MISSING", "Types")
	if err != nil || doc == nil {
		return err
	}
	extensions, parts := declared(doc)
	undeclared := map[string][]*content.File{}
	for _, file := range b.tree.Files() {
		extension := strings.ToLower(strings.TrimPrefix(path.Ext(file.Base()), "."))
		if file != f && !parts["/"+strings.ToLower(file.Name)] && (extension == "" || !extensions[extension]) {
			undeclared[extension] = append(undeclared[extension], file)
		}
	}
	for _, extension := range slices.Sorted(maps.Keys(undeclared)) {
		files := undeclared[extension]
		v.report.Add("CE_CONTENT_TYPE_UNDECLARED", b.at(files[0].Name), "%s declares no type for the extension %s, which %d files have.", contentTypesName, quoted(extension), len(files))
	}
	return nil
}

// declared are the extensions and the names of files that have a type, in lower case.
func declared(doc *xmldoc.Document) (extensions, parts map[string]bool) {
	extensions, parts = map[string]bool{}, map[string]bool{}
	for _, e := range doc.Root.Children {
		switch {
		case e.Attr("ContentType") == "":
		case e.Name == "Default":
			extensions[strings.ToLower(strings.TrimPrefix(e.Attr("Extension"), "."))] = true
		case e.Name == "Override":
			parts[strings.ToLower(e.Attr("PartName"))] = true
		}
	}
	return extensions, parts
}
