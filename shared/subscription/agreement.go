package subscription

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// The kinds of documents that a customer accepts before it buys.
const (
	StandardContract   = "standardContract"   // of the marketplace: accepted once, for all offers
	OwnTerms           = "termsAndConditions" // of an offer: accepted for each of its versions, as the amendments are
	UniversalAmendment = "universalAmendment" // to the standard contract, for all customers
	CustomAmendment    = "customAmendment"    // for the tenants that it names
)

// Document is a text that a customer accepts before it buys (SAS-19).
type Document struct {
	ID         string    // what an order names as accepted; that of an offer's text names its version
	Kind       string    // of those above
	Version    int       // of the offer, 0 for the standard contract
	Text       string    // empty for the standard contract
	AcceptedAt time.Time // when the customer did; zero when it did not yet
}

// AcceptanceKey names what a tenant accepted. The standard contract is of no offer.
type AcceptanceKey struct {
	TenantID    string `json:"tenantId"`
	PublisherID string `json:"publisherId,omitempty"`
	OfferID     string `json:"offerId,omitempty"`
	Document    string `json:"document"`
}

// Acceptance is who accepted a document for a tenant, and when.
type Acceptance struct {
	AcceptanceKey
	ObjectID string    `json:"objectId"`
	At       time.Time `json:"at"`
}

// Shelf asks for the documents of an offer.
type Shelf struct {
	Buyer       account.Caller
	PublisherID string
	OfferID     string
	PlanID      string // the version that sells it counts; empty takes what is live, else the preview
}

// Terms lists what the buyer's tenant accepts before it buys from an offer, and what it has accepted. NotFound for
// an offer that the buyer may not see.
func (s *Service) Terms(ctx context.Context, in Shelf) ([]Document, error) {
	v, err := s.shelf(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.documents(ctx, in.Buyer, &v)
}

// Accept notes that the buyer's tenant accepts documents of an offer, and lists all as Terms does. What was accepted
// before stays as it is. Invalid for a document that the offer does not ask for.
func (s *Service) Accept(ctx context.Context, in Shelf, ids []string) ([]Document, error) {
	v, err := s.shelf(ctx, in)
	if err != nil {
		return nil, err
	}
	asked := documentsOf(&v, in.Buyer.TenantID)
	var f fault.Findings
	for i, id := range ids {
		if !slices.ContainsFunc(asked, func(d Document) bool { return d.ID == id }) {
			f.Add(CodeInvalid, fmt.Sprintf("acceptedTerms[%d]", i), "The offer does not ask for this: expected one of %s, found %q.", listed(idsOf(asked)), clip(id))
		}
	}
	if len(ids) == 0 {
		f.Add(CodeRequired, "acceptedTerms", "Name what is accepted: some of %s.", listed(idsOf(asked)))
	}
	if err := f.Err(fault.Invalid, CodeBadRequest, "Some of the terms are not those of the offer."); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, in.Buyer, &v, ids); err != nil {
		return nil, err
	}
	return s.documents(ctx, in.Buyer, &v)
}

func (s *Service) shelf(ctx context.Context, in Shelf) (offer.Version, error) {
	v, _, err := s.offered(ctx, &Order{Buyer: in.Buyer, PublisherID: in.PublisherID, OfferID: in.OfferID, PlanID: in.PlanID})
	return v, err
}

// documentsOf are the documents of a version that a tenant accepts: its own terms, or else the standard contract with
// the amendments for all and for that tenant, which no other sees (SAS-18).
func documentsOf(v *offer.Version, tenantID string) []Document {
	id := func(kind string) string { return kind + ":" + v.Submission }
	if strings.TrimSpace(v.Listing.Terms) != "" {
		return []Document{{ID: id(OwnTerms), Kind: OwnTerms, Version: v.Number, Text: v.Listing.Terms}}
	}
	out := []Document{{ID: StandardContract, Kind: StandardContract}}
	if strings.TrimSpace(v.Legal.Universal) != "" {
		out = append(out, Document{ID: id(UniversalAmendment), Kind: UniversalAmendment, Version: v.Number, Text: v.Legal.Universal})
	}
	for i, a := range v.Legal.Custom {
		if slices.ContainsFunc(a.Tenants, func(t offer.AmendmentTenant) bool { return strings.EqualFold(t.ID, tenantID) }) {
			out = append(out, Document{ID: id(CustomAmendment) + ":" + strconv.Itoa(i+1), Kind: CustomAmendment, Version: v.Number, Text: a.Terms})
		}
	}
	return out
}

func idsOf(docs []Document) []string {
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = d.ID
	}
	return ids
}

// key is what the acceptance of a document by the buyer's tenant is known by.
func (d *Document) key(buyer account.Caller, v *offer.Version) AcceptanceKey {
	k := AcceptanceKey{TenantID: strings.ToLower(buyer.TenantID), Document: d.ID}
	if d.Kind != StandardContract { // SAS-19: remembered over offers
		k.PublisherID, k.OfferID = v.PublisherID, v.OfferID
	}
	return k
}

// documents are those of a version, with what the buyer's tenant has accepted.
func (s *Service) documents(ctx context.Context, buyer account.Caller, v *offer.Version) ([]Document, error) {
	docs := documentsOf(v, buyer.TenantID)
	for i := range docs {
		a, err := s.deps.Store.Acceptance(ctx, docs[i].key(buyer, v))
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, fmt.Errorf("read what tenant %s accepted: %w", buyer.TenantID, err)
		}
		docs[i].AcceptedAt = a.At
	}
	return docs, nil
}

// accept remembers those of the ids that are documents of the version.
func (s *Service) accept(ctx context.Context, buyer account.Caller, v *offer.Version, ids []string) error {
	for _, d := range documentsOf(v, buyer.TenantID) {
		if !slices.Contains(ids, d.ID) {
			continue
		}
		a := Acceptance{AcceptanceKey: d.key(buyer, v), ObjectID: strings.ToLower(buyer.ObjectID), At: s.deps.Now().UTC()}
		if err := s.deps.Store.Accept(ctx, a); err != nil {
			return fmt.Errorf("note what tenant %s accepted: %w", buyer.TenantID, err)
		}
	}
	return nil
}

// unaccepted lists the documents that an order needs and that are accepted neither with it nor before (SAS-19). What
// the order accepts is not looked up.
func (s *Service) unaccepted(ctx context.Context, in *Order, v *offer.Version) ([]string, error) {
	var missing []string
	for _, d := range documentsOf(v, in.Buyer.TenantID) {
		if slices.Contains(in.AcceptedTerms, d.ID) {
			continue
		}
		_, err := s.deps.Store.Acceptance(ctx, d.key(in.Buyer, v))
		switch {
		case fault.Is(err, fault.NotFound):
			missing = append(missing, d.ID)
		case err != nil:
			return nil, fmt.Errorf("read what tenant %s accepted: %w", in.Buyer.TenantID, err)
		}
	}
	return missing, nil
}
