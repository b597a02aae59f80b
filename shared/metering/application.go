package metering

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/offer"
	"stoa/shared/subscription"
)

// Application is an instance of an Azure managed application, as usage is reported against it (3.4).
type Application struct {
	ID          string                  `json:"resourceUsageId"` // GUID in lower case
	URI         string                  `json:"resourceUri"`     // ARM id
	GroupID     string                  `json:"managedResourceGroupId"`
	PublisherID string                  `json:"publisherId"`
	OfferID     string                  `json:"offerId"`
	Plans       []subscription.PlanSpan `json:"plans"` // oldest first
	CustomerID  string                  `json:"customerTenantId"`
	Market      string                  `json:"market"`
	Currency    string                  `json:"currency"`
	Preview     bool                    `json:"preview,omitempty"` // bought from the preview
	Test        bool                    `json:"test,omitempty"`    // its usage is never billed
	CreatedAt   time.Time               `json:"createdAt"`
	DeletedAt   time.Time               `json:"deletedAt,omitzero"`

	ETag string `json:"-"` // of the stored row as read
}

// PlanID is the present plan.
func (a Application) PlanID() string {
	if len(a.Plans) == 0 {
		return ""
	}
	return a.Plans[len(a.Plans)-1].PlanID
}

// Registry keeps managed applications.
type Registry interface {
	// Application reads one by its lower-cased resourceUsageId or ARM id. NotFound.
	Application(ctx context.Context, ref string) (Application, error)
	// SaveApplication writes one that is new, without an ETag, or was read before. Conflict when it exists or
	// its ARM id belongs to another that was not deleted; StaleETag.
	SaveApplication(ctx context.Context, a Application) error
}

// Applications knows the managed applications: what deployments tell of them, and what usage is held against.
type Applications struct {
	registry Registry
	offers   *offer.Catalogue
	now      func() time.Time
}

// NewApplications makes the service.
func NewApplications(registry Registry, offers offer.Reader, now func() time.Time) *Applications {
	return &Applications{registry: registry, offers: offer.NewCatalogue(offers, now), now: now}
}

// Registration is what a deployment tells of an application.
type Registration struct {
	ID, URI, GroupID, PublisherID, OfferID, PlanID, CustomerID, Market, Currency string

	Preview, Test bool
	CreatedAt     time.Time // zero is now
}

// Register adds an application or moves it to another plan, as of now. Registering the same again changes nothing.
// Invalid with all findings; Conflict "ApplicationChanged" when anything but the plan differs, "ApplicationDeleted",
// and "ResourceUriInUse" while the ARM id belongs to another one. It reports whether the application is new.
func (s *Applications) Register(ctx context.Context, r Registration) (Application, bool, error) {
	r.ID = cmp.Or(account.GUID(r.ID), r.ID)
	if err := s.check(ctx, r); err != nil {
		return Application{}, false, err
	}
	now := s.now().UTC()
	known, err := s.registry.Application(ctx, r.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		a := r.application(now)
		if err := s.registry.SaveApplication(ctx, a); err != nil {
			return Application{}, false, inUse(a, err)
		}
		return a, true, nil
	case err != nil:
		return Application{}, false, fmt.Errorf("managed application %s: %w", r.ID, err)
	case !known.DeletedAt.IsZero():
		return Application{}, false, fault.New(fault.Conflict, "ApplicationDeleted", "resourceUsageId", "the application was deleted")
	case !known.registeredAs(r):
		return Application{}, false, fault.New(fault.Conflict, "ApplicationChanged", "", "only the plan of an application may change")
	case known.PlanID() == r.PlanID:
		return known, false, nil
	}
	known.Plans = append(known.Plans, subscription.PlanSpan{PlanID: r.PlanID, From: now})
	if err := s.registry.SaveApplication(ctx, known); err != nil {
		return Application{}, false, fmt.Errorf("managed application %s: %w", r.ID, err)
	}
	return known, false, nil
}

func (r Registration) application(now time.Time) Application {
	created := r.CreatedAt.UTC()
	if r.CreatedAt.IsZero() {
		created = now
	}
	return Application{
		ID: r.ID, URI: r.URI, GroupID: r.GroupID, PublisherID: r.PublisherID, OfferID: r.OfferID,
		Plans:      []subscription.PlanSpan{{PlanID: r.PlanID, From: created}},
		CustomerID: account.GUID(r.CustomerID), Market: r.Market, Currency: r.Currency, Preview: r.Preview, Test: r.Test, CreatedAt: created,
	}
}

// registeredAs reports whether the application is the registered one, its plan aside.
func (a Application) registeredAs(r Registration) bool {
	return sameURI(a.URI, r.URI) && sameURI(a.GroupID, r.GroupID) && a.PublisherID == r.PublisherID && a.OfferID == r.OfferID &&
		a.CustomerID == account.GUID(r.CustomerID) && a.Market == r.Market && a.Currency == r.Currency && a.Preview == r.Preview && a.Test == r.Test
}

func inUse(a Application, err error) error {
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "ResourceUriInUse", "resourceUri", "another application has this ARM id").Because(err)
	}
	return fmt.Errorf("managed application %s: %w", a.ID, err)
}

