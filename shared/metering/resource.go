package metering

import (
	"cmp"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/subscription"
)

// Kind is what a resource is (3.4).
type Kind string

// The kinds.
const (
	SaaSKind       Kind = "saas"       // a SaaS subscription
	ManagedAppKind Kind = "managedApp" // an instance of an Azure managed application
)

// Owner is the application that may report usage of an offer: its metering identity (3.3).
type Owner struct {
	TenantID string `json:"tenantId"`
	AppID    string `json:"appId"`
}

// Resource is what usage is reported against (3.4).
type Resource struct {
	ID          string // GUID in lower case: of the subscription, or the resourceUsageId (MTR-33, MTR-34)
	URI         string // ARM id, empty for SaaS
	GroupID     string // managed resource group of a managed application, else empty
	Kind        Kind
	PublisherID string
	OfferID     string
	CustomerID  string // directory of the customer
	Status      subscription.Status
	Statuses    []subscription.StatusChange // oldest first
	PlanID      string                      // present plan
	Plans       []subscription.PlanSpan     // oldest first
	TermUnit    string
	Market      string
	Currency    string
	ActivatedAt time.Time
	EndedAt     time.Time
	Owner       Owner
	Test        bool // it exists for tests: its usage is never billed
	Dimensions  []offer.Dimension
	Meters      map[string][]offer.Meter // by plan
}

// OwnerOf is the metering identity of an offer.
func OwnerOf(v offer.Version) Owner {
	return Owner{TenantID: strings.ToLower(v.Technical.TenantID), AppID: strings.ToLower(v.Technical.AppID)}
}

// known reports whether there is a metering identity.
func (o Owner) known() bool { return o.TenantID != "" && o.AppID != "" }

// is reports whether the application is the metering identity.
func (o Owner) is(c account.Caller) bool {
	return o.known() && strings.EqualFold(o.AppID, c.AppID) && strings.EqualFold(o.TenantID, c.TenantID)
}

// ResourceOf is the metered side of a subscription.
func ResourceOf(sub subscription.Subscription, v offer.Version) Resource {
	r := Resource{
		ID: sub.ID, Kind: SaaSKind, PublisherID: sub.PublisherID, OfferID: sub.OfferID,
		CustomerID: cmp.Or(sub.Beneficiary.TenantID, sub.Purchaser.TenantID),
		Status:     sub.Status, Statuses: sub.History, PlanID: sub.PlanID, Plans: sub.Plans,
		TermUnit: sub.TermUnit, Market: sub.Market, Currency: sub.Currency,
		ActivatedAt: sub.ActivatedAt, EndedAt: sub.EndedAt,
	}
	return r.metered(v)
}

// metered is the resource with the meters of its offer.
func (r Resource) metered(v offer.Version) Resource {
	r.Owner, r.Dimensions, r.Meters = OwnerOf(v), v.Dimensions, map[string][]offer.Meter{}
	for _, p := range v.Plans {
		r.Meters[p.ID] = p.Meters
	}
	return r
}

// ownedBy reports whether the caller may report for the resource: the application that is the metering identity of
// its offer (MTR-28), or a managed identity that lives in the application's managed resource group (MTR-30). A SaaS
// resource has no such group.
func (r Resource) ownedBy(c account.Caller) bool {
	switch c.Kind {
	case account.App:
		return r.Owner.is(c)
	case account.ManagedIdentity:
		group, ok := resourceGroup(c.ResourceID)
		return ok && strings.EqualFold(group, r.GroupID)
	}
	return false
}

// active checks the resource's life against the time of an event (MTR-41 to MTR-44).
func (r Resource) active(effective time.Time) (Status, []fault.Detail) {
	ended := r.Status == subscription.Unsubscribed && !r.ActivatedAt.IsZero()
	if r.Status != subscription.Subscribed && !ended {
		return ResourceNotActive, nil
	}
	if effective.Before(r.ActivatedAt.Truncate(time.Second)) {
		return BadArgument, []fault.Detail{{
			Code: string(BadArgument), Target: memberEffective,
			Message: "The effectiveStartTime lies before the activation of the resource.",
		}}
	}
	if ended && (!effective.Before(r.EndedAt) || r.statusAt(effective) == subscription.Suspended) {
		return ResourceNotActive, nil
	}
	return Accepted, nil
}

// statusAt is the status of the resource at an instant, empty when it is not known.
func (r Resource) statusAt(t time.Time) subscription.Status {
	var at subscription.Status
	for _, change := range r.Statuses {
		if !change.At.After(t) {
			at = change.Status
		}
	}
	return at
}

// planAt is the plan of the resource at an instant (MTR-45).
func (r Resource) planAt(t time.Time) string {
	if len(r.Plans) == 0 {
		return r.PlanID
	}
	at := r.Plans[0].PlanID
	for _, span := range r.Plans {
		if !span.From.After(t) {
			at = span.PlanID
		}
	}
	return at
}

// Meter finds the meter by which usage of the dimension on the plan is charged. False when the dimension is not
// one of the offer, not enabled on the plan, or infinite for the resource's term (MTR-46). Ids are compared
// exactly (MTR-47).
func (r Resource) Meter(planID, dimension string) (offer.Meter, bool) {
	defined := false
	for _, d := range r.Dimensions {
		defined = defined || d.ID == dimension
	}
	if !defined {
		return offer.Meter{}, false
	}
	for _, m := range r.Meters[planID] {
		if m.DimensionID == dimension {
			infinite := m.MonthlyInfinite
			if r.TermUnit == "P1Y" {
				infinite = m.AnnualInfinite
			}
			return m, m.Enabled && !infinite
		}
	}
	return offer.Meter{}, false
}
