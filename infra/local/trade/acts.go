package trade

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	subscriptions = "/api/saas/subscriptions/"
	version       = "?api-version=2018-08-31"
	usageTime     = "2006-01-02T15:04:05.0000000"
)

type object = map[string]any

// Order is what a customer buys.
type Order struct {
	OfferID, PlanID string
	Key             string // the idempotency key, and the subscription's name
	AutoRenew       bool
}

// Purchase buys and returns the subscription's id. The same order again is the same subscription.
func (c *Client) Purchase(ctx context.Context, o Order) (string, error) {
	a, err := c.Do(ctx, Request{
		As: Customer, Method: http.MethodPost, Path: "/storefront/v1/purchases", Header: map[string]string{"Idempotency-Key": o.Key},
		Body: object{"publisherId": PublisherID, "offerId": o.OfferID, "planId": o.PlanID, "termUnit": "P1M", "market": "US",
			"store": "AzureMarketplace", "subscriptionName": o.Key, "payment": object{"method": "card"},
			"acceptedTerms": []string{"standardContract"}, "autoRenew": o.AutoRenew},
	}, http.StatusCreated)
	if err != nil {
		return "", err
	}
	var got struct {
		ID string `json:"subscriptionId"`
	}
	return got.ID, a.Decode(&got)
}

// Resolve follows the customer to the landing page and resolves the token that arrives there. It returns the id the
// publisher gets.
func (c *Client) Resolve(ctx context.Context, id string) (string, error) {
	a, err := c.Do(ctx, Request{As: Customer, Method: http.MethodPost, Path: "/storefront/v1/subscriptions/" + id + "/configure"}, http.StatusOK)
	if err != nil {
		return "", err
	}
	var redirect struct {
		URL string `json:"redirectUrl"`
	}
	if err := a.Decode(&redirect); err != nil {
		return "", err
	}
	landing, err := url.Parse(redirect.URL)
	if err != nil {
		return "", fmt.Errorf("landing redirect: %w", err)
	}
	a, err = c.Do(ctx, Request{
		As: Publisher, Method: http.MethodPost, Path: subscriptions + "resolve" + version,
		Header: map[string]string{"x-ms-marketplace-token": landing.Query().Get("token")},
	}, http.StatusOK)
	if err != nil {
		return "", err
	}
	var got struct {
		ID string `json:"id"`
	}
	return got.ID, a.Decode(&got)
}

// Subscription is what the publisher sees of a subscription.
type Subscription struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	PlanID string `json:"planId"`
	Status string `json:"saasSubscriptionStatus"`
	Trial  bool   `json:"isFreeTrial"`
	Term   struct {
		StartDate string `json:"startDate"`
		EndDate   string `json:"endDate"`
		TermUnit  string `json:"termUnit"`
	} `json:"term"`
}

// Subscription reads one, as the publisher.
func (c *Client) Subscription(ctx context.Context, id string) (s Subscription, err error) {
	a, err := c.Do(ctx, Request{As: Publisher, Method: http.MethodGet, Path: subscriptions + id + version}, http.StatusOK)
	if err != nil {
		return s, err
	}
	return s, a.Decode(&s)
}

// Subscriptions reads all of the publisher's.
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	var all []Subscription
	for next := subscriptions[:len(subscriptions)-1] + version; next != ""; {
		a, err := c.Do(ctx, Request{As: Publisher, Method: http.MethodGet, Path: next}, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var page struct {
			Subscriptions []Subscription `json:"subscriptions"`
			Next          string         `json:"@nextLink"`
		}
		if err := a.Decode(&page); err != nil {
			return nil, err
		}
		all, next = append(all, page.Subscriptions...), page.Next
	}
	return all, nil
}

// Activate activates a purchase. A publisher whose call got no answer and who is told on the repeat that the state
// does not allow it (FUL-30) looks: when it is Subscribed, the first call did it.
func (c *Client) Activate(ctx context.Context, id, planID string) error {
	a, err := c.Do(ctx, Request{
		As: Publisher, Method: http.MethodPost, Path: subscriptions + id + "/activate" + version, Body: object{"planId": planID},
	}, http.StatusOK)
	if err == nil || a.Status != http.StatusBadRequest || !a.Repeated {
		return err
	}
	s, readErr := c.Subscription(ctx, id)
	if readErr == nil && s.Status == "Subscribed" {
		return nil
	}
	return errors.Join(err, readErr)
}

// Usage is one usage event.
type Usage struct {
	ResourceID, PlanID, Dimension string
	Quantity                      int
	At                            time.Time
}

func (u Usage) wire() object {
	return object{"resourceId": u.ResourceID, "planId": u.PlanID, "dimension": u.Dimension, "quantity": u.Quantity, "effectiveStartTime": u.At.Format(usageTime)}
}

