package draft_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/dimension/draft"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

var march = time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)

// desk keeps one offer, and knows the rates of a day.
type desk struct {
	kept  offer.Offer
	asked []string
	away  error
}

func (d *desk) Offer(_ context.Context, publisherID, offerID string) (offer.Offer, error) {
	if publisherID != d.kept.PublisherID || offerID != d.kept.OfferID {
		return offer.Offer{}, fault.New(fault.NotFound, "NotFound", "offerId", "no")
	}
	return d.kept, nil
}

func (d *desk) Edit(_ context.Context, _ offer.DraftRef, change func(*offer.Content) error) (offer.Offer, error) {
	_, err := d.kept.Edit(march, change)
	return d.kept, err
}

func (d *desk) UnitsPerUSD(_ context.Context, currency, day string) (decimal.Decimal, error) {
	d.asked = append(d.asked, currency+" "+day)
	if d.away != nil {
		return decimal.Decimal{}, d.away
	}
	return decimal.Decimal{}, fault.New(fault.NotFound, "NotFound", "date", "none yet")
}

func newDesk(t *testing.T, offerType string) (*desk, *draft.Service) {
	t.Helper()
	o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "cns", OfferType: offerType, Alias: "CNS"}, march)
	require.NoError(t, err)
	d := &desk{kept: o}
	d.kept.ListingOption = offer.SellThroughMicrosoft
	d.kept.Plans = []offer.Plan{{ID: "basic", Name: "Basic", Markets: []string{"US", "DE", "FR", "JP"}}}
	if offerType == offer.TypeSaaS {
		d.kept.Plans[0].PricingModel = offer.FlatRate
		d.kept.Plans[0].Terms = []offer.PlanTerm{{Unit: "P1Y"}}
	}
	s, err := draft.New(draft.Deps{Drafts: d, Offers: d, Rates: d, Now: func() time.Time { return march }})
	require.NoError(t, err)
	return d, s
}

var (
	ref   = offer.DraftRef{PublisherID: "contoso", OfferID: "cns"}
	email = dimension.Dimension{ID: "email", DisplayName: "E-mails", UnitOfMeasure: "per 100 emails"}
)

func enabled(price string) dimension.Setting {
	return dimension.Setting{Enabled: true, Price: decimal.NewNullDecimal(decimal.RequireFromString(price))}
}

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := draft.New(draft.Deps{})
	require.Error(t, err)
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		offerType       string
		kind            dimension.Kind
		monthly, annual bool
	}{
		{offer.TypeSaaS, dimension.SaaS, false, true},
		{offer.TypeAzureApplication, dimension.AzureApplication, true, false},
		{"VirtualMachine", dimension.Unmetered, false, false}, // MTR-2
	} {
		d, _ := newDesk(t, c.offerType)
		got := d.kept.Metered(nil)
		p, err := got.Plan("basic")
		require.NoError(t, err)
		require.Equal(t, []any{c.kind, c.monthly, c.annual}, []any{got.Kind, p.Monthly, p.Annual}, c.offerType)
	}
}

// The facts of what has been live are those that offers keep (MTR-11, MTR-12).
func TestPublishedFacts(t *testing.T) {
	t.Parallel()
	d, s := newDesk(t, offer.TypeSaaS)
	_, err := s.Add(t.Context(), ref, email, &draft.On{PlanID: "basic", Setting: enabled("1")})
	require.NoError(t, err)
	d.kept.Published = offer.PublishedFacts(nil, d.kept.Content)
	saved, err := s.Read(t.Context(), "contoso", "cns")
	require.NoError(t, err)
	require.True(t, saved.Locked("email"))
	require.True(t, saved.PlanLocked("basic"))
	require.NoError(t, saved.Published.CheckLocks(saved.Dimensions, saved.Plans))
	before := d.kept.Tag()
	_, err = s.Set(t.Context(), ref, "email", draft.On{PlanID: "basic", Setting: enabled("2")})
	require.True(t, fault.Is(err, fault.Conflict))
	_, err = s.Remove(t.Context(), ref, "email")
	require.Equal(t, dimension.CodeDimensionLocked, fault.As(err).Code)
	require.Equal(t, before, d.kept.Tag(), "the draft is as it was")
}

func TestRates(t *testing.T) {
	t.Parallel()
	// MTR-16
	d, s := newDesk(t, offer.TypeSaaS)
	_, err := s.Add(t.Context(), ref, email, &draft.On{PlanID: "basic", Setting: enabled("1")})
	require.NoError(t, err, "a currency without a rate waits")
	require.Equal(t, []string{"EUR 2026-03-01", "JPY 2026-03-01"}, d.asked, "each currency once, at the rate of the day")
	d.away = fault.New(fault.Unavailable, "Busy", "", "away")
	_, err = s.Set(t.Context(), ref, "email", draft.On{PlanID: "basic", Setting: enabled("1")})
	require.True(t, fault.Is(err, fault.Unavailable))
	d.away = errors.New("broken")
	_, err = s.Set(t.Context(), ref, "email", draft.On{PlanID: "basic", Setting: enabled("1")})
	require.ErrorIs(t, err, d.away)
	_, err = s.Set(t.Context(), offer.DraftRef{PublisherID: "contoso", OfferID: "other"}, "email", draft.On{PlanID: "basic"})
	require.True(t, fault.Is(err, fault.NotFound))
}

// Where a metered offer is sold (MTR-6).
func TestStores(t *testing.T) {
	t.Parallel()
	both := []offer.Storefront{offer.AzureMarketplace, offer.AzurePortal}
	portal, private := both[1:], []offer.Storefront{offer.AzurePortal, offer.AppSource}
	for _, c := range []struct {
		name          string
		first, second bool // private
		want          [][]offer.Storefront
	}{
		{"MTR-6 public plans only", false, false, [][]offer.Storefront{both, both, both}},
		{"MTR-6 public and private plans", false, true, [][]offer.Storefront{both, both, private}},
		{"MTR-6 private plans only", true, true, [][]offer.Storefront{portal, portal, portal}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, s := newDesk(t, offer.TypeSaaS)
			d.kept.Plans = append(d.kept.Plans, offer.Plan{ID: "gold", Name: "Gold", PricingModel: offer.FlatRate})
			d.kept.Plans[0].Private, d.kept.Plans[1].Private = c.first, c.second
			_, err := s.Add(t.Context(), ref, email, &draft.On{PlanID: "gold", Setting: enabled("1")}) // MTR-19: private or not
			require.NoError(t, err)
			content := &d.kept.Content
			require.Equal(t, c.want, [][]offer.Storefront{content.Stores(), content.PlanStores(content.Plans[0]), content.PlanStores(content.Plans[1])})
		})
	}
}
