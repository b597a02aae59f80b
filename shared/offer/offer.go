package offer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"stoa/shared/dimension"
)

// Status is the status of an offer as its overview shows it (3.1).
type Status string

// The seven statuses.
const (
	StatusDraft                   Status = "Draft"
	StatusPublishInProgress       Status = "PublishInProgress"
	StatusAttentionNeeded         Status = "AttentionNeeded"
	StatusPreview                 Status = "Preview"
	StatusLive                    Status = "Live"
	StatusPendingStopDistribution Status = "PendingStopDistribution"
	StatusNotAvailable            Status = "NotAvailable"
)

// Text is the status as people read it.
func (s Status) Text() string {
	switch s {
	case StatusPublishInProgress:
		return "Publish in progress"
	case StatusAttentionNeeded:
		return "Attention needed"
	case StatusPendingStopDistribution:
		return "Pending Stop distribution"
	case StatusNotAvailable:
		return "Not available in the marketplace"
	default:
		return string(s)
	}
}

// Offer is one offer: its draft and what is known about its publications.
type Offer struct {
	Content                         // the draft
	ProductID  string               // GUID, made from publisher and offer id
	Status     Status               // set by publishing, never by an edit
	Version    int                  // publishes that reached production
	Notes      string               // notes for certification
	CreatedAt  time.Time            // when the offer was created
	ChangedAt  time.Time            // when the draft was last written; the draft's tag is made of it
	Submission int                  // number of the newest submission, 0 for none
	Preview    *Frozen              // what the preview slot shows
	Production *Frozen              // what is live
	Published  *Published           // what publishing has fixed
	Withdrawn  bool                 // its distribution was stopped; what was live is kept for those who bought
	Synced     map[string]time.Time // when the private audience of a plan was last synced into what is live
	Lock       string               // optimistic lock of the store, empty for a new offer
	Events     int                  // history events written so far
	Saved      map[string]string    // fingerprints of the parts as the store holds them
}

// Frozen says which submission a slot shows.
type Frozen struct {
	Submission   int       `json:"submission"` // number
	SubmissionID string    `json:"submissionId"`
	Version      int       `json:"version"`
	At           time.Time `json:"at"`
	Snapshot     string    `json:"snapshot"` // name of the frozen copy
}

// Published is what has been live at some time and so is fixed.
type Published struct {
	Transactable bool                     `json:"transactable"`
	Standard     bool                     `json:"standardContract,omitempty"` // was sold under the standard contract
	PricingModel string                   `json:"pricingModel,omitempty"`
	Plans        map[string]PublishedPlan `json:"plans,omitempty"`
	Dimensions   []Dimension              `json:"dimensions,omitempty"`
	Pages        map[string]string        `json:"pages,omitempty"` // fingerprint of each page as live
}

// PublishedPlan is what has been live of a plan.
type PublishedPlan struct {
	Public    bool   `json:"public"`
	Stopped   bool   `json:"stopped,omitempty"`
	FreeTrial bool   `json:"freeTrial"`
	Type      string `json:"planType,omitempty"`
	// What tells whether prices changed, not the prices: they would not fit into the row of an offer.
	Terms  map[string]dimension.Fixed `json:"terms,omitempty"`  // by unit
	Meters map[string]dimension.Lock  `json:"meters,omitempty"` // by dimension
	// Of a virtual machine: what tells its price, and whether it had an image.
	MachinePrice  string `json:"machinePrice,omitempty"`
	MachineImages bool   `json:"machineImages,omitempty"`
}

// Tag is the draft's entity tag in the form of the portal API (CPP-12). It changes with every draft write.
func (o *Offer) Tag() string {
	at := o.ChangedAt.UTC().Format("2006-01-02T15:04:05.0000000Z")
	return `W/"datetime'` + url.QueryEscape(at) + `'"`
}

// touch marks a draft write. Two writes never bear the same time, so that the tag always changes.
func (o *Offer) touch(now time.Time) {
	now = now.UTC().Truncate(100 * time.Nanosecond)
	if !now.After(o.ChangedAt) {
		now = o.ChangedAt.Add(100 * time.Nanosecond)
	}
	o.ChangedAt = now
}

// Transactable reports whether the offer is sold through Microsoft.
func (c *Content) Transactable() bool {
	return c.OfferType != TypeSaaS || c.ListingOption == SellThroughMicrosoft
}

// PublishedFacts are the facts of a content that went live, merged over what was live before.
func PublishedFacts(before *Published, live Content) *Published {
	p := &Published{Transactable: live.Transactable(), Plans: map[string]PublishedPlan{}, Dimensions: live.Dimensions}
	if before != nil {
		p.Transactable = p.Transactable || before.Transactable
		p.Standard = before.Standard
		for id, plan := range before.Plans {
			p.Plans[id] = plan
		}
	}
	p.Standard = p.Standard || live.OfferType == TypeSaaS && live.StandardContract() // SAS-17
	machines := machinePlans(live.Definition)
	for _, plan := range live.Plans {
		m := machines[plan.ID]
		p.Plans[plan.ID] = PublishedPlan{Public: !plan.Private, Stopped: plan.Stopped, FreeTrial: plan.FreeTrial, Type: plan.Type,
			Terms: fixTerms(plan.Terms), Meters: dimension.LocksOf(plan.Meters), MachinePrice: m.price, MachineImages: m.images > 0}
		p.PricingModel = plan.PricingModel
	}
	p.Pages = Fingerprints(&live)
	return p
}

// canonical is the JSON of v, the form in which parts are compared.
func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", v, err)) // every type here marshals
	}
	return string(raw)
}

// GUID makes a GUID from what makes a thing unique, so that a repeated act meets itself.
func GUID(parts ...string) string {
	sum := sha256.Sum256([]byte(canonical(parts)))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// clone is a deep copy of the content.
func (c *Content) clone() (Content, error) {
	var out Content
	raw, err := json.Marshal(c)
	if err != nil {
		return out, fmt.Errorf("copy offer %s: %w", c.OfferID, err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("copy offer %s: %w", c.OfferID, err)
	}
	return out, nil
}

// Fingerprint tells whether two contents are the same.
func Fingerprint(c *Content) string { return GUID(canonical(c)) }
