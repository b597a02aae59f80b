package packages

import (
	"context"
	"fmt"
	"path"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/packages/businesscentral"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/iotedge"
	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/managedservice"
	"stoa/shared/packages/powerbi"
	"stoa/shared/packages/vmimage"
)

// validateCustomerEngagement looks at the package of a Customer Engagement offer.
func validateCustomerEngagement(ctx context.Context, p Package, o Options, report *finding.Report) (looked, error) {
	tree, err := open(ctx, p, report)
	if err != nil || tree == nil {
		return looked{}, err
	}
	_, err = dynamics.Validate(ctx, tree, dynamics.Options{Now: o.Now}, report)
	return looked{tree: tree}, err
}

// validateOperations looks at the validation assets of an Operations offer.
func validateOperations(ctx context.Context, p Package, _ Options, report *finding.Report) (looked, error) {
	if p.Tree != nil {
		return looked{}, fault.New(fault.Invalid, "InvalidValue", "path", "validation assets are a file, found a folder")
	}
	_, err := dynamics.ValidateAssets(ctx, dynamics.File{Name: p.Name, Bytes: p.Bytes, Size: p.Size}, report)
	return looked{}, err
}

// validateExtension looks at a file of a Business Central offer: the extension together with its library and tests, or
// one of these alone.
func validateExtension(ctx context.Context, p Package, o Options, report *finding.Report) (looked, error) {
	if p.Tree != nil {
		return looked{}, fault.New(fault.Invalid, "InvalidValue", "path", "an extension is a file, found a folder")
	}
	file := func(p Package) *businesscentral.File {
		if p.Bytes == nil {
			return nil
		}
		return &businesscentral.File{Name: p.Name, Bytes: p.Bytes, Size: p.Size}
	}
	var s businesscentral.Submission
	switch p.Slot {
	case Library:
		s.Library = file(p)
	case Tests:
		s.Tests = file(p)
	default:
		s = businesscentral.Submission{Main: file(p), Library: file(o.Beside[Library]), Tests: file(o.Beside[Tests])}
	}
	_, err := businesscentral.Validate(ctx, s, businesscentral.Options{}, report)
	return looked{}, err
}

// validateVisual looks at the package of a Power BI visual, or at a sample report together with the visual's package.
func validateVisual(ctx context.Context, p Package, o Options, report *finding.Report) (looked, error) {
	tree, err := open(ctx, p, report)
	if err != nil || tree == nil {
		return looked{}, err
	}
	if !strings.EqualFold(path.Ext(p.Name), ".pbix") {
		_, err := powerbi.ValidateVisual(tree, powerbi.VisualOptions{}, report)
		return looked{tree: tree}, err
	}
	var visual powerbi.Visual
	if of := o.Beside[VisualPackage]; of.Bytes != nil {
		scratch := finding.New(report.Type)
		inner, err := open(ctx, of, scratch)
		if err != nil {
			return looked{}, fmt.Errorf("open the visual of %s: %w", p.Name, err)
		}
		if inner != nil {
			if visual, err = powerbi.ValidateVisual(inner, powerbi.VisualOptions{}, scratch); err != nil {
				return looked{}, err
			}
		}
	}
	return looked{tree: tree}, powerbi.ValidateReport(tree, visual, report)
}

// validateDisk looks at a VHD as the disk of a Linux image of generation 1: what holds for every image.
func validateDisk(_ context.Context, p Package, _ Options, report *finding.Report) (looked, error) {
	if p.Tree != nil {
		return looked{}, fault.New(fault.Invalid, "InvalidValue", "path", "a disk is a file, found a folder")
	}
	return looked{}, vmimage.CheckVHD(path.Base(p.Name), p.Bytes, p.Size, vmimage.Disk{Family: vmimage.Linux, Generation: 1}, report)
}

// validateManifest looks at the manifest of a managed service.
func validateManifest(_ context.Context, p Package, _ Options, report *finding.Report) (looked, error) {
	doc, err := document(p, report)
	if err == nil && doc != nil {
		managedservice.Validate(doc, managedservice.Options{}, report)
	}
	return looked{}, err
}

// validateModule looks at the default settings of an IoT Edge module, as its technical configuration has them.
func validateModule(_ context.Context, p Package, _ Options, report *finding.Report) (looked, error) {
	doc, err := document(p, report)
	if err != nil || doc == nil {
		return looked{}, err
	}
	s := iotedge.Settings{
		Routes: settings(doc.Root, "defaultRoutes"), Twin: settings(doc.Root, "defaultTwinDesiredProperties"),
		Environment: settings(doc.Root, "defaultEnvironmentVariables"),
	}
	if options := doc.Root.Get("defaultContainerCreateOptions"); options.Is(jsondoc.String) {
		s.CreateOptions = options.Text
	}
	if plan := doc.Root.Get("planName"); plan.Is(jsondoc.String) {
		s.ModuleNames = []string{iotedge.ModuleName(plan.Text)}
	}
	s.Validate(report)
	return looked{}, nil
}

// settings reads a list of names and values.
func settings(root *jsondoc.Node, key string) []iotedge.Setting {
	list := root.Get(key)
	if !list.Is(jsondoc.Array) {
		return nil
	}
	out := make([]iotedge.Setting, len(list.Items))
	for i, item := range list.Items {
		if name := item.Get("name"); name.Is(jsondoc.String) {
			out[i].Name = name.Text
		}
		if value := item.Get("value"); value.Is(jsondoc.String) {
			out[i].Value = value.Text
		}
	}
	return out
}
