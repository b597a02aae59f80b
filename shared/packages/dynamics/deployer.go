package dynamics

import (
	"context"
	"path"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/xmldoc"
)

const importConfigName = "ImportConfig.xml"

// checkDeployer looks at the package for the Package Deployer and at the solutions in it.
func (in *input) checkDeployer(ctx context.Context, b *box, facts *Package) error {
	if err := in.checkContentTypes(b); err != nil {
		return err
	}
	if len(b.rootFiles(".dll")) == 0 {
		in.report.Add("CE_DEPLOYER_DLL_MISSING", b.at(""), "There is no .dll at the root of the archive.")
	}
	configs := importConfigs(b)
	if len(configs) == 0 {
		in.report.Add("CE_IMPORTCONFIG_MISSING", b.at(""), "There is no %s in a folder at the root of the archive.", importConfigName)
		return nil
	}
	s := &solutions{input: in, box: b, seen: map[*content.File]bool{}}
	var folders []string
	for _, config := range configs {
		folder := path.Dir(config.Name)
		folders = append(folders, folder)
		if err := s.checkImportConfig(config, folder); err != nil {
			return err
		}
	}
	s.findAnchor(facts.Anchor, folders)
	for _, f := range s.files {
		if err := s.checkSolution(ctx, f); err != nil {
			return err
		}
	}
	facts.Solutions = s.read
	s.checkLicense(facts)
	return nil
}

// importConfigs are the files that say what is imported: one in each package folder.
func importConfigs(b *box) []*content.File {
	var out []*content.File
	for _, f := range b.tree.Files() {
		if strings.Count(f.Name, "/") == 1 && strings.EqualFold(f.Base(), importConfigName) {
			out = append(out, f)
		}
	}
	return out
}

// solutions are the solutions of a deployer package.
type solutions struct {
	*input
	box    *box // of the deployer package
	files  []*content.File
	seen   map[*content.File]bool
	anchor *content.File
	read   []Solution

	modules        []string         // unique names of all apps
	customizations *xmldoc.Document // of the anchor
	anchorRead     bool
}

// take remembers a file that is a solution, once.
func (s *solutions) take(f *content.File) {
	if !s.seen[f] {
		s.seen[f] = true
		s.files = append(s.files, f)
	}
}

// checkImportConfig looks whether all files that the configuration names are in its folder.
func (s *solutions) checkImportConfig(f *content.File, folder string) error {
	doc, err := s.document(s.box, f, "CE_IMPORTCONFIG_INVALID", "configdatastorage")
	if err != nil || doc == nil {
		return err
	}
	if data := doc.Root.Attr("crmmigdataimportfile"); data != "" && s.inFolder(folder, data) == nil {
		s.add("CE_IMPORTCONFIG_FILE_MISSING", doc, spot{attr: "crmmigdataimportfile"}, "There is no file %s in the folder %s.", quoted(data), quoted(folder))
	}
	for _, list := range doc.Root.All("solutions") {
		for _, e := range list.All("configsolutionfile") {
			name := e.Attr("solutionpackagefilename")
			if file := s.inFolder(folder, name); file != nil {
				s.take(file)
				continue
			}
			s.add("CE_IMPORTCONFIG_FILE_MISSING", doc, spot{e, "solutionpackagefilename"}, "There is no solution %s in the folder %s.", quoted(name), quoted(folder))
		}
	}
	return nil
}

// inFolder is a file below a folder of the deployer package; nil when there is none. No name leads out of the folder,
// since none in an archive does.
func (s *solutions) inFolder(folder, name string) *content.File {
	return s.box.file(folder + "/" + name)
}

// findAnchor looks for the solution that gives the package its name. It is validated even if no configuration names it.
func (s *solutions) findAnchor(name string, folders []string) {
	if name == "" {
		return // found as missing
	}
	for _, folder := range folders {
		if s.anchor = s.inFolder(folder, name); s.anchor != nil {
			s.take(s.anchor)
			return
		}
	}
	_, at := s.value("SolutionAnchorName")
	s.add("CE_ANCHOR_MISSING", s.doc, at, "There is no solution %s in the folder %s of the package file.", quoted(name), listed(folders))
}
