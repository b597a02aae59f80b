package offer_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// plain seals so that a test sees it.
type plain struct{}

func (plain) Seal(text, where string) (string, error) { return where + "=" + text, nil }

// shelf is the service over the in-memory twin.
type shelf struct {
	*offer.Service
	store *store.Offers
}

func newShelf(t *testing.T) shelf {
	t.Helper()
	at := now
	clock := func() time.Time { at = at.Add(time.Second); return at }
	db, _ := storetest.NewTwin(clock)
	s := store.NewOffers(db, store.NewSnapshots(&blobstest.Account{}))
	return shelf{Service: &offer.Service{Store: s, Sealer: plain{}, Registrations: s, Now: clock}, store: s}
}

func (s shelf) create(t *testing.T, publisher, id string, test bool, change func(*offer.Content)) offer.Offer {
	t.Helper()
	_, err := s.Create(t.Context(), offer.NewOffer{PublisherID: publisher, OfferID: id, OfferType: "SaaS", Alias: id, TestOffer: test}, "eva")
	require.NoError(t, err)
	o, err := s.Edit(t.Context(), offer.DraftRef{PublisherID: publisher, OfferID: id, By: "eva"}, func(c *offer.Content) error {
		c.ListingOption = offer.SellThroughMicrosoft
		change(c)
		return nil
	})
	require.NoError(t, err)
	return o
}

func ref(id string) offer.DraftRef {
	return offer.DraftRef{PublisherID: "contoso", OfferID: id, By: "eva"}
}

func refused(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, []any{kind, code}, []any{f.Kind, f.Code}, "%v", err)
}

// A test offer and its production offer share what customers read, and nothing of how they are run (SAS-59).
func TestCopyTo(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	fill := func(word string, plans ...string) func(*offer.Content) {
		return func(c *offer.Content) {
			c.Listing = offer.Listing{Name: word, Description: word, Categories: []string{word}, Terms: word}
			c.Technical = offer.Technical{LandingPageURL: "https://" + word + ".com", TenantID: someGUID, AppID: someGUID}
			c.LeadDestination = offer.LeadDestination{Kind: "marketo", ContactEmail: []string{word + "@c.com"}}
			c.PreviewAudience = []string{word + "@c.com"}
			for _, id := range plans {
				p := plan(id)
				p.Name, p.Description, p.Markets = id+" "+word, word, []string{"DE"}
				if word == "test" {
					p.Markets, p.Private, p.PrivateAudience = []string{"US"}, true, []string{guid(1)}
					p.Terms[0].PriceUSD = p.Terms[0].PriceUSD.Shift(1)
				}
				c.Plans = append(c.Plans, p)
			}
		}
	}
	s.create(t, "contoso", "app", false, fill("prod", "basic", "gold"))
	before := s.create(t, "contoso", "app_test", true, fill("test", "basic_test", "own_test"))

	o, err := s.CopyTo(t.Context(), ref("app"), ref("app_test"))
	require.NoError(t, err)
	require.Equal(t, "prod", o.Listing.Name, "SAS-59 listing")
	require.Equal(t, []string{"prod"}, o.Listing.Categories, "SAS-59 properties")
	require.Equal(t, before.Technical, o.Technical, "SAS-59")
	require.Equal(t, before.LeadDestination, o.LeadDestination, "SAS-59")
	require.Equal(t, before.PreviewAudience, o.PreviewAudience, "SAS-59")
	require.Equal(t, "app_test", o.Alias)
	require.True(t, o.TestOffer)
	var ids []string
	for _, p := range o.Plans {
		ids = append(ids, p.ID)
	}
	require.Equal(t, []string{"basic_test", "own_test", "gold_test"}, ids, "SAS-59 a plan of it is added")
	basic, added := o.Plans[0], o.Plans[2]
	require.Equal(t, []any{"basic prod", "prod", []string{"DE"}}, []any{basic.Name, basic.Description, basic.Markets}, "SAS-59 texts and markets")
	require.Equal(t, []any{"10", true, []string{guid(1)}}, []any{basic.Terms[0].PriceUSD.String(), basic.Private, basic.PrivateAudience}, "SAS-59 prices and audience stay")
	require.Equal(t, []any{offer.FlatRate, 0}, []any{added.PricingModel, len(added.Terms)}, "SAS-59 without a price")

	back, err := s.CopyTo(t.Context(), ref("app_test"), ref("app"))
	require.NoError(t, err)
	ids = nil
	for _, p := range back.Plans {
		ids = append(ids, p.ID)
	}
	require.Equal(t, []string{"basic", "gold", "own"}, ids, "SAS-59 and back")

	s.create(t, "contoso", "other", false, fill("other"))
	_, err = s.CopyTo(t.Context(), ref("app"), ref("other"))
	refused(t, err, fault.Invalid, offer.CodeInvalid)
	_, err = s.CopyTo(t.Context(), ref("app"), ref("nothing"))
	refused(t, err, fault.NotFound, "NotFound")
	_, err = s.CopyTo(t.Context(), ref("nothing"), ref("app"))
	refused(t, err, fault.NotFound, "NotFound")
	stale := ref("app_test")
	stale.IfMatch = before.Tag()
	_, err = s.CopyTo(t.Context(), ref("app"), stale)
	refused(t, err, fault.StaleETag, offer.CodeDraftChanged)
}

