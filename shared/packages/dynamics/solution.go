package dynamics

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"stoa/shared/packages/content"
)

const (
	solutionName       = "solution.xml"
	customizationsName = "customizations.xml"
	planSet            = "serviceplans"
	mappingSet         = "serviceplanappmodulesset"
	moduleSet          = "AppModules"
)

// checkSolution opens a solution and looks at what it says of itself.
func (s *solutions) checkSolution(ctx context.Context, f *content.File) error {
	b, err := s.open(ctx, s.box, f)
	if err != nil || b == nil {
		return err
	}
	file := b.rootFile(solutionName)
	if file == nil {
		s.report.Add("CE_SOLUTION_INVALID", b.at(""), "There is no %s at the root of the solution.", solutionName)
		return nil
	}
	doc, err := s.document(b, file, "CE_SOLUTION_INVALID", "ImportExportXml")
	if err != nil || doc == nil {
		return err
	}
	manifest := doc.Root.Child("SolutionManifest")
	found := Solution{
		File: path.Base(f.Name), UniqueName: manifest.Content("UniqueName"),
		Version: manifest.Content("Version"), Managed: manifest.Content("Managed") == "1",
	}
	if found.UniqueName == "" {
		s.add("CE_SOLUTION_INVALID", doc, spot{element: manifest}, "The solution has no UniqueName.")
		return nil
	}
	at := spot{element: manifest.Child("Version")}
	if at.element == nil {
		at.element = manifest
	}
	version := numbers(found.Version)
	if version == nil {
		s.add("CE_SOLUTION_INVALID", doc, at, "The version of the solution %s is %s; it must be two to four numbers with dots between them.", quoted(found.UniqueName), quoted(found.Version))
		return nil
	}
	s.read = append(s.read, found)
	if !found.Managed {
		e := manifest.Child("Managed")
		if e == nil {
			e = manifest
		}
		s.add("CE_SOLUTION_UNMANAGED", doc, spot{element: e}, "The solution %s has Managed %s; it must be 1.", quoted(found.UniqueName), quoted(manifest.Content("Managed")))
	}
	if f == s.anchor {
		for _, live := range s.options.Live {
			if strings.EqualFold(live.UniqueName, found.UniqueName) && slices.Compare(version, numbers(live.Version)) < 0 {
				s.add("CE_SOLUTION_DOWNGRADE", doc, at, "The solution %s has the version %s; %s is live.", quoted(found.UniqueName), found.Version, live.Version)
			}
		}
	}
	return s.readCustomizations(b, f == s.anchor)
}

// numbers are the parts of a version, always four; nil when it is none.
func numbers(version string) []int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 || len(parts) > 4 {
		return nil
	}
	out := make([]int, 4)
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil
		}
		out[i] = int(n)
	}
	return out
}

// readCustomizations reads the names of the solution's apps, and of the anchor the license metadata.
func (s *solutions) readCustomizations(b *box, anchor bool) error {
	s.anchorRead = s.anchorRead || anchor
	file := b.rootFile(customizationsName)
	if file == nil || file.Size > maxFile && s.options.License == nil {
		return nil
	}
	doc, err := s.document(b, file, "CE_SOLUTION_INVALID", "ImportExportXml", planSet, mappingSet, moduleSet)
	if err != nil || doc == nil {
		s.anchorRead = s.anchorRead && !anchor
		return err
	}
	for _, set := range doc.Root.Children {
		if !strings.EqualFold(set.Name, moduleSet) {
			continue
		}
		for _, module := range set.All("AppModule") {
			if name := module.Content("UniqueName"); name != "" {
				s.modules = append(s.modules, name)
			}
		}
	}
	if anchor {
		s.customizations = doc
	}
	return nil
}
