package publish

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"stoa/shared/offer"
)

// Calls are the fulfillment calls seen for subscriptions that were bought from a preview (SAS-66).
type Calls struct {
	Resolved  bool
	Activated bool
}

// Proof tells what a publisher's application has done for purchases from the preview of an offer.
type Proof interface {
	PreviewCalls(ctx context.Context, publisherID, offerID string) (Calls, error)
}

// CheckState says how far an item of the checklist is.
type CheckState string

// The states of an item: a reviewer has to look, or what was looked for was seen, was not, or cannot be known.
const (
	CheckByReviewer CheckState = "ForReviewer"
	CheckSeen       CheckState = "Seen"
	CheckNotSeen    CheckState = "NotSeen"
	CheckUnknown    CheckState = "Unknown"
)

// CheckItem is one thing certification looks at.
type CheckItem struct {
	ID    string     `json:"id"`
	Title string     `json:"title"`
	State CheckState `json:"state"`
}

//go:embed checklist.json
var checklistJSON []byte

type checkDefinition struct {
	ID             string   `json:"id"`
	Title          string   `json:"title"`
	ListingOptions []string `json:"listingOptions"`
	Proof          string   `json:"proof"`
}

var checklist = loadChecklist(checklistJSON)

func loadChecklist(raw []byte) []checkDefinition {
	var file struct {
		Items []checkDefinition `json:"items"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("checklist.json: %v", err))
	}
	return file.Items
}

// Checklist is what certification looks at for the submission of a SaaS offer that is under way (SAS-66, SAS-25):
// nothing for other types. NotFound for an offer that is not there, or was never submitted.
func (s *Service) Checklist(ctx context.Context, publisherID, offerID string) ([]CheckItem, error) {
	o, err := s.Store.Offer(ctx, publisherID, offerID)
	if err != nil {
		return nil, err
	}
	if o.Submission == 0 {
		return nil, neverSubmitted()
	}
	sub, err := s.Underway(ctx, &o)
	if err != nil {
		return nil, err
	}
	c, err := s.Snapshots.Frozen(ctx, sub.Snapshot)
	if err != nil {
		return nil, fmt.Errorf("checklist of %s: %w", sub.Snapshot, err)
	}
	return s.checklistOf(ctx, &c)
}

func (s *Service) checklistOf(ctx context.Context, c *offer.Content) ([]CheckItem, error) {
	if c.OfferType != offer.TypeSaaS {
		return nil, nil
	}
	state := map[string]CheckState{"": CheckByReviewer, "resolve": CheckUnknown, "activate": CheckUnknown}
	if s.Proof != nil && c.Transactable() {
		calls, err := s.Proof.PreviewCalls(ctx, c.PublisherID, c.OfferID)
		if err != nil {
			return nil, fmt.Errorf("calls for previews of %s: %w", c.OfferID, err)
		}
		state["resolve"], state["activate"] = seen(calls.Resolved), seen(calls.Activated)
	}
	var out []CheckItem
	for _, d := range checklist {
		if slices.Contains(d.ListingOptions, c.ListingOption) {
			out = append(out, CheckItem{ID: d.ID, Title: d.Title, State: state[d.Proof]})
		}
	}
	return out, nil
}

func seen(yes bool) CheckState {
	if yes {
		return CheckSeen
	}
	return CheckNotSeen
}

// unproven are warnings for the reviewer about calls that were not seen.
func unproven(items []CheckItem) []Message {
	var out []Message
	for _, item := range items {
		if item.State == CheckNotSeen {
			out = append(out, finding{code: "checklist." + item.ID, page: pageTechnical, text: "Not seen: " + item.Title}.message(Warning))
		}
	}
	return out
}