const codeInvalid = "InvalidValue"

// check collects what is wrong with a registration. Its plan must be one that is sold.
func (s *Applications) check(ctx context.Context, r Registration) error {
	var found fault.Findings
	need := func(ok bool, target, message string) {
		if !ok {
			found.Add(codeInvalid, target, "%s", message)
		}
	}
	need(account.GUID(r.ID) != "", "resourceUsageId", "must be a GUID")
	need(len(r.URI) <= maxURI && isManagedApplication(r.URI), "resourceUri",
		"must be the ARM id of a managed application: /subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Solutions/applications/{name}")
	need(len(r.GroupID) <= maxURI && isResourceGroup(r.GroupID), "managedResourceGroupId",
		"must be the ARM id of a resource group: /subscriptions/{id}/resourceGroups/{name}")
	need(account.GUID(r.CustomerID) != "", "customerTenantId", "must be a GUID")
	need(len(r.Market) == 2, "market", "must be a country code, such as US")
	_, known := money.MinorUnits(r.Currency)
	need(known, "currency", "must be an ISO 4217 code, such as USD")
	need(!r.CreatedAt.After(s.now()), "createdAt", "must not lie ahead")
	if err := found.Err(fault.Invalid, codeInvalid, "The registration has %d errors.", len(found)); err != nil {
		return err
	}
	version, err := s.offers.Sold(ctx, r.PublisherID, r.OfferID, r.Preview)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Invalid, codeInvalid, "offerId", "must be an offer of the publisher that is sold")
	}
	if err != nil {
		return fmt.Errorf("offer of managed application %s: %w", r.ID, err)
	}
	if _, ok := version.Plan(r.PlanID); !ok || version.OfferType != offer.TypeAzureApplication {
		return fault.New(fault.Invalid, codeInvalid, "planId", "must be a plan of an Azure application offer")
	}
	return nil
}

// Delete marks an application as deleted, as of now (MTR-44). Deleting it again changes nothing. NotFound.
func (s *Applications) Delete(ctx context.Context, id string) (Application, error) {
	a, err := s.Application(ctx, id)
	if err != nil || !a.DeletedAt.IsZero() {
		return a, err
	}
	a.DeletedAt = s.now().UTC()
	if err := s.registry.SaveApplication(ctx, a); err != nil {
		return Application{}, fmt.Errorf("delete managed application %s: %w", a.ID, err)
	}
	return a, nil
}

// Application reads one by its resourceUsageId. NotFound.
func (s *Applications) Application(ctx context.Context, id string) (Application, error) {
	a, err := s.registry.Application(ctx, cmp.Or(account.GUID(id), "none"))
	if fault.Is(err, fault.NotFound) {
		return a, fault.New(fault.NotFound, "NotFound", "resourceUsageId", "there is no such application").Because(err)
	}
	if err != nil {
		return a, fmt.Errorf("managed application %s: %w", id, err)
	}
	return a, nil
}

// Resource implements Resources: by resourceUsageId or by ARM id (MTR-34).
func (s *Applications) Resource(ctx context.Context, ref string) (Resource, error) {
	if account.GUID(ref) == "" && !isManagedApplication(ref) {
		return Resource{}, fault.New(fault.NotFound, "NotFound", memberResource, "there is no such resource")
	}
	a, err := s.registry.Application(ctx, ref)
	if err != nil {
		return Resource{}, fmt.Errorf("metered resource %s: %w", ref, err)
	}
	version, err := s.offers.Sold(ctx, a.PublisherID, a.OfferID, a.Preview)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Resource{}, fmt.Errorf("offer of resource %s: %w", a.ID, err)
	}
	return a.resource().metered(version), nil
}

// resource is the metered side of an application: it is active while it exists (MTR-44), and pays by the month.
func (a Application) resource() Resource {
	r := Resource{
		ID: a.ID, URI: a.URI, GroupID: plainURI(a.GroupID), Kind: ManagedAppKind, PublisherID: a.PublisherID, OfferID: a.OfferID,
		CustomerID: a.CustomerID, Status: subscription.Subscribed, PlanID: a.PlanID(), Plans: a.Plans, TermUnit: monthlyTerm,
		Market: a.Market, Currency: a.Currency, ActivatedAt: a.CreatedAt, EndedAt: a.DeletedAt, Test: a.Test,
	}
	if !a.DeletedAt.IsZero() {
		r.Status = subscription.Unsubscribed
	}
	return r
}

const monthlyTerm = "P1M"

// subscription is the application as the ledger sees it: who pays for what is used, from when to when.
func (a Application) subscription() subscription.Subscription {
	r := a.resource()
	return subscription.Subscription{
		ID: a.ID, PublisherID: a.PublisherID, OfferID: a.OfferID, PlanID: r.PlanID, Plans: a.Plans, Status: r.Status, TermUnit: r.TermUnit,
		Beneficiary: subscription.Party{TenantID: a.CustomerID}, Purchaser: subscription.Party{TenantID: a.CustomerID},
		Market: a.Market, Currency: a.Currency, Preview: a.Preview, CreatedAt: a.CreatedAt, ActivatedAt: a.CreatedAt, EndedAt: a.DeletedAt,
	}
}