// Report sends one usage event and returns the id it was accepted under. When a repeat is a duplicate, the publisher
// takes the accepted event it is told of for his own.
func (c *Client) Report(ctx context.Context, u Usage) (string, error) {
	a, err := c.Do(ctx, Request{As: Publisher, Method: http.MethodPost, Path: "/api/usageEvent" + version, Body: u.wire()}, http.StatusOK, http.StatusConflict)
	if err != nil {
		return "", err
	}
	var got accepted
	if err := a.Decode(&got); err != nil {
		return "", err
	}
	if a.Status == http.StatusConflict && !a.Repeated {
		return "", fmt.Errorf("report %s of %s: a duplicate at the first try: %s", u.Dimension, u.ResourceID, a.Body)
	}
	return got.id(), nil
}

// accepted is an accepted event, or the one a duplicate meets.
type accepted struct {
	ID     string `json:"usageEventId"`
	Status string `json:"status"`
	Info   info   `json:"additionalInfo"`
	Error  struct {
		Info info `json:"additionalInfo"`
	} `json:"error"`
}

type info struct {
	Accepted struct {
		ID string `json:"usageEventId"`
	} `json:"acceptedMessage"`
}

func (a accepted) id() string {
	for _, id := range []string{a.ID, a.Info.Accepted.ID, a.Error.Info.Accepted.ID} {
		if id != "" {
			return id
		}
	}
	return ""
}

// ReportBatch sends several events at once and returns the id of each that was accepted, now or by an earlier try,
// and the status of each other.
func (c *Client) ReportBatch(ctx context.Context, events []Usage) (ids, refused []string, err error) {
	request := make([]object, len(events))
	for i, e := range events {
		request[i] = e.wire()
	}
	a, err := c.Do(ctx, Request{As: Publisher, Method: http.MethodPost, Path: "/api/batchUsageEvent" + version, Body: object{"request": request}}, http.StatusOK)
	if err != nil {
		return nil, nil, err
	}
	var got struct {
		Result []accepted `json:"result"`
	}
	if err := a.Decode(&got); err != nil {
		return nil, nil, err
	}
	ids, refused = make([]string, len(events)), make([]string, len(events))
	for i, r := range got.Result {
		if ids[i] = r.id(); r.Status != "Accepted" && (r.Status != "Duplicate" || !a.Repeated) {
			refused[i] = r.Status
		}
	}
	return ids, refused, nil
}

// Lead asks for contact and returns the lead's id. The same event again is the same lead.
func (c *Client) Lead(ctx context.Context, offerID, event string) (string, error) {
	a, err := c.Do(ctx, Request{As: Customer, Method: http.MethodPost, Path: "/storefront/v1/leads",
		Body: object{"eventId": event, "source": "AppSource", "callToAction": "ContactMe", "publisherId": PublisherID, "offerId": offerID,
			"consentGiven": true, "note": event,
			"customer": object{"FirstName": "Ada", "LastName": "Adatum", "Email": "ada@adatum.example", "Country": "US", "Company": "Adatum"}},
	}, http.StatusAccepted, http.StatusOK)
	if err != nil {
		return "", err
	}
	var got struct {
		ID string `json:"leadId"`
	}
	return got.ID, a.Decode(&got)
}

// LeadState reads the state of a lead, as the publisher.
func (c *Client) LeadState(ctx context.Context, id string) (string, error) {
	a, err := c.Do(ctx, Request{As: Publisher, Method: http.MethodGet, Path: "/portal/v1/publishers/" + PublisherID + "/leads/" + id}, http.StatusOK)
	if err != nil {
		return "", err
	}
	var got struct {
		State string `json:"state"`
	}
	return got.State, a.Decode(&got)
}

// Pass moves the clock of the whole stack ahead and waits until the marketplace sees the new time.
func (c *Client) Pass(ctx context.Context, by time.Duration) error {
	to, err := c.stack.Clock.Advance(by)
	if err != nil {
		return err
	}
	for {
		a, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/dev/clock"}, http.StatusOK)
		if err != nil {
			return err
		}
		var got struct {
			Now time.Time `json:"now"`
		}
		if err := a.Decode(&got); err != nil || !got.Now.Before(to) {
			return err
		}
	}
}

// Unsubscribe cancels a subscription as the publisher. A repeat that is refused is believed when the subscription is
// or will be Unsubscribed.
func (c *Client) Unsubscribe(ctx context.Context, id string) error {
	a, err := c.Do(ctx, Request{As: Publisher, Method: http.MethodDelete, Path: subscriptions + id + version}, http.StatusAccepted)
	if err == nil || !a.Repeated {
		return err
	}
	s, readErr := c.Subscription(ctx, id)
	if readErr == nil && (s.Status == "Unsubscribed" || a.Status == http.StatusConflict) {
		return nil
	}
	return errors.Join(err, readErr)
}
