package publish_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/publish"
)

// web answers calls with a status, or not at all.
type web map[string]int

func (w web) Do(_ context.Context, r call.Request) (call.Reply, error) {
	status, ok := w[r.URL]
	if !ok {
		return call.Reply{}, fault.New(fault.Unavailable, "CallFailed", "", "nobody answers")
	}
	return call.Reply{Status: status}, nil
}

// calls tells what was seen of an application.
type calls publish.Calls

func (c calls) PreviewCalls(context.Context, string, string) (publish.Calls, error) {
	return publish.Calls(c), nil
}

// plain is a content without a finding.
func plain() offer.Content {
	c := saas(false)
	c.Listing.Description = strings.Repeat("A description that says enough about the offer. ", 4)
	return c
}

// policies are the policies of the report's findings with their fields.
func policies(r publish.ValidationReport) [][2]string {
	out := [][2]string{}
	for _, f := range r.Findings {
		out = append(out, [2]string{f.Policy, f.Field})
	}
	return out
}

// Offer validation finds what is wrong with content and technical configuration, and never stops the preview
// (SAS-64, SAS-21, PUB-13).
func TestValidationReport(t *testing.T) {
	t.Parallel()
	up := web{"https://contoso.com/l": 200, "https://contoso.com/w": 405}
	const landing, hook, pair = "technicalConfiguration.landingPageUrl", "technicalConfiguration.connectionWebhook", "technicalConfiguration.aadApplicationId"
	russian := strings.Repeat("Описание предложения на русском языке. ", 5)
	for _, row := range []struct {
		name   string
		web    web
		change func(*offer.Content)
		want   [][2]string
	}{
		{"SAS-64 nothing", up, func(*offer.Content) {}, [][2]string{}},
		{"SAS-64 a landing page that wants a sign-in, a webhook that wants another method",
			web{"https://contoso.com/l": 401, "https://contoso.com/w": 404}, func(*offer.Content) {}, [][2]string{}},
		{"SAS-64 nobody answers", web{}, func(*offer.Content) {},
			[][2]string{{"technical.landingPage.unreachable", landing}, {"technical.webhook.unreachable", hook}}},
		{"SAS-64 no such page, a broken webhook", web{"https://contoso.com/l": 404, "https://contoso.com/w": 500}, func(*offer.Content) {},
			[][2]string{{"technical.landingPage.unreachable", landing}, {"technical.webhook.unreachable", hook}}},
		{"SAS-64 a # in the landing page", web{"https://contoso.com/l#a": 200, "https://contoso.com/w": 200},
			func(c *offer.Content) { c.Technical.LandingPageURL += "#a" }, [][2]string{{"technical.landingPage.fragment", landing}}},
		{"SAS-64 no application", up, func(c *offer.Content) { c.Technical.AppID = "00000000-0000-0000-0000-000000000000" },
			[][2]string{{"technical.app.invalid", pair}}},
		{"SAS-64 listed only: no technical configuration", web{}, func(c *offer.Content) {
			c.ListingOption, c.Technical = offer.ContactMe, offer.Technical{}
		}, [][2]string{}},
		{"SAS-21 another language", up, func(c *offer.Content) { c.Listing.Description = russian }, [][2]string{{"listing.description.language", "listing.description"}}},
		{"SAS-21 another language, announced", up, func(c *offer.Content) {
			c.Listing.Description = "This application is available only in Russian. " + russian
		}, [][2]string{}},
		{"no picture, nobody to turn to, no beginning", up, func(c *offer.Content) {
			c.Listing.Screenshots, c.Listing.Support, c.Listing.Engineering, c.Listing.Start = nil, nil, nil, ""
		}, [][2]string{{"listing.screenshots.missing", "listing.screenshots"}, {"listing.supportContact.missing", "listing.supportContact"},
			{"listing.engineeringContact.missing", "listing.engineeringContact"}, {"listing.gettingStarted.missing", "listing.gettingStarted"}}},
		{"an emoji", up, func(c *offer.Content) { c.Listing.Name = "Contoso 🚀" }, [][2]string{{"listing.name.emoji", "listing.name"}}},
		{"a trade mark", up, func(c *offer.Content) { c.Listing.Name = "Contoso™ ®©" }, [][2]string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := plain()
			row.change(&c)
			if c.ListingOption == offer.ContactMe {
				b.create(t, c)
			} else { // the pages would not let it through: the step looks at what was frozen
				b.create(t, saas(false))
			}
			b.Calls = row.web
			_, err := b.ValidationReport(t.Context(), contoso, app, 0)
			require.True(t, fault.Is(err, fault.NotFound), "before it has run")
			b.publish(t)
			b.Snapshots = frozen{c}
			b.run(t)
			require.Equal(t, offer.StatusPreview, b.offer(t).Status, "SAS-64 the preview is made")
			report, err := b.ValidationReport(t.Context(), contoso, app, 0)
			require.NoError(t, err)
			require.Equal(t, row.want, policies(report))
			require.False(t, report.CreatedAt.IsZero())
			for _, f := range report.Findings {
				require.NotEmpty(t, f.Page)
				require.NotEmpty(t, f.Description)
			}
		})
	}
}

