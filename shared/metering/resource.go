package metering

import (
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/subscription"
)

// KindSaaS is the kind of a resource that is a SaaS subscription.
const KindSaaS = "saas"

// Owner is the application that may report usage of an offer: its metering identity (3.3).
type Owner struct {
	TenantID string `json:"tenantId"`
	AppID    string `json:"appId"`
}

// Resource is what usage is reported against (3.4).
type Resource struct {
	ID          string // GUID in lower case
	URI         string // ARM id, empty for SaaS
	Kind        string
	PublisherID string
	OfferID     string
	OfferName   string
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
	Dimensions  []offer.Dimension
	Meters      map[string][]offer.Meter // by plan
}

// ResourceOf is the metered side of a subscription.
func ResourceOf(sub subscription.Subscription, v offer.Version) Resource {
	r := Resource{
		ID: sub.ID, Kind: KindSaaS, PublisherID: sub.PublisherID, OfferID: sub.OfferID, OfferName: v.Listing.Name,
		Status: sub.Status, Statuses: sub.History, PlanID: sub.PlanID, Plans: sub.Plans,
		TermUnit: sub.TermUnit, Market: sub.Market, Currency: sub.Currency,
		ActivatedAt: sub.ActivatedAt, EndedAt: sub.EndedAt,
		Owner:      Owner{TenantID: strings.ToLower(v.Technical.TenantID), AppID: strings.ToLower(v.Technical.AppID)},
		Dimensions: v.Dimensions, Meters: map[string][]offer.Meter{},
	}
	for _, p := range v.Plans {
		r.Meters[p.ID] = p.Meters
	}
	return r
}

// ownedBy reports whether the caller may report for the resource (MTR-28). A managed identity never owns a SaaS
// resource (MTR-30).
func (r Resource) ownedBy(c account.Caller) bool {
	return c.Kind == account.App && r.Owner.AppID != "" && r.Owner.TenantID != "" &&
		strings.EqualFold(r.Owner.AppID, c.AppID) && strings.EqualFold(r.Owner.TenantID, c.TenantID)
}

// active checks the resource's life against the time of an event (MTR-41 to MTR-43).
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

// sameURI compares ARM ids, which have no case (MTR-35).
func sameURI(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
}
