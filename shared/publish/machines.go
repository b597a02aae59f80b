package publish

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stoa/shared/offer"
	packagefinding "stoa/shared/packages/finding"
	"stoa/shared/packages/vmimage"
)

const pageMachine = "definitionVirtualMachine"

// checkMachines looks at the images of a virtual machine's plans (VMO-50 to VMO-89). What is live is not looked at
// again, but counts where images have to be alike (VMO-52, VMO-101).
func (s *Service) checkMachines(ctx context.Context, c *offer.Content) (outcome, error) {
	if s.Machines == nil || c.OfferType != offer.TypeVirtualMachine {
		return checked(nil, nil), nil
	}
	plans, err := c.MachinePlans()
	if err != nil {
		return checked([]finding{{offer.CodeInvalid, pageMachine, "definition", "The definition has another shape than one of virtual machines: " + err.Error() + "."}}, nil), nil
	}
	live, err := s.liveMachines(ctx, c)
	if err != nil {
		return outcome{}, err
	}
	var wrong, warnings []finding
	for _, p := range plans {
		configuration := vmimage.Configuration{
			RecommendedSizes: p.RecommendedSizes, Generations: []vmimage.Generation{{Type: cmp.Or(p.Generation, 1)}}, Hotpatch: p.Hotpatch, CustomTemplate: p.CustomTemplate,
		}
		report, err := s.Machines.MachinePlan(ctx, imagesOf(c, &p, live[p.ID]), configuration)
		if err != nil {
			return outcome{}, fmt.Errorf("images of plan %s: %w", p.ID, err)
		}
		for _, f := range report.Findings {
			found := finding{f.Code, pageMachine, f.File, strings.TrimSpace(f.Message + " " + f.Fix)}
			if f.Severity == packagefinding.Error {
				wrong = append(wrong, found)
			} else {
				warnings = append(warnings, found)
			}
		}
	}
	return checked(wrong, warnings), nil
}

// imagesOf are the images of a plan, the lowest version first.
func imagesOf(c *offer.Content, p *offer.MachinePlan, live map[string]offer.MachineImageVersion) vmimage.Plan {
	out := vmimage.Plan{ID: p.ID, Family: vmimage.Family(strings.ToLower(p.Family))}
	link := func(url string) vmimage.Link { return vmimage.Link{URI: url, Recorded: c.LinkRecorded(url)} }
	for _, version := range slices.Sorted(maps.Keys(p.Versions)) {
		v := p.Versions[version]
		_, published := live[version]
		image := vmimage.Image{Generation: cmp.Or(p.Generation, 1), Version: version, OS: link(v.OS), Published: published}
		for _, d := range v.Data {
			image.Data = append(image.Data, vmimage.DataDisk{LUN: d.LUN, Link: link(d.URL)})
		}
		out.Images = append(out.Images, image)
	}
	return out
}

// liveMachines are the versions of images that are live, by plan.
func (s *Service) liveMachines(ctx context.Context, c *offer.Content) (map[string]map[string]offer.MachineImageVersion, error) {
	_, content, err := s.lastLive(ctx, c)
	if err != nil || content == nil {
		return nil, err
	}
	plans, err := content.MachinePlans()
	if err != nil {
		return nil, nil // what is live of another shape has no images
	}
	out := map[string]map[string]offer.MachineImageVersion{}
	for _, p := range plans {
		out[p.ID] = p.Versions
	}
	return out, nil
}

// lastLive is the content of an offer that is live, and its place; nil before there is one.
func (s *Service) lastLive(ctx context.Context, c *offer.Content) (*offer.Frozen, *offer.Content, error) {
	o, err := s.Store.Offer(ctx, c.PublisherID, c.OfferID)
	if err != nil || o.Production == nil {
		return nil, nil, err
	}
	content, err := s.Snapshots.Frozen(ctx, o.Production.Snapshot)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", o.Production.Snapshot, err)
	}
	return o.Production, &content, nil
}