// A report is kept with its submission (SAS-64).
func TestValidationReportOfASubmission(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, plain())
	b.publish(t)
	b.run(t)
	b.edit(t, func(c *offer.Content) { c.Listing.Description = "short" })
	b.publish(t)
	b.run(t)
	for number, want := range map[int][][2]string{1: {}, 2: {{"listing.description.short", "listing.description"}}, 0: {{"listing.description.short", "listing.description"}}} {
		report, err := b.ValidationReport(t.Context(), contoso, app, number)
		require.NoError(t, err)
		require.Equal(t, want, policies(report))
	}
	_, err := b.ValidationReport(t.Context(), contoso, app, 3)
	require.True(t, fault.Is(err, fault.NotFound))
	other := newBench(t)
	other.create(t, machine())
	other.publish(t)
	other.run(t)
	_, err = other.ValidationReport(t.Context(), contoso, app, 0)
	require.True(t, fault.Is(err, fault.NotFound), "SAS-64 of SaaS offers only")
}

// What a test offer has that it should not have (SAS-58).
func TestValidationOfATestOffer(t *testing.T) {
	t.Parallel()
	right := func(c *offer.Content) {
		c.TestOffer, c.Alias = true, "Contoso_test"
		c.Plans[0].ID, c.Plans[0].Terms[0].PriceUSD = "basic_test", decimal.RequireFromString("100.00")
	}
	for _, row := range []struct {
		name   string
		change func(*offer.Content)
		want   [][2]string
	}{
		{"SAS-58 as it should be", func(*offer.Content) {}, [][2]string{}},
		{"SAS-58 alias", func(c *offer.Content) { c.Alias = "Contoso" }, [][2]string{{"testOffer.alias", "alias"}}},
		{"SAS-58 plan", func(c *offer.Content) { c.Plans[0].ID = "basic" }, [][2]string{{"testOffer.planId", "plans[0].planId"}}},
		{"SAS-58 a cent above 100 dollars", func(c *offer.Content) { c.Plans[0].Terms[0].PriceUSD = decimal.RequireFromString("100.01") },
			[][2]string{{"testOffer.price", "plans[0].terms[0].priceUSD"}}},
		{"SAS-58 free trial", func(c *offer.Content) { c.Plans[0].FreeTrial = true }, [][2]string{{"testOffer.freeTrial", "plans[0].freeTrial"}}},
		{"SAS-58 resellers", func(c *offer.Content) { c.ResellThrough = "any" }, [][2]string{{"testOffer.csp", "resellThroughCsp"}}},
		{"SAS-58 no resellers", func(c *offer.Content) { c.ResellThrough = "none" }, [][2]string{}},
		{"SAS-58 a production offer may have all of it", func(c *offer.Content) {
			c.TestOffer, c.Alias, c.ResellThrough, c.Plans[0].ID, c.Plans[0].FreeTrial = false, "Contoso", "any", "basic", true
		}, [][2]string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := plain()
			right(&c)
			row.change(&c)
			b.create(t, c)
			b.publish(t)
			b.run(t)
			report, err := b.ValidationReport(t.Context(), contoso, app, 0)
			require.NoError(t, err)
			require.Equal(t, row.want, policies(report))
		})
	}
}

