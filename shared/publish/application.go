package publish

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/packages/managedapp"
)

// provision checks the packages and the technical configurations of the plans, and makes the application definitions of
// managed applications (AZA-68). What goes live must be what was looked at for the preview (PUB-31).
func (s *Service) provision(ctx context.Context, sub *Submission, c *offer.Content, live bool) (outcome, error) {
	if s.Packages == nil {
		return checked(nil, nil), nil
	}
	before, err := s.liveApplications(ctx, c)
	if err != nil {
		return outcome{}, err
	}
	var wrong []finding
	found, versions := make([]packages.Record, len(c.Plans)), map[string]string{}
	for i := range c.Plans {
		p := &c.Plans[i]
		record, why, err := s.Packages.Accepted(ctx, c.PublisherID, c.OfferID, p.PackageBlob[strings.LastIndexByte(p.PackageBlob, '/')+1:])
		if err != nil {
			return outcome{}, fmt.Errorf("package of plan %s: %w", p.ID, err)
		}
		if why == "" && record.Type != packages.AzureApplication {
			why = "it is no package of an Azure application"
		}
		if why == "" && live && record.ETag != sub.Packages[p.ID] {
			why = "it was uploaded again after the preview was made"
		}
		if why != "" {
			wrong = append(wrong, finding{"PackageNotAccepted", pagePackages, fmt.Sprintf("plans[%d].packageFile", i),
				fmt.Sprintf("The package of the plan %s cannot be published: %s.", p.ID, why)})
			continue
		}
		found[i], versions[p.ID] = record, record.ETag
		if f, refused := jitFinding(i, p, &record); refused {
			wrong = append(wrong, f)
		}
		if words := before.refuses(p, record.ETag); words != "" {
			wrong = append(wrong, finding{"APP_VERSION_NOT_INCREASED", pagePackages, fmt.Sprintf("plans[%d].technicalConfiguration.version", i), words})
		}
	}
	out := checked(wrong, nil)
	if !live {
		out.packages = versions
	}
	if len(wrong) > 0 {
		return out, nil
	}
	return out, s.define(ctx, c, found)
}

// jitFinding says that the package of a managed application does not go with the plan's flag for just-in-time access
// (AZA-69).
func jitFinding(i int, p *offer.Plan, record *packages.Record) (finding, bool) {
	allowed := p.Technical != nil && p.Technical.AllowJIT
	f := finding{page: pagePackages, field: fmt.Sprintf("plans[%d].technicalConfiguration.allowJitAccess", i)}
	switch {
	case p.Type != offer.ManagedApplication:
		return f, false
	case allowed && record.LacksJIT:
		f.code, f.text = "APP_JIT_CONTROL_MISSING", fmt.Sprintf("The plan %s allows just-in-time access; the UI definition of its package needs the control, and an output that reads it.", p.ID)
	case !allowed && record.AsksJIT:
		f.code, f.text = "APP_JIT_UNEXPECTED", fmt.Sprintf("The package of the plan %s asks for just-in-time access, which the plan does not allow.", p.ID)
	default:
		return f, false
	}
	return f, true
}

// applications is what is live of an Azure application: its plans and the versions of their packages.
type applications struct {
	plans    map[string]offer.Plan
	packages map[string]string
}

func (s *Service) liveApplications(ctx context.Context, c *offer.Content) (applications, error) {
	frozen, content, err := s.lastLive(ctx, c)
	if err != nil || content == nil {
		return applications{}, err
	}
	sub, err := s.Store.Submission(ctx, c.PublisherID, c.OfferID, frozen.Submission)
	out := applications{map[string]offer.Plan{}, sub.Packages}
	for _, p := range content.Plans {
		out.plans[p.ID] = p
	}
	return out, err
}

// refuses says why a plan's version has to be a higher one: its configuration or its package differs from what is live
// (AZA-51).
func (a applications) refuses(p *offer.Plan, packageVersion string) string {
	was, known := a.plans[p.ID]
	if !known || was.Technical == nil || p.Technical == nil {
		return "" // what was published without a version has none to compare with
	}
	if a.packages[p.ID] == packageVersion && was.Technical.SameBut(p.Technical) || managedapp.Above(p.Technical.Version, was.Technical.Version) {
		return ""
	}
	return fmt.Sprintf("The technical configuration of the plan %s differs from the live one, whose version is %s; give it a higher version.", p.ID, was.Technical.Version)
}

// define writes the definition of every managed application for each of its clouds.
func (s *Service) define(ctx context.Context, c *offer.Content, found []packages.Record) error {
	if s.Defined == nil {
		return nil
	}
	for i := range c.Plans {
		p := &c.Plans[i]
		if p.Type != offer.ManagedApplication {
			continue
		}
		configuration := cmp.Or(p.Technical, &managedapp.Configuration{})
		container, blob := found[i].Published()
		for _, cloud := range p.OfferedIn() {
			d := configuration.Define(managedapp.Plan{Name: p.Name, Description: p.Description, Package: container + "/" + blob}, cloud)
			name := DefinitionName{PublisherID: c.PublisherID, OfferID: c.OfferID, PlanID: p.ID, Version: configuration.Version, Cloud: cloud}
			if err := s.Defined.PutDefinition(ctx, name, d); err != nil {
				return fmt.Errorf("application definition of plan %s in %s: %w", p.ID, cloud, err)
			}
		}
	}
	return nil
}
