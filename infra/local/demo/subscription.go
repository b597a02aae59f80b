package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	fulfillment = "/api/saas/subscriptions"
	version     = "?api-version=2018-08-31"
	usageTime   = "2006-01-02T15:04:05.0000000"
)

// buy orders a plan as the customer and returns the subscription's id.
func (w *Walk) buy(ctx context.Context, plan, name string) (string, error) {
	a, err := w.must(ctx, request{
		method: http.MethodPost, path: "/storefront/v1/purchases", token: w.customer, want: http.StatusCreated,
		header: map[string]string{"Idempotency-Key": name},
		body: object{"publisherId": publisherID, "offerId": "walk-saas", "planId": plan, "termUnit": "P1M", "market": "US",
			"store": "AzureMarketplace", "subscriptionName": name, "payment": object{"method": "card"},
			"acceptedTerms": []string{"standardContract"}, "autoRenew": true},
		show: []string{"subscriptionId", "saasSubscriptionStatus"},
	})
	return a.text("subscriptionId"), err
}

// LandingToken presses Configure as the customer and takes the token out of the redirect.
func (w *Walk) LandingToken(ctx context.Context, id string) (string, error) {
	a, err := w.must(ctx, request{method: http.MethodPost, path: "/storefront/v1/subscriptions/" + id + "/configure", token: w.customer, want: http.StatusOK, show: []string{"redirectUrl"}})
	if err != nil {
		return "", err
	}
	landing, err := url.Parse(a.text("redirectUrl"))
	if err != nil {
		return "", fmt.Errorf("landing redirect: %w", err)
	}
	return landing.Query().Get("token"), nil
}

// activate follows the landing redirect as the publisher does: token, resolve, activate.
func (w *Walk) activate(ctx context.Context, id, plan string) error {
	token, err := w.LandingToken(ctx, id)
	if err != nil {
		return err
	}
	resolve := request{method: http.MethodPost, path: fulfillment + "/resolve" + version, token: w.publisher, want: http.StatusOK,
		header: map[string]string{"x-ms-marketplace-token": token}, show: []string{"id", "planId", "subscription.saasSubscriptionStatus"}}
	activate := request{method: http.MethodPost, path: fulfillment + "/" + id + "/activate" + version, token: w.publisher, want: http.StatusOK,
		body: object{"planId": plan, "quantity": ""}}
	read := request{method: http.MethodGet, path: fulfillment + "/" + id + version, token: w.publisher, want: http.StatusOK,
		show: []string{"saasSubscriptionStatus", "isFreeTrial", "term"}}
	return w.do(ctx, resolve, activate, read)
}

func (w *Walk) subscribe(ctx context.Context) (err error) {
	// The trial comes first: a tenant that has paid for an offer gets none (SAS-55).
	if w.trial, err = w.buy(ctx, "trial", "Adatum tries"); err != nil {
		return err
	}
	if err := w.activate(ctx, w.trial, "trial"); err != nil {
		return err
	}
	if w.metered, err = w.buy(ctx, "metered", "Adatum walks"); err != nil {
		return err
	}
	again, err := w.buy(ctx, "metered", "Adatum walks")
	if err != nil || again != w.metered {
		return fmt.Errorf("the same order again made %s, want %s: %w", again, w.metered, err)
	}
	if err := w.activate(ctx, w.metered, "metered"); err != nil {
		return err
	}
	return w.changePlan(ctx)
}

