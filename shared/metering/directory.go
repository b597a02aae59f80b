package metering

import (
	"context"
	"errors"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
)

// Directory finds every resource that usage is reported against.
type Directory struct {
	saas         *SaaS
	applications *Applications
}

// NewDirectory makes the finder of both kinds.
func NewDirectory(saas *SaaS, applications *Applications) (*Directory, error) {
	if saas == nil || applications == nil {
		return nil, errors.New("metering directory: both kinds are required")
	}
	return &Directory{saas, applications}, nil
}

// Find implements Finder. A GUID is looked up among the subscriptions first, which are many more.
func (d *Directory) Find(ctx context.Context, wanted map[string]time.Time) map[string]Found {
	found := map[string]Found{}
	ids := map[string]time.Time{}
	var others []string
	for ref, latest := range wanted {
		if account.GUID(ref) != "" {
			ids[ref] = latest
			continue
		}
		others = append(others, ref)
	}
	if len(ids) > 0 {
		found = d.saas.Find(ctx, ids)
	}
	for ref, f := range found {
		if fault.Is(f.Err, fault.NotFound) {
			others = append(others, ref)
		}
	}
	for ref, f := range FindEach(ctx, others, d.applications.Resource) {
		found[ref] = f
	}
	return found
}

// Resource implements Resources.
func (d *Directory) Resource(ctx context.Context, ref string) (Resource, error) {
	r, err := d.saas.Resource(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return d.applications.Resource(ctx, ref)
	}
	return r, err
}

// Owner implements Finder.
func (d *Directory) Owner(ctx context.Context, publisherID, offerID string) (Owner, error) {
	return d.saas.Owner(ctx, publisherID, offerID)
}

// Subscription reads who pays for a resource: a subscription, or a managed application in the form of one. NotFound.
func (d *Directory) Subscription(ctx context.Context, id string) (subscription.Subscription, error) {
	sub, err := d.saas.subscriptions.Subscription(ctx, id)
	if !fault.Is(err, fault.NotFound) {
		return sub, err
	}
	a, appErr := d.applications.registry.Application(ctx, plainURI(id))
	if fault.Is(appErr, fault.NotFound) {
		return sub, err
	}
	return a.subscription(), appErr
}
