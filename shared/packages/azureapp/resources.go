package azureapp

import (
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

const (
	machine        = "Microsoft.Compute/virtualMachines"
	scaleSet       = "Microsoft.Compute/virtualMachineScaleSets"
	customImage    = "Microsoft.Compute/images"
	extensionsPart = "/extensions"
)

// checkResources looks at each resource of the main, nested and linked templates (AZA-130 to AZA-135).
func (a *app) checkResources() {
	for _, t := range a.Templates {
		for i := range t.Resources {
			r := &t.Resources[i]
			a.checkContainers(t, r)
			switch {
			case r.OfType(machine, scaleSet):
				a.checkMachine(t, r)
			case r.OfType(machine+extensionsPart, scaleSet+extensionsPart):
				a.checkExtension(t, r.Value)
			case r.OfType(customImage):
				a.add("APP_CUSTOM_IMAGE", t, r.Value, "The template makes the custom image %s; use an image of the marketplace.", r.Member("name").Word())
			}
			if r.OfType(enums.UnderReported.Types...) { // AZA-133
				a.add("APP_CUA_UNDER_REPORTED", t, r.Member("type"), "The usage of %s is reported too low in usage attribution.", r.Type)
			}
		}
	}
}

// checkContainers finds containers, which solution templates must not have (AZA-131) and whose node resource group
// managed applications do not protect (AZA-132).
func (a *app) checkContainers(t *armtemplate.Template, r *armtemplate.Resource) {
	forbidden := r.Begins(enums.Forbidden.Prefixes...)
	if !forbidden && !r.Begins(enums.Forbidden.WarnPrefixes...) {
		return
	}
	at := t.Place(r.Member("type"))
	f := finding.Finding{File: at.File, Path: at.Path, Line: at.Line, Column: at.Column, Code: "APP_CONTAINER_IN_SOLUTION_TEMPLATE"}
	f.Message = "Solution templates have no containers; " + r.Type + " is one of their resources."
	if !forbidden {
		f.Severity = finding.Warning
		f.Message = "Solution templates have no containers; " + r.Type + " keeps images of some."
	}
	a.forPlan(SolutionTemplate, f)
	if forbidden {
		f.Code = "APP_CONTAINER_IN_MANAGED_APP"
		f.Message = "The resources of " + r.Type + " may lie in a resource group of its own, which the deny assignment of the managed application does not protect."
		a.forPlan(ManagedApplication, f)
	}
}

// checkMachine looks at the disks, the image and the extensions of a machine or scale set.
func (a *app) checkMachine(t *armtemplate.Template, r *armtemplate.Resource) {
	profile := r.Member("properties")
	if inner := resolve(t, profile.Member("virtualMachineProfile")); inner != nil {
		profile = inner
	}
	storage := resolve(t, profile.Member("storageProfile"))
	a.checkDisks(t, storage)
	a.checkImage(t, r, resolve(t, storage.Member("imageReference")))
	if list := profile.At("extensionProfile", "extensions"); list.Is(jsondoc.Array) {
		for _, extension := range list.Below {
			a.checkExtension(t, extension)
		}
	}
}

// checkDisks finds disks that are files in a storage account (AZA-130).
func (a *app) checkDisks(t *armtemplate.Template, storage *armtemplate.Value) {
	system := resolve(t, storage.Member("osDisk"))
	unmanaged := []*armtemplate.Value{system.Member("vhd"), system.Member("vhdContainers")}
	if disks := resolve(t, storage.Member("dataDisks")); disks != nil {
		for _, disk := range disks.Below {
			unmanaged = append(unmanaged, resolve(t, disk).Member("vhd"))
		}
	}
	for _, v := range unmanaged {
		if v != nil && v.Kind != jsondoc.Null {
			a.add("APP_UNMANAGED_DISK", t, v, "The disk is a file in a storage account (%s); machines use managed disks.", v.Key)
		}
	}
}

// platformPublishers are publishers of images that are no offers of the marketplace, so that machines made of them
// need no plan. Those of Microsoft begin with its name.
var platformPublishers = []string{
	"almalinux", "canonical", "coreos", "credativ", "debian", "kinvolk", "openlogic", "oracle", "redhat", "suse",
}

// checkImage finds images that are the publisher's own, and images of the marketplace without their plan (AZA-134).
func (a *app) checkImage(t *armtemplate.Template, r *armtemplate.Resource, image *armtemplate.Value) {
	if id := image.Member("id"); id != nil {
		a.add("APP_CUSTOM_IMAGE", t, id, "The image is given by an id; use publisher, offer, sku and version of an image of the marketplace.")
		return
	}
	folder := t.Folder(nil)
	folder.Left = &a.left
	publisher, known := folder.Text(image.Member("publisher").Word())
	if !known || publisher == "" || r.Member("plan") != nil || isOneOf(publisher, platformPublishers) || strings.HasPrefix(strings.ToLower(publisher), "microsoft") {
		return
	}
	a.add("APP_IMAGE_PLAN_MISSING", t, r.Value, "The image is one of the publisher %s, and the machine has no plan.", publisher)
}

// checkExtension finds extensions that do not take newer versions by themselves (AZA-135).
func (a *app) checkExtension(t *armtemplate.Template, extension *armtemplate.Value) {
	v := extension.At("properties", "autoUpgradeMinorVersion")
	if v == nil || v.Is(jsondoc.Bool) && v.Text != "true" {
		a.add("APP_EXTENSION_AUTO_UPGRADE", t, extension, "The extension %s does not have autoUpgradeMinorVersion: true.", extension.Member("name").Word())
	}
}

// resolve is what a value is, after looking up the variable that it may name.
func resolve(t *armtemplate.Template, v *armtemplate.Value) *armtemplate.Value {
	for range 8 {
		if v == nil || !v.Expr.Calls("variables") {
			break
		}
		name, _ := v.Expr.Argument(0)
		v = t.Root.At("variables", name)
	}
	return v
}

// resolveMember is like resolve for an expression that takes members of a variable.
func resolveMember(t *armtemplate.Template, e *armexpr.Node) *armtemplate.Value {
	if e.Kind == armexpr.Member {
		return resolve(t, resolveMember(t, e.Args[0]).Member(e.Text))
	}
	if !e.Calls("variables") {
		return nil
	}
	name, _ := e.Argument(0)
	return resolve(t, t.Root.At("variables", name))
}
