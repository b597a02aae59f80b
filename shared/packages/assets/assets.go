// Package assets looks at what an offer leaves with its publisher instead of uploading it: the disks of virtual machine
// images behind SAS links, and the images of containers and modules in a registry (rules VMO-66 to VMO-89, CON-30 to
// CON-41, IOT-8 to IOT-30).
//
// It joins the validators vmimage, container and iotedge to the places the assets lie in. Findings keep the order of
// the rules, disk by disk and tag by tag.
package assets

import (
	"context"
	"time"

	"stoa/shared/fault"
	"stoa/shared/packages/container"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/iotedge"
	"stoa/shared/packages/vmimage"
)

// Login is a registry by its bare name, and as whom to ask it. It is kept nowhere (CON-32).
type Login struct{ Registry, User, Password string }

// Checker looks at assets. Safe for concurrent use; all is required.
type Checker struct {
	Storage    vmimage.Storage
	Clouds     vmimage.Suffixes // hosts that links may lead to (VMO-77)
	Registries func(Login) container.Registry
	Offline    bool     // links to disks of a plan to be published are not followed: no cloud's storage is in reach
	Tier1      []string // platforms of IoT Edge, as os/architecture/variant (IOT-20)
	Now        func() time.Time
}

// Disks looks at the images of a plan: the set of their disks and their links and, when it may fetch, the files behind
// links that are in order (VMO-81). A link without the time of its recording is a new one. Unavailable when storage does not answer.
func (c *Checker) Disks(ctx context.Context, plan vmimage.Plan, fetch bool) (*finding.Report, error) {
	report := finding.New("VirtualMachine")
	return report, c.disks(ctx, plan, fetch, report)
}

// MachinePlan looks at a plan that is about to be published: its configuration, and the images that are new (VMO-50 to
// VMO-61, VMO-101). Unavailable when storage does not answer.
func (c *Checker) MachinePlan(ctx context.Context, plan vmimage.Plan, configuration vmimage.Configuration) (*finding.Report, error) {
	report := finding.New("VirtualMachine")
	plan.CheckConfiguration(configuration, report)
	plan.CheckNew(report)
	return report, c.disks(ctx, plan, !c.Offline, report)
}

func (c *Checker) disks(ctx context.Context, plan vmimage.Plan, fetch bool, report *finding.Report) error {
	now := c.Now()
	for i := range plan.Images {
		record(&plan.Images[i].OS, now)
		for d := range plan.Images[i].Data {
			record(&plan.Images[i].Data[d].Link, now)
		}
	}
	plan.CheckDisks(report)
	plan.CheckLinks(c.Clouds, now, report)
	if !fetch || report.Blocking {
		return nil
	}
	for i := range plan.Images {
		if plan.Images[i].Published {
			continue
		}
		if err := plan.CheckFiles(ctx, c.Storage, &plan.Images[i], report); err != nil {
			return fault.New(fault.Unavailable, "StorageUnavailable", "fetch", "The storage of the disks does not answer. Try again.").Because(err)
		}
	}
	return nil
}

func record(l *vmimage.Link, now time.Time) {
	if l.Recorded.IsZero() {
		l.Recorded = now
	}
}

// Platform options of a module (3.10).
const (
	Tier1All    = "tier1All"
	Tier1Subset = "tier1Subset"
)

// Images are the images of a plan.
type Images struct {
	container.Repository
	Login    Login
	Option   string           // of a module: tier1All or tier1Subset
	Settings iotedge.Settings // of a module: its default settings
}

// Repository looks at the tags of a plan and a module's settings and, when it may fetch, at what the registry has under
// the tags. It returns the digest of each tag that was read. Unavailable when the registry does not answer.
func (c *Checker) Repository(ctx context.Context, i Images, fetch bool) (*finding.Report, map[string]string, error) {
	report := finding.New(string(i.Kind))
	if i.Kind == container.IoTEdge {
		i.Platforms, i.AnyOne = c.Tier1, i.Option == Tier1Subset
		i.Settings.Validate(report)
	}
	i.CheckTags(report)
	if !fetch || report.Blocking {
		return report, nil, nil
	}
	digests, err := i.CheckImages(ctx, c.Registries(i.Login), report)
	if err != nil {
		return nil, nil, fault.New(fault.Unavailable, "RegistryUnavailable", "fetch", "The registry does not answer. Try again.").Because(err)
	}
	return report, digests, nil
}
