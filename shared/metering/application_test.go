package metering_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

const (
	azure    = "99999999-0000-4000-8000-000000000009"
	customer = "88888888-0000-4000-8000-000000000008"
	app1     = "aaaaaaaa-0000-4000-8000-000000000001"
	app2     = "aaaaaaaa-0000-4000-8000-000000000002"
	group1   = "/subscriptions/" + azure + "/resourceGroups/mrg-One"
	uri1     = "/subscriptions/" + azure + "/resourceGroups/Mine/providers/Microsoft.Solutions/applications/One"
	vm       = "/providers/Microsoft.Compute/virtualMachines/vm1"
)

// appOffer is live: an Azure application with a meter on two plans.
type appOffer struct{ oneOffer }

func (appOffer) Live(_ context.Context, _, offerID string) (offer.Version, error) {
	if offerID != "app" && offerID != "cns" {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "not live")
	}
	kind := offer.TypeAzureApplication
	if offerID == "cns" {
		kind = offer.TypeSaaS
	}
	meters := []offer.Meter{{DimensionID: "email", Enabled: true}}
	return offer.Version{Content: offer.Content{
		OfferType: kind, Listing: offer.Listing{Name: "An application"}, Technical: offer.Technical{TenantID: "T1", AppID: "A1"},
		Dimensions: []offer.Dimension{{ID: "email"}},
		Plans:      []offer.Plan{{ID: "basic", Name: "Basic", Meters: meters}, {ID: "gold", Name: "Gold", Meters: meters}},
	}}, nil
}

// appWorld is the real services over the twin of the store, and a clock that is moved.
type appWorld struct {
	moved        atomic.Int64
	applications *metering.Applications
	directory    *metering.Directory
	metering     *metering.Service
	usage        *store.Usage
	outbox       *storetest.Outbox
	db           *store.DB
}

func (w *appWorld) now() time.Time { return now.Add(time.Duration(w.moved.Load())) }

func newAppWorld(t testing.TB) *appWorld {
	t.Helper()
	w := &appWorld{}
	w.db, w.outbox = storetest.NewTwin(w.now)
	w.usage = store.NewUsage(w.db, message.UsageAccepted)
	w.applications = metering.NewApplications(store.NewApplications(w.db), appOffer{}, w.now)
	subscriptions := store.NewSubscriptions(w.db)
	var err error
	w.directory, err = metering.NewDirectory(metering.NewSaaS(subscriptions, appOffer{}, w.now), w.applications)
	require.NoError(t, err)
	w.metering, err = metering.New(metering.Deps{Resources: w.directory, Store: w.usage, Now: w.now, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	require.NoError(t, subscriptions.Create(t.Context(), subscription.Subscription{
		ID: saas1, PublisherID: "contoso", OfferID: "cns", PlanID: "basic", Status: subscription.Subscribed, ActivatedAt: now.AddDate(0, 0, -2),
		Beneficiary: subscription.Party{TenantID: customer},
	}))
	return w
}

var saas1 = subscription.NewID("contoso", now, "00000000-0000-4000-8000-000000000001")

func registration(change func(*metering.Registration)) metering.Registration {
	r := metering.Registration{
		ID: app1, URI: uri1, GroupID: group1, PublisherID: "contoso", OfferID: "app", PlanID: "basic", CustomerID: customer,
		Market: "US", Currency: "USD", CreatedAt: now.Add(-10 * time.Hour),
	}
	if change != nil {
		change(&r)
	}
	return r
}

func (w *appWorld) register(t testing.TB, change func(*metering.Registration)) metering.Application {
	t.Helper()
	a, _, err := w.applications.Register(t.Context(), registration(change))
	require.NoError(t, err)
	return a
}

func TestRegister(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*metering.Registration)
		kind   fault.Kind
		target string
	}{
		{"the same again", nil, -1, ""},
		{"the same in other letters", func(r *metering.Registration) {
			r.ID, r.URI, r.GroupID = strings.ToUpper(app1), strings.ToUpper(uri1), strings.ToUpper(group1)
		}, -1, ""},
		{"no GUID", func(r *metering.Registration) { r.ID = "x" }, fault.Invalid, "resourceUsageId"},
		{"the ARM id of a machine", func(r *metering.Registration) { r.URI = group1 + vm }, fault.Invalid, "resourceUri"},
		{"no ARM id", func(r *metering.Registration) { r.URI = "" }, fault.Invalid, "resourceUri"},
		{"an ARM id of no subscription", func(r *metering.Registration) { r.URI = strings.Replace(uri1, azure, "mine", 1) }, fault.Invalid, "resourceUri"},
		{"an ARM id without end", func(r *metering.Registration) { r.URI = uri1 + strings.Repeat("x", 2048) }, fault.Invalid, "resourceUri"},
		{"no group", func(r *metering.Registration) { r.GroupID = uri1 }, fault.Invalid, "managedResourceGroupId"},
		{"no customer", func(r *metering.Registration) { r.CustomerID = "" }, fault.Invalid, "customerTenantId"},
		{"no market", func(r *metering.Registration) { r.Market = "" }, fault.Invalid, "market"},
		{"no currency", func(r *metering.Registration) { r.Currency = "gold" }, fault.Invalid, "currency"},
		{"created ahead", func(r *metering.Registration) { r.CreatedAt = now.Add(1) }, fault.Invalid, "createdAt"},
		{"an unknown offer", func(r *metering.Registration) { r.ID, r.OfferID = app2, "other" }, fault.Invalid, "offerId"},
		{"an unknown plan", func(r *metering.Registration) { r.ID, r.PlanID = app2, "other" }, fault.Invalid, "planId"},
		{"a SaaS offer", func(r *metering.Registration) { r.ID, r.OfferID = app2, "cns" }, fault.Invalid, "planId"},
		{"another group", func(r *metering.Registration) { r.GroupID += "x" }, fault.Conflict, ""},
		{"another customer", func(r *metering.Registration) { r.CustomerID = azure }, fault.Conflict, ""},
		{"the ARM id of another", func(r *metering.Registration) { r.ID = app2 }, fault.Conflict, "resourceUri"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newAppWorld(t)
			w.register(t, nil)
			first, err := w.applications.Application(t.Context(), app1)
			require.NoError(t, err)
			_, created, err := w.applications.Register(t.Context(), registration(c.change))
			require.False(t, created)
			if c.kind == -1 {
				require.NoError(t, err)
			} else {
				f := fault.As(err)
				require.Equal(t, c.kind, f.Kind, "%v", err)
				require.Equal(t, c.target, f.Target)
			}
			again, err := w.applications.Application(t.Context(), app1)
			require.NoError(t, err)
			require.Equal(t, first, again, "nothing was written")
			_, err = w.applications.Application(t.Context(), app2)
			require.True(t, fault.Is(err, fault.NotFound))
		})
	}
}

