package packages

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// Package is what is to be validated: bytes, or an unpacked tree.
type Package struct {
	Name  string
	Slot  Slot // what it is for, where an offer takes several; empty goes by the name
	Bytes io.ReaderAt
	Size  int64
	Tree  *content.Tree // instead of bytes
}

// Options are what is known beside the package.
type Options struct {
	PlanType string // of the plan it is for; both are judged without one (AZA-107)
	// TrackingID is that of the offer of an Azure application; without it its tracking resources are not looked at.
	TrackingID string

	JIT    *bool            // whether the plan allows just-in-time access; not judged without (AZA-154, AZA-155)
	Now    time.Time        // ages count back from here
	Beside map[Slot]Package // the offer's uploads that it goes with: an extension's library and tests, a sample report's visual
}

// PlanTypes are the types of plans of an Azure application (AZA-107).
var PlanTypes = []string{azureapp.SolutionTemplate, azureapp.ManagedApplication}

// kind is what packages of an offer type are and how they are validated.
type kind struct {
	name       string
	extensions []string
	validate   func(ctx context.Context, p Package, o Options, report *finding.Report) (looked, error)
}

// looked is what was learned of a package beside its findings: its files, where it is an archive, and what concerns an
// Azure application.
type looked struct {
	tree  *content.Tree
	facts azureapp.Facts
}

// Kinds that other names refer to.
const (
	AzureApplication   = "AzureApplication"
	businessCentral    = "Dynamics365BusinessCentral"
	customerEngagement = "Dynamics365CustomerEngagement"
	operations         = "Dynamics365Operations"
	visual             = "PowerBIVisual"
)

// kinds are the offer types with packages. The first whose extensions fit is that of a package without a type.
var kinds = []kind{
	{AzureApplication, []string{".zip", ".json"}, validateAzureApplication},
	{customerEngagement, []string{".zip"}, validateCustomerEngagement},
	{operations, []string{".zip", ".xls", ".xlsx"}, validateOperations},
	{businessCentral, []string{".app"}, validateExtension},
	{visual, []string{".pbiviz", ".pbix"}, validateVisual},
	{"VirtualMachine", []string{".vhd"}, validateDisk},
	{"ManagedService", []string{".json"}, validateManifest},
	{"IoTEdgeModule", []string{".json"}, validateModule},
}

// Types are the offer types whose packages can be validated.
func Types() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

// kindOf is the kind of a type, or of a slot or a name when the type is none with packages. What fits nothing is an
// Azure application, whose name is then found to be wrong.
func kindOf(offerType string, slot Slot, name string) kind {
	for _, wanted := range []string{offerType, slots[slot].kind} {
		for _, k := range kinds {
			if strings.EqualFold(k.name, wanted) {
				return k
			}
		}
	}
	for _, k := range kinds {
		if slices.Contains(k.extensions, strings.ToLower(path.Ext(name))) {
			return k
		}
	}
	return kinds[0]
}

// Validate looks at a package. The type is one of Types; any other goes by the name. The error is that of the source
// or of the context; what is wrong with the package is in the report.
func Validate(ctx context.Context, offerType string, p Package, o Options) (*finding.Report, error) {
	report, _, err := validate(ctx, offerType, p, o)
	return report, err
}

func validate(ctx context.Context, offerType string, p Package, o Options) (*finding.Report, looked, error) {
	k := kindOf(offerType, p.Slot, p.Name)
	report := finding.New(k.name)
	extensions := k.extensions
	if form, known := slots[p.Slot]; known && form.kind == k.name {
		extensions = form.extensions
	}
	if p.Tree == nil && !slices.Contains(extensions, strings.ToLower(path.Ext(p.Name))) { // AZA-101
		report.Add("PKG_WRONG_EXTENSION", finding.Place{}, "The name ends in %q; it must end in %s.", path.Ext(p.Name), strings.Join(extensions, " or "))
	}
	found, err := k.validate(ctx, p, o, report)
	if found.tree != nil {
		report.Files = len(found.tree.Files())
	} else if err == nil && p.Size > 0 {
		report.Files = cmp.Or(report.Files, 1)
	}
	report.Sort()
	return report, found, err
}

// open is the tree of a package that is an archive; nil after a finding.
func open(ctx context.Context, p Package, report *finding.Report) (*content.Tree, error) {
	if p.Tree != nil {
		return p.Tree, nil
	}
	return archive.Open(ctx, p.Bytes, p.Size, report)
}

func validateAzureApplication(ctx context.Context, p Package, o Options, report *finding.Report) (looked, error) {
	options := azureapp.Options{PlanType: o.PlanType, Now: o.Now, TrackingID: o.TrackingID, JIT: o.JIT}
	if p.Tree == nil && strings.EqualFold(path.Ext(p.Name), ".json") {
		file := single(p)
		return looked{tree: content.NewTree([]*content.File{file})}, azureapp.ValidateFile(ctx, file, options, report)
	}
	tree, err := open(ctx, p, report)
	if err != nil || tree == nil {
		return looked{}, err
	}
	facts, err := azureapp.Validate(ctx, tree, options, report)
	return looked{tree, facts}, err
}

// single is a package that is one file.
func single(p Package) *content.File {
	return &content.File{Name: path.Base(p.Name), Size: p.Size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(p.Bytes, 0, p.Size)), nil
	}}
}

// document reads a package that is one JSON file; nil after a finding.
func document(p Package, report *finding.Report) (*content.Document, error) {
	if p.Tree != nil || p.Size > content.MaxInMemory {
		report.Add("PKG_TOO_LARGE", finding.Place{}, "The package is one JSON file of at most %d bytes.", content.MaxInMemory)
		return nil, nil
	}
	text, err := single(p).Read()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Name, err)
	}
	return content.Parse(path.Base(p.Name), text, report), nil
}