// The applications of a publisher's offers are compared: one for all production offers, another for test offers
// (SAS-31, SAS-58).
func TestApplicationsOfAPublisher(t *testing.T) {
	t.Parallel()
	const field = "technicalConfiguration.aadApplicationId"
	const own, another = "22222222-2222-2222-2222-222222222222", "33333333-3333-3333-3333-333333333333"
	for _, row := range []struct {
		name string
		test bool
		app  string
		want [][2]string
	}{
		{"SAS-31 one for all", false, own, [][2]string{}},
		{"SAS-31 a second one", false, another, [][2]string{{"technical.app.second", field}}},
		{"SAS-31 SAS-58 a test offer has its own", true, another, [][2]string{}},
		{"SAS-58 a test offer with that of production", true, own, [][2]string{{"testOffer.app.production", field}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, plain())
			b.live(t)
			c := plain()
			c.OfferID, c.Technical.AppID, c.TestOffer = "second", row.app, row.test
			if row.test {
				c.Alias, c.Plans[0].ID = "second_test", "basic_test"
			}
			o, err := offer.New(offer.NewOffer{PublisherID: contoso, OfferID: "second", OfferType: "SaaS", Alias: c.Alias}, b.clock())
			require.NoError(t, err)
			o.Content = c
			require.NoError(t, b.offers.Create(t.Context(), o))
			r := request()
			r.OfferID = "second"
			_, err = b.Publish(t.Context(), r)
			require.NoError(t, err)
			b.run(t)
			report, err := b.ValidationReport(t.Context(), contoso, "second", 0)
			require.NoError(t, err)
			require.Equal(t, row.want, policies(report))
		})
	}
}

// mail reads the mails of a kind.
func (b *bench) mail(t tb, kind string) []string {
	t.Helper()
	require.NoError(t, b.db.Flush(context.Background()))
	var out []string
	for _, m := range b.outbox.Messages(message.Notifications) {
		var mail struct{ Kind, Body string }
		require.NoError(t, json.Unmarshal(m.Body, &mail))
		if mail.Kind == kind {
			out = append(out, mail.Body)
		}
	}
	return out
}

// Reaching sign-off sends a mail that says where the preview is, and from then on nothing can be cancelled (SAS-65).
func TestSignOffMail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := plain()
	c.Listing.Categories = []string{"amp:web", "as:sales"}
	c.Listing.Name = "CONTOSO SHOUTS"
	b.create(t, c)
	b.publish(t)
	require.Empty(t, b.mail(t, "publish.preview"))
	b.run(t)
	mails := b.mail(t, "publish.preview")
	require.Len(t, mails, 1, "SAS-65")
	require.Contains(t, mails[0], "AzureMarketplace, AppSource", "SAS-65")
	require.Contains(t, mails[0], "validation report: 1", "SAS-64")
	_, _, err := b.Cancel(t.Context(), request())
	requireFault(t, err, fault.Conflict, "CannotCancel") // SAS-65
}

