package dynamics

import (
	"context"
	"path"
	"strings"
	"time"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// Options are what is known beside a package of Customer Engagement.
type Options struct {
	Now      time.Time  // dates of the package are compared with its day
	Multiple bool       // the offer says that the file holds several packages
	Markets  []string   // of the offer, as two letters
	Live     []Solution // anchor solutions of the live packages
	License  *License   // nil while license management is off
}

// License is what the offer says of licenses.
type License struct {
	ServiceIDs     []string // of all plans
	InstallWithout bool     // customers may install without a license
}

// Package is what an AppSource package says of itself.
type Package struct {
	Path               string     `json:"path,omitempty"` // inside the file, when that holds several
	ProviderName       string     `json:"providerName"`
	Anchor             string     `json:"anchor"` // file name of the anchor solution
	Solutions          []Solution `json:"solutions"`
	SupportedCountries []string   `json:"supportedCountries"`
	Locales            []int      `json:"locales"`
	ServiceIDs         []string   `json:"serviceIds"`
	AppModules         []string   `json:"appModules"`
	StartDate          time.Time  `json:"startDate"`
	EndDate            time.Time  `json:"endDate"`
}

// Solution is what a solution says of itself. File is its name in the package's folder.
type Solution struct {
	File       string `json:"file"`
	UniqueName string `json:"uniqueName"`
	Version    string `json:"version"`
	Managed    bool   `json:"managed"`
}

// Validate looks at the file of a Customer Engagement offer: one AppSource package, or an archive of several, each of
// which is validated by itself (DYN-40). The error is that of the source or of the context.
func Validate(ctx context.Context, tree *content.Tree, o Options, report *finding.Report) ([]Package, error) {
	v := &validation{options: o, report: report, nest: archive.NewNest(), xmlLeft: maxXML}
	whole := newBox(tree, "", 0)
	if err := v.search(ctx, whole); err != nil {
		return nil, err
	}
	inside := v.boxes
	if isPackage(whole) {
		inside = 0
	}
	switch {
	case v.boxes == 0:
		report.Add("CE_INPUT_XML_MISSING", finding.Place{}, "There is no input.xml at the root of the package; the files there are %s.", listed(rootNames(whole)))
		return v.found, nil
	case o.Multiple && v.boxes == 1:
		report.Add("CE_MULTIPLE_SINGLE", finding.Place{}, "The file holds one package, though the offer says that it holds several.")
	case !o.Multiple && inside > 1:
		report.Add("CE_MULTIPLE_UNDECLARED", finding.Place{}, "The file holds %d packages, though the offer does not say that it holds several.", v.boxes)
	case !o.Multiple && inside == 1:
		report.Add("CE_INPUT_XML_MISSING", finding.Place{}, "There is no input.xml at the root of the file; the package lies in an archive inside it.")
	}
	if o.Multiple && inside > 0 {
		for _, at := range v.empty {
			report.Add("CE_INPUT_XML_MISSING", at, "There is no input.xml at the root of this package.")
		}
	}
	return v.found, nil
}

// search validates the package that a box is, or those that lie in it.
func (v *validation) search(ctx context.Context, b *box) error {
	if isPackage(b) {
		v.boxes++
		facts, err := v.checkPackage(ctx, b)
		v.found = append(v.found, facts)
		return err
	}
	before, zips := v.boxes, b.rootFiles(".zip")
	for _, f := range zips {
		inner, err := v.open(ctx, b, f)
		if err != nil {
			return err
		}
		if inner == nil {
			continue
		}
		if err := v.search(ctx, inner); err != nil {
			return err
		}
	}
	if v.boxes == before && !v.report.Full() {
		v.empty = append(v.empty, b.at(""))
	}
	return nil
}

// isPackage reports whether a box is meant as an AppSource package: it holds input.xml, at the root or in the one
// folder that holds all files.
func isPackage(b *box) bool { return b.rootFile(inputName) != nil || nestedRoot(b) != "" }

// nestedRoot is the one folder in which all files lie, when input.xml is one of them.
func nestedRoot(b *box) string {
	root := ""
	for _, f := range b.tree.Files() {
		folder, _, nested := strings.Cut(f.Name, "/")
		if !nested || root != "" && folder != root {
			return ""
		}
		root = folder
	}
	if root == "" || b.file(path.Join(root, inputName)) == nil {
		return ""
	}
	return root
}

func rootNames(b *box) []string {
	var out []string
	for _, f := range b.tree.Files() {
		if !strings.Contains(f.Name, "/") {
			out = append(out, f.Name)
		}
	}
	return out
}

// checkPackage looks at one AppSource package, step by step; a step needs what the ones before it found.
func (v *validation) checkPackage(ctx context.Context, b *box) (Package, error) {
	facts := Package{Path: b.path}
	if root := nestedRoot(b); root != "" {
		v.report.Add("CE_NESTED_ROOT", b.at(""), "All files lie in the folder %s; they must lie at the root.", quoted(root))
		return facts, nil
	}
	if err := v.checkContentTypes(b); err != nil {
		return facts, err
	}
	doc, err := v.document(b, b.rootFile(inputName), "CE_INPUT_XML_INVALID", "PvsPackageData")
	if err != nil || doc == nil {
		return facts, err
	}
	in := &input{validation: v, box: b, doc: doc}
	in.checkHead(&facts)
	if err := in.checkLocales(&facts); err != nil {
		return facts, err
	}
	deployer := in.deployer()
	if deployer == nil {
		return facts, nil
	}
	inner, err := v.open(ctx, b, deployer)
	if err != nil || inner == nil {
		return facts, err
	}
	return facts, in.checkDeployer(ctx, inner, &facts)
}