// An application registration is used by offers of one publisher, which may be several and of any type (SAS-30,
// MTR-32).
func TestRegistrationInUse(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	save := func(publisher, id, tenant, app string) error {
		_, err := s.SavePage(t.Context(), offer.DraftRef{PublisherID: publisher, OfferID: id}, "technicalConfiguration",
			map[string]any{"technicalConfiguration": map[string]any{"aadTenantId": tenant, "aadApplicationId": app}})
		return err
	}
	for publisher, ids := range map[string][]string{"contoso": {"one", "two"}, "fabrikam": {"app"}} {
		for _, id := range ids {
			s.create(t, publisher, id, false, func(*offer.Content) {})
		}
	}
	const tenant, app = "aaaaaaaa-1111-1111-1111-111111111111", "bbbbbbbb-1111-1111-1111-111111111111"
	require.NoError(t, save("contoso", "one", tenant, app))
	require.NoError(t, save("contoso", "two", tenant, app), "SAS-30 MTR-32 of the same publisher")
	for _, publisher := range []string{"contoso", "fabrikam"} {
		_, err := s.Create(t.Context(), offer.NewOffer{PublisherID: publisher, OfferID: "managed", OfferType: offer.TypeAzureApplication, Alias: "m"}, "eva")
		require.NoError(t, err)
	}
	require.NoError(t, save("contoso", "managed", tenant, app), "MTR-32 of another type")
	refused(t, save("fabrikam", "managed", tenant, app), fault.Conflict, "AppRegistrationInUse") // MTR-32
	err := save("fabrikam", "app", strings.ToUpper(tenant), app)
	refused(t, err, fault.Conflict, "AppRegistrationInUse") // SAS-30
	o, err := s.store.Offer(t.Context(), "fabrikam", "app")
	require.NoError(t, err)
	require.Empty(t, o.Technical.AppID)
	require.NoError(t, save("fabrikam", "app", tenant, guid(9)), "SAS-30 another application of the tenant")

	require.NoError(t, save("contoso", "one", tenant, guid(2)))
	refused(t, save("fabrikam", "app", tenant, app), fault.Conflict, "AppRegistrationInUse")
	require.NoError(t, save("contoso", "two", tenant, guid(2)))
	refused(t, save("fabrikam", "app", tenant, app), fault.Conflict, "AppRegistrationInUse")
	require.NoError(t, save("contoso", "managed", tenant, guid(2)))
	require.NoError(t, save("fabrikam", "app", tenant, app), "SAS-30 it is used no longer")
	refused(t, save("contoso", "one", tenant, app), fault.Conflict, "AppRegistrationInUse")
}