// Certification sees what the publisher's application has done for purchases from the preview (SAS-66, SAS-25).
func TestChecklist(t *testing.T) {
	t.Parallel()
	listed := func(option string) offer.Content {
		c := plain()
		c.ListingOption, c.OfferURL, c.TrialURL = option, "https://contoso.com/o", "https://contoso.com/t"
		return c
	}
	type states = map[string]publish.CheckState
	look := publish.CheckByReviewer
	for _, row := range []struct {
		name    string
		content offer.Content
		proof   publish.Proof
		want    states
	}{
		{"SAS-66 sold, nothing is known", plain(), nil,
			states{"signIn": look, "consent": look, "consentInDescription": look, "resolve": publish.CheckUnknown, "activate": publish.CheckUnknown}},
		{"SAS-66 sold, resolved only", plain(), calls{Resolved: true},
			states{"signIn": look, "consent": look, "consentInDescription": look, "resolve": publish.CheckSeen, "activate": publish.CheckNotSeen}},
		{"SAS-66 sold, all seen", plain(), calls{Resolved: true, Activated: true},
			states{"signIn": look, "consent": look, "consentInDescription": look, "resolve": publish.CheckSeen, "activate": publish.CheckSeen}},
		{"SAS-66 get it now", listed(offer.GetItNowFree), calls{}, states{"signIn": look, "consent": look, "consentInDescription": look}},
		{"SAS-66 trial", listed(offer.FreeTrial), calls{}, states{"signIn": look, "consent": look, "consentInDescription": look}},
		{"SAS-25 SAS-66 contact me", listed(offer.ContactMe), calls{}, states{"consentInDescription": look}},
		{"SAS-66 another type", machine(), calls{}, states{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, row.content)
			_, err := b.Checklist(t.Context(), contoso, app)
			require.True(t, fault.Is(err, fault.NotFound), "it was never submitted")
			b.Proof = row.proof
			b.publish(t)
			b.run(t)
			items, err := b.Checklist(t.Context(), contoso, app)
			require.NoError(t, err)
			got := states{}
			for _, item := range items {
				got[item.ID] = item.State
				require.NotEmpty(t, item.Title)
			}
			require.Equal(t, row.want, got)
		})
	}
	b := newBench(t)
	b.Proof, b.ports.result = calls{Resolved: true}, publish.Pending
	b.create(t, plain())
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.run(t)
	var codes []string
	for _, m := range step(b.newest(t), "manualValidation").Messages {
		codes = append(codes, m.Code)
	}
	require.Equal(t, []string{"checklist.activate"}, codes, "SAS-66 the reviewer is told")
}

// A critical change is announced to every publisher that sells something, once (SAS-66).
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, plain())
	board := b.Store.(publish.Board)
	a := publish.Announcement{ID: "2026-01", Subject: "A change", Text: "Take it over.", By: time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)}
	told, next, err := b.Announce(t.Context(), board, a, "")
	require.NoError(t, err)
	require.Equal(t, []any{0, ""}, []any{told, next}, "nobody sells anything")
	b.live(t)
	for range 2 {
		told, next, err = b.Announce(t.Context(), board, a, "")
		require.NoError(t, err)
		require.Equal(t, []any{1, ""}, []any{told, next}, "SAS-66")
	}
	mails := slices.Compact(b.mail(t, "announcement"))
	require.Len(t, mails, 1)
	require.Contains(t, mails[0], "2026-01-02 10:00 UTC", "SAS-66 by when")
	for target, bad := range map[string]publish.Announcement{
		"id": {Subject: "s", Text: "t"}, "subject": {ID: "i", Subject: strings.Repeat("s", 201), Text: "t"}, "text": {ID: "i", Subject: "s"},
	} {
		_, _, err := b.Announce(t.Context(), board, bad, "")
		require.Equal(t, []any{fault.Invalid, target}, []any{fault.As(err).Kind, fault.As(err).Target})
	}
	b.ports.to, b.ports.noMail = nil, fault.New(fault.Unavailable, "Away", "", "away")
	_, _, err = b.Announce(t.Context(), board, a, "")
	require.True(t, fault.Is(err, fault.Unavailable), "it can be told again")
}
