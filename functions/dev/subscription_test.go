package dev_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/dev"
	"stoa/infra/local/identity"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
)

const (
	known   = "11111111-1111-4111-8111-111111111111"
	unknown = "22222222-2222-4222-8222-222222222222"
)

// shop notes what it is asked for.
type shop struct {
	sub    subscription.Subscription
	order  subscription.Order
	buyer  account.Caller
	reason string
	target subscription.Target
	did    []string
	err    error
}

func (s *shop) Terms(context.Context, subscription.Shelf) ([]subscription.Document, error) {
	return []subscription.Document{{ID: "standardContract"}, {ID: "universalAmendment:s1"}}, s.err
}

func (s *shop) Purchase(_ context.Context, o subscription.Order) (subscription.Subscription, error) {
	s.order = o
	if s.err == nil && !slices.Contains(o.AcceptedTerms, "universalAmendment:s1") {
		return s.sub, fault.New(fault.Invalid, subscription.CodeTermsNotAccepted, "acceptedTerms", "no")
	}
	return s.sub, s.err
}

func (s *shop) Landing(_ context.Context, buyer account.Caller, _, reason string) (string, error) {
	s.buyer, s.reason = buyer, reason
	return "http://contoso.example/landing?token=a%2Bb", s.err
}

func (s *shop) done(what string) (subscription.Operation, error) {
	s.did = append(s.did, what)
	return subscription.Operation{ID: "op-" + what}, s.err
}

func (s *shop) ChangeByBuyer(_ context.Context, buyer account.Caller, _ string, to subscription.Target) (subscription.Operation, error) {
	s.buyer, s.target = buyer, to
	return s.done("change")
}

func (s *shop) CancelByBuyer(_ context.Context, buyer account.Caller, _ string) (subscription.Operation, error) {
	s.buyer = buyer
	return s.done("cancel")
}

func (s *shop) Suspend(context.Context, string) (subscription.Operation, error) {
	return s.done("suspend")
}

func (s *shop) Reinstate(context.Context, string) (subscription.Operation, error) {
	return s.done("reinstate")
}

func (s *shop) Work(_ context.Context, w subscription.Work) error {
	_, err := s.done(string(w.Kind))
	return err
}

func (s *shop) Subscription(_ context.Context, id string) (subscription.Subscription, error) {
	if id != known {
		return subscription.Subscription{}, fault.New(fault.NotFound, "EntityNotFound", "", "not there")
	}
	return s.sub, nil
}

func newShop(status subscription.Status) *shop {
	return &shop{sub: subscription.Subscription{
		ID: known, PublisherID: "contoso", OfferID: "o", PlanID: "silver", Quantity: 3, Status: status, AutoRenew: true,
		Purchaser: subscription.Party{TenantID: "t", ObjectID: "p", EmailID: "ada@adatum.example"},
		Terms:     []subscription.Term{{Number: 1, Unit: "P1M", StartDate: "2026-01-31", EndDate: "2026-02-27"}},
	}}
}

func (s *shop) handler(c *clock) *dev.Handler {
	return &dev.Handler{Clock: c, Subscriptions: s, Reader: s}
}

func refusal(t *testing.T, body string) (code, target string) {
	t.Helper()
	var envelope struct{ Error struct{ Code, Target string } }
	require.NoError(t, json.Unmarshal([]byte(body), &envelope), body)
	return envelope.Error.Code, envelope.Error.Target
}