func TestUsageOfApplications(t *testing.T) {
	t.Parallel()
	machine := account.Caller{Kind: account.ManagedIdentity, TenantID: customer, AppID: "m", ResourceID: strings.ToLower(group1) + vm}
	at := func(change func(*account.Caller)) account.Caller {
		c := machine
		change(&c)
		return c
	}
	byURI := func(uri string) func(*metering.Event) {
		return func(e *metering.Event) { e.ResourceID, e.ResourceURI = "", uri }
	}
	for _, c := range []struct {
		name   string
		caller account.Caller
		change func(*metering.Event)
		want   metering.Status
	}{
		{"MTR-34 by resourceUsageId", reporter, nil, metering.Accepted},
		{"MTR-34 by ARM id", reporter, byURI(uri1), metering.Accepted},
		{"MTR-35 in another case of letters", reporter, byURI(strings.ToUpper(uri1)), metering.Accepted},
		{"MTR-35 with a closing slash", reporter, byURI(uri1 + "/"), metering.Accepted},
		{"MTR-34 a GUID in place of the ARM id", reporter, byURI(strings.ToUpper(app1)), metering.Accepted},
		{"MTR-35 both", reporter, func(e *metering.Event) { e.ResourceURI = strings.ToLower(uri1) }, metering.Accepted},
		{"MTR-35 both, of two", reporter, func(e *metering.Event) { e.ResourceURI = strings.Replace(uri1, "One", "Two", 1) }, metering.BadArgument},
		{"MTR-34 the managed resource group is no resource", reporter, byURI(group1), metering.ResourceNotFound},
		{"unknown ARM id", reporter, byURI(uri1 + "x"), metering.ResourceNotFound},
		{"MTR-28 another application", account.Caller{Kind: account.App, TenantID: "t1", AppID: "a2"}, nil, metering.ResourceNotAuthorized},
		{"MTR-30 an identity inside", machine, byURI(uri1), metering.Accepted},
		{"MTR-30 an identity of the group's own", at(func(c *account.Caller) {
			c.ResourceID = group1 + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
		}), nil, metering.Accepted},
		{"MTR-30 an identity of another group", at(func(c *account.Caller) { c.ResourceID = group1 + "2" + vm }), nil, metering.ResourceNotAuthorized},
		{"MTR-30 of the application's own group", at(func(c *account.Caller) {
			c.ResourceID = strings.Replace(group1, "mrg-One", "Mine", 1) + vm
		}), nil, metering.ResourceNotAuthorized},
		{"MTR-30 of a group of that name elsewhere", at(func(c *account.Caller) {
			c.ResourceID = strings.Replace(group1, azure, customer, 1) + vm
		}), nil, metering.ResourceNotAuthorized},
		{"MTR-30 without a resource", at(func(c *account.Caller) { c.ResourceID = "" }), nil, metering.ResourceNotAuthorized},
		{"MTR-33 a subscription, which no identity lives in", machine, func(e *metering.Event) { e.ResourceID = saas1 }, metering.ResourceNotAuthorized},
		{"MTR-33 a subscription by its id", reporter, func(e *metering.Event) { e.ResourceID = saas1 }, metering.Accepted},
		{"MTR-43 before it was created", reporter, func(e *metering.Event) { e.EffectiveStart = "2022-03-02T01:59:59" }, metering.BadArgument},
		{"MTR-45 another plan", reporter, func(e *metering.Event) { e.PlanID = "gold" }, metering.InvalidDimension},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newAppWorld(t)
			w.register(t, nil)
			got := report(w.metering, c.caller, []metering.Event{event(func(e *metering.Event) {
				e.ResourceID = app1
				if c.change != nil {
					c.change(e)
				}
			})})[0]
			require.Equal(t, c.want, got.Status, "%+v", got)
			if c.want == metering.Accepted && got.Usage.ResourceID == app1 {
				require.NotEmpty(t, got.Usage.ResourceURI) // MTR-37
			}
		})
	}
}

