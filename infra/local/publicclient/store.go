package publicclient

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// Store does what customers and their payments do. None of it is in the public documentation, so that it is asked
// of whatever the environment names: POST requests with JSON bodies below URL.
//
//	/purchases                            {publisherId, offerId, planId, quantity}: 201 {subscriptionId, landingUrl}
//	/subscriptions/{id}/changePlan        {planId}: 202
//	/subscriptions/{id}/changeQuantity    {quantity}: 202
//	/subscriptions/{id}/suspend           202: a charge failed
//	/subscriptions/{id}/reinstate         202: it was paid after all
//	/subscriptions/{id}/cancel            202: by the customer
type Store struct {
	URL           string
	Authorization string
	PublisherID   string
	OfferID       string
	HTTP          *http.Client
}

// Purchase is what was bought, and where the customer's browser goes next.
type Purchase struct {
	SubscriptionID string `json:"subscriptionId"`
	LandingURL     string `json:"landingUrl"`
}

// Buy buys a plan.
func (s *Store) Buy(ctx context.Context, planID string, seats int) (p Purchase, err error) {
	body := map[string]any{"publisherId": s.PublisherID, "offerId": s.OfferID, "planId": planID, "quantity": seats}
	return p, s.post(ctx, "/purchases", body, http.StatusCreated, &p)
}

// Does does one of the acts on a subscription; body may be nil.
func (s *Store) Does(ctx context.Context, act, id string, body any) error {
	return s.post(ctx, "/subscriptions/"+id+"/"+act, body, http.StatusAccepted, nil)
}

func (s *Store) post(ctx context.Context, path string, body any, want int, into any) error {
	raw := []byte("{}")
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if s.Authorization != "" {
		r.Header.Set("Authorization", s.Authorization)
	}
	_, err = send(s.HTTP, r, want, into)
	return err
}