func TestPurchase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want subscription.Order
	}{
		"what is left out is usual": {`{"publisherId":"contoso","offerId":"o","planId":"silver"}`, subscription.Order{
			Name: "o silver", TermUnit: "P1M", Market: "US", AutoRenew: true}},
		"all of it": {`{"publisherId":"contoso","offerId":"o","planId":"silver","customer":"TIM@tailspin.example","quantity":"7","termUnit":"P1Y",
			"market":"at","subscriptionName":"Mine","autoRenew":false}`, subscription.Order{
			Name: "Mine", TermUnit: "P1Y", Market: "AT", Seats: subscription.Seats{Given: true, Count: 7}}},
		"empty quantity is none": {`{"publisherId":"contoso","offerId":"o","planId":"silver","quantity":"","customer":"tim@tailspin.example"}`, subscription.Order{
			Name: "o silver", TermUnit: "P1M", Market: "DE", AutoRenew: true}},
	} {
		s := newShop(subscription.PendingFulfillmentStart)
		status, body := serve(t, s.handler(nil), "POST", "/dev/purchases", c.body)
		require.Equal(t, http.StatusCreated, status, "%s: %s", name, body)
		got := s.order
		require.Equal(t, account.User, got.Buyer.Kind, name)
		require.NotEmpty(t, got.PaymentMethod, name)
		require.Subset(t, got.AcceptedTerms, []string{"standardContract", "universalAmendment:s1"}, "%s: whatever the offer asks for", name)
		require.Equal(t, "silver", got.PlanID, name)
		require.Equal(t, c.want, subscription.Order{Name: got.Name, TermUnit: got.TermUnit, Market: got.Market, Seats: got.Seats, AutoRenew: got.AutoRenew}, name)
		require.Equal(t, subscription.ReasonConfigure, s.reason, name)
		var out map[string]string
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		require.Equal(t, "http://contoso.example/landing?token=a%2Bb", out["landingUrl"])
		require.Equal(t, known, out["subscriptionId"])
	}
}

func TestPurchaseRefusals(t *testing.T) {
	t.Parallel()
	for body, target := range map[string]string{
		`{"customer":"nobody@adatum.example"}`: "customer", `{"quantity":-1}`: "quantity", `{"quantity":1.5}`: "quantity",
		`{"quantity":"many"}`: "quantity", `{"quantity":4294967296}`: "quantity", `{"planId":7}`: "planId",
	} {
		status, got := serve(t, newShop(subscription.Subscribed).handler(nil), "POST", "/dev/purchases", body)
		require.Equal(t, http.StatusBadRequest, status, body)
		_, at := refusal(t, got)
		require.Equal(t, target, at, body)
	}
	s := newShop(subscription.Subscribed)
	s.err = fault.New(fault.NotFound, "EntityNotFound", "offerId", "nothing")
	status, got := serve(t, s.handler(nil), "POST", "/dev/purchases", `{}`)
	require.Equal(t, http.StatusNotFound, status)
	_, at := refusal(t, got)
	require.Equal(t, "offerId", at)
}

func TestActs(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct{ body, did, operation string }{
		"suspend":        {"", "suspend", "op-suspend"},
		"failPayment":    {"", "suspend", "op-suspend"},
		"reinstate":      {"", "reinstate", "op-reinstate"},
		"cancel":         {"", "cancel", "op-cancel"},
		"changePlan":     {`{"planId":"gold"}`, "change", "op-change"},
		"changeQuantity": {`{"quantity":5}`, "change", "op-change"},
	} {
		s := newShop(subscription.Subscribed)
		status, body := serve(t, s.handler(nil), "POST", "/dev/subscriptions/"+known+"/"+path, c.body)
		require.Equal(t, http.StatusAccepted, status, "%s: %s", path, body)
		require.Equal(t, []string{c.did}, s.did, path)
		var out map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		require.Equal(t, c.operation, out["operationId"], path)
		if s.buyer.Kind == account.User {
			require.Equal(t, account.Caller{Kind: account.User, TenantID: "t", ObjectID: "p", UPN: "ada@adatum.example"}, s.buyer, path)
		}
	}
}

func TestActRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, body string
		err        error
		status     int
		target     string
	}{
		{known + "/suspend", "", fault.New(fault.Conflict, "Conflict", "saasSubscriptionStatus", "no"), 409, "saasSubscriptionStatus"},
		{known + "/reinstate", "", fault.New(fault.Conflict, "Conflict", "", "no"), 409, "id"},
		{known + "/changePlan", `{}`, nil, 400, "planId"},
		{known + "/changePlan", `{"planId":"gold"}`, fault.New(fault.Invalid, "BadRequest", "", "locked"), 400, "id"},
		{known + "/changePlan", `{"planId"`, nil, 400, ""},
		{known + "/changeQuantity", `{}`, nil, 400, "quantity"},
		{known + "/changeQuantity", `{"quantity":"x"}`, nil, 400, "quantity"},
		{unknown + "/suspend", "", nil, 404, "id"},
		{"no-guid/cancel", "", nil, 404, "id"},
	} {
		s := newShop(subscription.Subscribed)
		s.err = c.err
		status, body := serve(t, s.handler(nil), "POST", "/dev/subscriptions/"+c.path, c.body)
		require.Equal(t, c.status, status, "%s %s: %s", c.path, c.body, body)
		_, target := refusal(t, body)
		require.Equal(t, c.target, target, c.path)
	}
}

// The term ends on the 28th at midnight, whatever the time is now; a clock that is past it stays.
func TestRenewPassesTheTerm(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)
	for _, now := range []time.Time{end.AddDate(0, 0, -20), end, end.Add(time.Hour)} {
		s, c, moved := newShop(subscription.Subscribed), &clock{now}, 0
		h := s.handler(c)
		h.Moved = func(context.Context) error { moved++; return nil }
		status, body := serve(t, h, "POST", "/dev/subscriptions/"+known+"/renew", "")
		require.Equal(t, http.StatusAccepted, status, body)
		require.Equal(t, []string{"termEnd"}, s.did)
		if now.Before(end) {
			require.Equal(t, end, c.now)
			require.Equal(t, 1, moved)
			continue
		}
		require.Equal(t, now, c.now)
		require.Zero(t, moved)
	}
	for _, state := range []subscription.Status{subscription.PendingFulfillmentStart, subscription.Suspended, subscription.Unsubscribed} {
		c := &clock{end.AddDate(0, 0, -20)}
		status, body := serve(t, newShop(state).handler(c), "POST", "/dev/subscriptions/"+known+"/renew", "")
		require.Equal(t, http.StatusConflict, status, state)
		_, target := refusal(t, body)
		require.Equal(t, "saasSubscriptionStatus", target)
		require.Equal(t, end.AddDate(0, 0, -20), c.now, "the clock stands")
	}
}

func TestReadAndLanding(t *testing.T) {
	t.Parallel()
	s := newShop(subscription.Subscribed)
	s.sub.PendingOp = "op-1"
	status, body := serve(t, s.handler(nil), "GET", "/dev/subscriptions/"+known, "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"subscriptionId":"`+known+`","publisherId":"contoso","offerId":"o","planId":"silver","quantity":3,
		"saasSubscriptionStatus":"Subscribed","term":{"startDate":"2026-01-31","endDate":"2026-02-27","termUnit":"P1M"},
		"autoRenew":true,"customer":"ada@adatum.example","operationId":"op-1"}`, body)
	status, body = serve(t, s.handler(nil), "POST", "/dev/subscriptions/"+known+"/landing", "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"landingUrl":"http://contoso.example/landing?token=a%2Bb"}`, body)
	require.Equal(t, subscription.ReasonManage, s.reason)
}

// Every customer of the fixtures can buy, as the person the issuer knows.
func TestCustomersAreThoseOfTheFixtures(t *testing.T) {
	t.Parallel()
	for _, tenant := range identity.DevFixtures().Customers {
		for _, user := range tenant.Users {
			s := newShop(subscription.PendingFulfillmentStart)
			status, body := serve(t, s.handler(nil), "POST", "/dev/purchases", `{"customer":"`+user.UPN+`"}`)
			require.Equal(t, http.StatusCreated, status, body)
			require.Equal(t, account.Caller{Kind: account.User, TenantID: tenant.TenantID, ObjectID: user.ObjectID, UPN: user.UPN}, s.order.Buyer)
			require.Equal(t, tenant.Market, s.order.Market)
		}
	}
}