// However an application is named, its hour has one event.
func TestOneApplicationByTwoNames(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	got := report(w.metering, reporter, []metering.Event{
		event(func(e *metering.Event) { e.ResourceID = app1 }),
		event(func(e *metering.Event) { e.ResourceID, e.ResourceURI = "", uri1 }),
	})
	require.Equal(t, metering.Accepted, got[0].Status)
	require.Equal(t, metering.Duplicate, got[1].Status) // MTR-49
}

func TestDeletedApplication(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	w.moved.Store(int64(-2 * time.Hour)) // deleted at 10:00
	for range 2 {
		a, err := w.applications.Delete(t.Context(), strings.ToUpper(app1))
		require.NoError(t, err)
		require.True(t, a.DeletedAt.Equal(now.Add(-2*time.Hour)))
		w.moved.Store(0)
	}
	at := func(text string) metering.Status {
		return report(w.metering, reporter, []metering.Event{event(func(e *metering.Event) { e.ResourceID, e.EffectiveStart = app1, text })})[0].Status
	}
	require.Equal(t, metering.Accepted, at("2022-03-02T09:59:59"), "MTR-44")
	require.Equal(t, metering.ResourceNotActive, at("2022-03-02T10:00:00"), "MTR-44")
	_, _, err := w.applications.Register(t.Context(), registration(nil))
	require.Equal(t, "ApplicationDeleted", fault.As(err).Code)
	second := w.register(t, func(r *metering.Registration) { r.ID, r.CreatedAt = app2, now.Add(-time.Hour) })
	r, err := w.directory.Resource(t.Context(), strings.ToLower(uri1))
	require.NoError(t, err)
	require.Equal(t, second.ID, r.ID, "the ARM id is that of its successor")
	_, err = w.applications.Delete(t.Context(), "x")
	require.True(t, fault.Is(err, fault.NotFound))
}

func TestPlansOfAnApplication(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	w.moved.Store(int64(-time.Hour)) // moved at 11:00
	w.register(t, func(r *metering.Registration) { r.PlanID = "gold" })
	w.moved.Store(0)
	on := func(plan, text string) metering.Status {
		return report(w.metering, reporter, []metering.Event{event(func(e *metering.Event) {
			e.ResourceID, e.PlanID, e.EffectiveStart = app1, plan, text
		})})[0].Status
	}
	require.Equal(t, metering.Accepted, on("basic", "2022-03-02T10:59:59"), "MTR-45")
	require.Equal(t, metering.InvalidDimension, on("basic", "2022-03-02T11:00:00"), "MTR-45")
	require.Equal(t, metering.Accepted, on("gold", "2022-03-02T11:00:00"), "MTR-45")
}

// The ledger sees an application as who pays for it.
func TestApplicationPays(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	sub, err := w.directory.Subscription(t.Context(), app1)
	require.NoError(t, err)
	require.Equal(t, []string{app1, "contoso", "app", customer, "USD", "P1M"}, []string{sub.ID, sub.PublisherID, sub.OfferID, sub.Purchaser.TenantID, sub.Currency, sub.TermUnit})
	sub, err = w.directory.Subscription(t.Context(), saas1)
	require.NoError(t, err)
	require.Equal(t, "cns", sub.OfferID)
	for _, id := range []string{app2, "", "x"} {
		_, err = w.directory.Subscription(t.Context(), id)
		require.True(t, fault.Is(err, fault.NotFound), id)
	}
}
