package offer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newOffer(t *testing.T) offer.Offer {
	t.Helper()
	o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "saas", OfferType: "SaaS", Alias: "A"}, now)
	require.NoError(t, err)
	_, err = o.Edit(now, func(c *offer.Content) error {
		c.ListingOption = offer.SellThroughMicrosoft
		c.Plans = []offer.Plan{plan("basic")}
		return nil
	})
	require.NoError(t, err)
	return o
}

func plan(id string) offer.Plan {
	return offer.Plan{ID: id, Name: id, Description: "d", PricingModel: offer.FlatRate, Markets: []string{"US"}, Terms: []offer.PlanTerm{{Unit: "P1M", PriceUSD: decimal.NewFromInt(1)}}}
}

func TestNewOffer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, id string
		ok       bool
	}{
		{"SAS-1 one character", "a", true},
		{"SAS-1 50 characters", strings.Repeat("a", 50), true},
		{"SAS-1 51 characters", strings.Repeat("a", 51), false},
		{"SAS-1 empty", "", false},
		{"SAS-1 capital", "Saas", false},
		{"SAS-1 dot", "a.b", false},
		{"SAS-1 slash", "a/b", false},
	} {
		_, err := offer.New(offer.NewOffer{OfferID: row.id, OfferType: "SaaS", Alias: "A"}, now)
		require.Equal(t, row.ok, err == nil, row.name)
		if !row.ok {
			require.Equal(t, []string{offer.CodeInvalid, "offerId"}, []string{fault.As(err).Code, fault.As(err).Target}, row.name)
		}
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, code, target string
		change             func(*offer.Content)
	}{
		{"SAS-3 alias", "ImmutableField", "alias", func(c *offer.Content) { c.Alias = "B" }},
		{"SAS-3 offer id", "ImmutableField", "offerId", func(c *offer.Content) { c.OfferID = "b" }},
		{"SAS-6 unknown option", "InvalidValue", "listingOption", func(c *offer.Content) { c.ListingOption = "x" }},
		{"SAS-8 relative", "InvalidValue", "trialUrl", func(c *offer.Content) { c.ListingOption, c.TrialURL = offer.FreeTrial, "/try" }},
		{"SAS-20 one too long, in code points", "InvalidValue", "listing.name", func(c *offer.Content) { c.Listing.Name = strings.Repeat("é", 51) }},
		{"SAS-20 line break", "InvalidValue", "listing.searchResultsSummary", func(c *offer.Content) { c.Listing.Summary = "a\nb" }},
		{"SAS-29 fragment", "InvalidValue", "technicalConfiguration.landingPageUrl", func(c *offer.Content) { c.Technical.LandingPageURL = "https://c.com/#/x" }},
		{"SAS-29 http", "InvalidValue", "technicalConfiguration.connectionWebhook", func(c *offer.Content) { c.Technical.ConnectionWebhook = "http://c.com" }},
		{"SAS-34 plan twice", "AlreadyExists", "plans[1].planId", func(c *offer.Content) { p := plan("basic"); p.Name = "x"; c.Plans = append(c.Plans, p) }},
		{"SAS-34 name twice", "InvalidValue", "plans[1].name", func(c *offer.Content) { p := plan("b"); p.Name = "BASIC"; c.Plans = append(c.Plans, p) }},
		{"SAS-35 unknown market", "InvalidValue", "plans[0].markets[0]", func(c *offer.Content) { c.Plans[0].Markets = []string{"XX"} }},
		{"SAS-36", "PricingModelMismatch", "plans[1].pricingModel", func(c *offer.Content) { p := plan("b"); p.PricingModel = offer.PerUser; c.Plans = append(c.Plans, p) }},
		{"SAS-37 term twice", "InvalidValue", "plans[0].terms[1].termUnit", func(c *offer.Content) { c.Plans[0].Terms = append(c.Plans[0].Terms, c.Plans[0].Terms[0]) }},
		{"SAS-37 below zero", "InvalidValue", "plans[0].terms[0].priceUSD", func(c *offer.Content) { c.Plans[0].Terms[0].PriceUSD = decimal.RequireFromString("-0.01") }},
		{"SAS-43", "TrialNotAllowedWithMetering", "plans[0].freeTrial", func(c *offer.Content) {
			c.Dimensions = []offer.Dimension{{ID: "d", DisplayName: "D"}}
			c.Plans[0].FreeTrial, c.Plans[0].Meters = true, []offer.Meter{{DimensionID: "d", Enabled: true}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffer(t)
			tag := o.Tag()
			_, err := o.Edit(now.Add(time.Hour), func(c *offer.Content) error { row.change(c); return nil })
			var f *fault.Error
			require.True(t, errors.As(err, &f))
			require.Equal(t, []any{fault.Invalid, row.code, row.target}, []any{f.Kind, f.Code, f.Target})
			require.Equal(t, tag, o.Tag())
		})
	}
}

func TestPlanLimits(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name           string
		plans, private int
		ok             bool
	}{
		{"SAS-33 100 plans", 100, 45, true},
		{"SAS-33 101 plans", 101, 0, false},
		{"SAS-33 46 private", 50, 46, false},
	} {
		o := newOffer(t)
		_, err := o.Edit(now, func(c *offer.Content) error {
			c.Plans = nil
			for i := range row.plans {
				p := plan(fmt.Sprintf("p%d", i))
				p.Private = i < row.private
				c.Plans = append(c.Plans, p)
			}
			return nil
		})
		require.Equal(t, row.ok, err == nil, row.name)
		if !row.ok {
			require.Equal(t, offer.CodeLimit, fault.As(err).Code, row.name)
		}
	}
}

func TestTagChangesWithEveryWrite(t *testing.T) { // CPP-12
	t.Parallel()
	o := newOffer(t)
	seen := map[string]bool{o.Tag(): true}
	for range 3 {
		_, err := o.Edit(now, func(*offer.Content) error { return nil })
		require.NoError(t, err)
		require.False(t, seen[o.Tag()])
		seen[o.Tag()] = true
	}
}

func TestPageStatus(t *testing.T) {
	t.Parallel()
	o := newOffer(t)
	status := func(id string) offer.PageStatus {
		for _, p := range o.Pages() {
			if p.ID == id {
				return p.Status
			}
		}
		return ""
	}
	require.Equal(t, offer.NotStarted, status("offerListing")) // PUB-2
	require.Equal(t, offer.Incomplete, status("offerSetup"))   // SAS-9: no lead destination
	require.Equal(t, offer.Complete, status("planOverview"))
	o.Published = offer.PublishedFacts(nil, o.Content)
	_, err := o.Edit(now, func(c *offer.Content) error { c.Plans[0].Description = "other"; return nil })
	require.NoError(t, err)
	require.Equal(t, offer.UnpublishedChanges, status("planOverview")) // PUB-3
	o.Published = nil
	_, err = o.Edit(now, func(c *offer.Content) error { c.ListingOption = offer.ContactMe; return nil })
	require.NoError(t, err)
	require.Empty(t, status("planOverview")) // SAS-5: no page, the plans are kept
	require.Len(t, o.Plans, 1)
}