// Saving a draft changes the draft and its tag, and nothing that others see (PUB-1).
func TestSavingADraft(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	before := s.create(t, "contoso", "app", false, func(*offer.Content) {})
	after, err := s.SavePage(t.Context(), ref("app"), "offerListing", map[string]any{"listing": map[string]any{"name": "Another"}})
	require.NoError(t, err)
	require.NotEqual(t, before.Tag(), after.Tag(), "PUB-1")
	events, _, err := s.store.History(t.Context(), "contoso", "app", "", 10)
	require.NoError(t, err)
	require.Len(t, events, 1, "PUB-1 only that it was created")
	for _, read := range []func(context.Context, string, string) (offer.Version, error){s.store.Live, s.store.InPreview} {
		_, err := read(t.Context(), "contoso", "app")
		require.True(t, fault.Is(err, fault.NotFound), "PUB-1")
	}
	before.Content, after.Content = offer.Content{}, offer.Content{}
	before.ChangedAt, before.Lock, before.Saved = after.ChangedAt, after.Lock, after.Saved
	require.Equal(t, before, after, "PUB-1")
}

// An offer that was never in preview can be deleted with all that is kept of it; its id is free again (PUB-58).
func TestDelete(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for name, change := range map[string]func(*offer.Offer){
		"preview": func(o *offer.Offer) { o.Preview = &offer.Frozen{Submission: 1} },
		"live":    func(o *offer.Offer) { o.Production = &offer.Frozen{Submission: 1} },
		"running": func(o *offer.Offer) { o.Status = offer.StatusPublishInProgress },
	} {
		o := s.create(t, "contoso", name, false, func(*offer.Content) {})
		change(&o)
		require.NoError(t, s.store.Save(t.Context(), o))
		err := s.Delete(t.Context(), ref(name))
		require.True(t, fault.Is(err, fault.Conflict), "PUB-58 %s", name)
	}
	o := s.create(t, "contoso", "app", false, func(c *offer.Content) {
		for _, id := range []string{"a", "b"} {
			c.Plans = append(c.Plans, plan(id))
		}
	})
	stale := ref("app")
	stale.IfMatch = `W/"other"`
	refused(t, s.Delete(t.Context(), stale), fault.StaleETag, offer.CodeDraftChanged)
	stale.IfMatch = o.Tag()
	require.NoError(t, s.Delete(t.Context(), stale), "PUB-58")
	refused(t, s.Delete(t.Context(), ref("app")), fault.NotFound, "NotFound")
	listed, _, err := s.store.Offers(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Len(t, listed, 3)
	s.create(t, "contoso", "app", false, func(*offer.Content) {})
	events, _, err := s.store.History(t.Context(), "contoso", "app", "", 10)
	require.NoError(t, err)
	require.Len(t, events, 1, "nothing of the one before")
}

// A single page is published with everything that belongs to it, and nothing else (PUB-6).
func TestMerge(t *testing.T) {
	t.Parallel()
	live := newOffer(t).Content
	live.LeadDestination = offer.LeadDestination{Kind: "table", SealedSecrets: map[string]string{"storageAccountConnectionString": "old"}}
	live.Listing = offer.Listing{Name: "old", Categories: []string{"old"}, Terms: "old"}
	live.TestDrive = offer.TestDrive{Kind: "logicApp", AccessInfo: "old"}
	draft := live
	draft.LeadDestination = offer.LeadDestination{Kind: "httpsEndpoint", SealedSecrets: map[string]string{"httpsEndpointUrl": "new"}}
	draft.Listing = offer.Listing{Name: "new", Categories: []string{"new"}, Support: &offer.Contact{Name: "new"}}
	draft.TestDrive = offer.TestDrive{Enabled: true, Kind: "logicApp", AccessInfo: "new"}
	draft.Legal.Universal = "new"
	for _, row := range []struct {
		page string
		want func(c *offer.Content)
	}{
		{"offerSetup", func(c *offer.Content) { c.LeadDestination, c.TestDrive.Enabled = draft.LeadDestination, true }},
		{"properties", func(c *offer.Content) {
			c.Listing.Categories, c.Listing.Terms, c.Legal = []string{"new"}, "", draft.Legal
		}},
		{"offerListing", func(c *offer.Content) { c.Listing.Name, c.Listing.Support = "new", draft.Listing.Support }},
		{"testDrive", func(c *offer.Content) { c.TestDrive = draft.TestDrive }},
	} {
		merged, err := offer.Merge(live, draft, []string{row.page})
		require.NoError(t, err)
		want := live
		row.want(&want)
		require.Equal(t, want.LeadDestination.SealedSecrets, merged.LeadDestination.SealedSecrets, "PUB-6 %s", row.page)
		require.Equal(t, offer.Fingerprint(&want), offer.Fingerprint(&merged), "PUB-6 %s", row.page)
	}
	_, err := offer.Merge(live, draft, []string{"nothing"})
	refused(t, err, fault.Invalid, offer.CodeInvalid)
}

// A secret that is entered anew is a change of its page.
func TestSecretsAreChangesOfTheirPage(t *testing.T) {
	t.Parallel()
	c := newOffer(t).Content
	c.LeadDestination = offer.LeadDestination{Kind: "httpsEndpoint", SealedSecrets: map[string]string{"httpsEndpointUrl": "old"}}
	before := offer.Fingerprints(&c)
	c.LeadDestination.SealedSecrets = map[string]string{"httpsEndpointUrl": "new"}
	after := offer.Fingerprints(&c)
	require.NotEqual(t, before["offerSetup"], after["offerSetup"])
	require.Equal(t, before["offerListing"], after["offerListing"])
}

// Audiences go out to a file and come back from one, or not at all (SAS-27).
func TestAudienceFiles(t *testing.T) {
	t.Parallel()
	lines := func(rows ...string) string { return strings.Join(rows, "\r\n") }
	users := func(n int) string {
		return lines(append([]string{"ID,Description,Type"}, many(n, func(i int) string { return strings.ReplaceAll("u#@c.com,,MixedAadMsaId", "#", guid(i)) })...)...)
	}
	for _, row := range []struct {
		name   string
		kind   offer.AudienceKind
		file   string
		want   []string
		target string // of the first thing that is wrong
		code   string
	}{
		{"SAS-27 users", offer.PreviewUsers, lines("ID,Description,Type", `eva@c.com,"Eva, a tester",MixedAadMsaId`), []string{"eva@c.com"}, "", ""},
		{"SAS-27 as the guide prints it", offer.PreviewUsers, lines("\ufeffID,Description,Type", "eva@c.com,,MixedAadMsald"), []string{"eva@c.com"}, "", ""},
		{"SAS-27 tenants", offer.PlanTenants, lines("ID,Description,Type", someGUID+",,TenantID"), []string{someGUID}, "", ""},
		{"SAS-27 users for tenants", offer.PlanTenants, lines("ID,Description,Type", someGUID+",,MixedAadMsaId"), nil, "row 2", "InvalidValue"},
		{"SAS-27 no GUID", offer.PlanTenants, lines("ID,Description,Type", someGUID+",,TenantID", "contoso,,TenantID"), nil, "row 3", "InvalidValue"},
		{"SAS-27 no address", offer.PreviewUsers, lines("ID,Description,Type", "eva,,MixedAadMsaId"), nil, "row 2", "InvalidValue"},
		{"SAS-27 twice", offer.PreviewUsers, lines("ID,Description,Type", "eva@c.com,,MixedAadMsaId", "EVA@c.com,,MixedAadMsaId"), nil, "row 3", "InvalidValue"},
		{"SAS-27 another header", offer.PreviewUsers, lines("Id,Type", "eva@c.com,MixedAadMsaId"), nil, "row 1", "InvalidValue"},
		{"SAS-27 two columns", offer.PreviewUsers, lines("ID,Description,Type", "eva@c.com,MixedAadMsaId"), nil, "row 2", "InvalidValue"},
		{"SAS-27 no entry", offer.PreviewUsers, "ID,Description,Type", nil, "row 2", "Required"},
		{"SAS-26 SAS-27 21 users", offer.PreviewUsers, users(21), nil, "row 22", "LimitExceeded"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := offer.ImportAudience(row.kind, strings.NewReader(row.file))
			if row.code != "" {
				require.Error(t, err)
				require.Equal(t, []any{fault.Invalid, row.code, row.target}, []any{fault.As(err).Kind, fault.As(err).Code, fault.As(err).Target})
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			file, err := offer.ExportAudience(row.kind, got)
			require.NoError(t, err)
			again, err := offer.ImportAudience(row.kind, bytes.NewReader(file))
			require.NoError(t, err)
			require.Equal(t, got, again, "SAS-27 what is exported can be imported")
		})
	}
	twenty, err := offer.ImportAudience(offer.PreviewUsers, strings.NewReader(users(20)))
	require.NoError(t, err)
	require.Len(t, twenty, 20, "SAS-26")
}