// webhook waits until the sample publisher was called for an action on the subscription.
func (w *Walk) webhook(ctx context.Context, subscription, action string) (operation string, err error) {
	deadline := time.Now().Add(time.Minute)
	for {
		for _, r := range w.stack.Sample.Received("/webhook") {
			var call struct{ ID, SubscriptionID, Action string }
			if json.Unmarshal([]byte(r.Body), &call) == nil && call.SubscriptionID == subscription && call.Action == action {
				fmt.Fprintf(w.out, "         webhook: %s of operation %s\n", action, call.ID)
				return call.ID, nil
			}
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("no webhook %s for %s after a minute", action, subscription)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// acknowledge answers an operation and waits for the subscription to be as wanted.
func (w *Walk) acknowledge(ctx context.Context, subscription, operation string, done func(answer) bool, what string) error {
	one := fulfillment + "/" + subscription
	err := w.do(ctx,
		request{method: http.MethodGet, path: one + "/operations/" + operation + version, token: w.publisher, want: http.StatusOK, show: []string{"action", "status"}},
		request{method: http.MethodPatch, path: one + "/operations/" + operation + version, token: w.publisher, want: http.StatusOK, body: object{"status": "Success"}},
		request{method: http.MethodPatch, path: one + "/operations/" + operation + version, token: w.publisher, want: http.StatusConflict, body: object{"status": "Success"}})
	if err != nil {
		return err
	}
	_, err = w.until(ctx, request{method: http.MethodGet, path: one + version, token: w.publisher, want: http.StatusOK}, what, done)
	return err
}

func (w *Walk) changePlan(ctx context.Context) error {
	one := fulfillment + "/" + w.metered
	if err := w.do(ctx, request{method: http.MethodPatch, path: one + version, token: w.publisher, want: http.StatusAccepted, body: object{"planId": "plus"}}); err != nil {
		return err
	}
	operation, err := w.webhook(ctx, w.metered, "ChangePlan")
	if err != nil {
		return err
	}
	if err := w.acknowledge(ctx, w.metered, operation, func(a answer) bool { return a.text("planId") == "plus" }, "on plan plus"); err != nil {
		return err
	}
	return w.suspend(ctx)
}

func (w *Walk) suspend(ctx context.Context) error {
	staff := "/operator/v1/subscriptions/" + w.metered
	if err := w.do(ctx, request{method: http.MethodPost, path: staff + "/suspend", token: w.operator, want: http.StatusAccepted}); err != nil {
		return err
	}
	if _, err := w.webhook(ctx, w.metered, "Suspend"); err != nil {
		return err
	}
	if err := w.do(ctx, request{method: http.MethodPost, path: staff + "/reinstate", token: w.operator, want: http.StatusAccepted}); err != nil {
		return err
	}
	operation, err := w.webhook(ctx, w.metered, "Reinstate")
	if err != nil {
		return err
	}
	return w.acknowledge(ctx, w.metered, operation, func(a answer) bool { return a.text("saasSubscriptionStatus") == "Subscribed" }, "subscribed again")
}

// usage reports what was used: once, again, and several at once.
func (w *Walk) usage(ctx context.Context) error {
	now := w.stack.Clock.Now().Format(usageTime)
	event := func(dimension string, quantity float64) object {
		return object{"resourceId": w.metered, "quantity": quantity, "dimension": dimension, "effectiveStartTime": now, "planId": "plus"}
	}
	single := request{method: http.MethodPost, path: "/api/usageEvent" + version, token: w.publisher, want: http.StatusOK, body: event("email", 2.5), show: []string{"status", "usageEventId"}}
	repeat := single
	repeat.want, repeat.show = http.StatusConflict, []string{"code"}
	batch := request{method: http.MethodPost, path: "/api/batchUsageEvent" + version, token: w.publisher, want: http.StatusOK,
		body: object{"request": []object{event("email", 1), event("text", 100), event("fax", 1)}}, show: []string{"count"}}
	if err := w.do(ctx, single, repeat); err != nil {
		return err
	}
	a, err := w.must(ctx, batch)
	if err != nil {
		return err
	}
	var got struct{ Result []struct{ Status string } }
	if err := json.Unmarshal(a.raw, &got); err != nil {
		return fmt.Errorf("batch answer: %w", err)
	}
	statuses := fmt.Sprint(got.Result)
	fmt.Fprintf(w.out, "         statuses: %s\n", statuses)
	if want := "[{Duplicate} {Accepted} {InvalidDimension}]"; statuses != want {
		return fmt.Errorf("batch statuses %s, want %s", statuses, want)
	}
	return nil
}
