package publish_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/publish"
)

// What is not complete cannot be submitted, and a refusal leaves nothing behind (PUB-4, SAS-61, CPP-40).
func TestIncompletePagesAreRefused(t *testing.T) {
	t.Parallel()
	incomplete := saas(false)
	incomplete.Listing.Summary, incomplete.Technical.LandingPageURL = "", ""
	untitled := machine()
	untitled.Definition = json.RawMessage(`{"offer":{"microsoft-azure-marketplace.title":"T"},"plans":[{"planId":"basic","virtualMachinePricing":{}}]}`)
	for _, row := range []struct {
		name    string
		content offer.Content
		kind    fault.Kind
		code    string
		targets []string
	}{
		{"SAS-61 from the portal", incomplete, fault.Conflict, publish.CodePagesIncomplete,
			[]string{"listing.searchResultsSummary", "technicalConfiguration.landingPageUrl"}},
		{"PUB-4 CPP-40 from the portal API", untitled, fault.NotReady, "OfferNotReady", []string{
			`definition.offer["microsoft-azure-marketplace.summary"]`, `definition.offer["microsoft-azure-marketplace.categoryMap"]`,
			"definition.plans[0].virtualMachinePricing"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, row.content)
			before := b.offer(t)
			_, err := b.Publish(t.Context(), request())
			requireFault(t, err, row.kind, row.code)
			var targets []string
			for _, d := range fault.As(err).Details {
				targets = append(targets, d.Target)
			}
			require.Equal(t, row.targets, targets)
			require.Equal(t, before, b.offer(t), "PUB-4")
			require.Empty(t, b.steps(t))
			require.Len(t, b.history(t), 1)
		})
	}
}

func TestSelectionOfPages(t *testing.T) {
	t.Parallel()
	t.Run("PUB-6 the first submission takes all pages", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.create(t, saas(false))
		r := request()
		r.Pages = []string{"offerListing"}
		_, err := b.Publish(t.Context(), r)
		require.Equal(t, fault.NotReady, fault.As(err).Kind)
		r.Pages = []string{"offerListing", "nothing"}
		_, err = b.Publish(t.Context(), r)
		requireFault(t, err, fault.Invalid, offer.CodeInvalid)
		require.Equal(t, "pages", fault.As(err).Target)
	})
	t.Run("PUB-6 a live offer may take some, others keep what is live", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.create(t, saas(false))
		b.live(t)
		b.edit(t, func(c *offer.Content) {
			c.Listing.Summary, c.Technical.LandingPageURL = "Another", "" // the page that is left out may be incomplete
		})
		r := request()
		r.Pages = []string{"offerListing"}
		sub, err := b.Publish(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, []string{"offerSetup", "planOverview", "offerListing"}, sub.ChangedPages)
		b.run(t)
		b.goLive(t)
		b.run(t)
		v, err := b.offers.Live(t.Context(), contoso, app)
		require.NoError(t, err)
		require.Equal(t, []string{"Another", "https://contoso.com/l"}, []string{v.Listing.Summary, v.Technical.LandingPageURL})
	})
}

// What is live is what was frozen, whatever happens to the draft meanwhile (PUB-7, PUB-29, PUB-30, PUB-32).
func TestGoLivePublishesThePreview(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.live(t)
	summary := func(text string) { b.edit(t, func(c *offer.Content) { c.Listing.Summary = text }) }
	shown := func() string {
		v, err := b.offers.Live(t.Context(), contoso, app)
		require.NoError(t, err)
		return v.Listing.Summary
	}
	summary("preview")
	b.publish(t)
	summary("later")
	b.run(t)
	require.Equal(t, "One line", shown(), "PUB-30")
	summary("latest")
	b.goLive(t)
	require.Equal(t, "One line", shown(), "PUB-30")
	b.run(t)
	require.Equal(t, "preview", shown(), "PUB-7, PUB-29")
	o := b.offer(t)
	require.Equal(t, 2, o.Version, "PUB-32")
	require.Equal(t, "latest", o.Listing.Summary)
	old, err := b.Snapshots.Frozen(t.Context(), b.submission(t, 1).Snapshot)
	require.NoError(t, err)
	require.Equal(t, "One line", old.Listing.Summary, "PUB-32 the version before stays readable")
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	r := request()
	r.IfMatch = `W/"datetime'2000-01-01'"`
	_, err := b.Publish(t.Context(), r)
	requireFault(t, err, fault.StaleETag, offer.CodeDraftChanged) // CPP-17
	_, err = b.GoLive(t.Context(), r)
	requireFault(t, err, fault.StaleETag, offer.CodeDraftChanged)
	_, _, err = b.Cancel(t.Context(), r)
	requireFault(t, err, fault.StaleETag, offer.CodeDraftChanged)
	o := b.offer(t)
	r.IfMatch = o.Tag()
	_, err = b.Publish(t.Context(), r)
	require.NoError(t, err)
}

func TestUnknownOffer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.Publish(t.Context(), request())
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = b.GoLive(t.Context(), request())
	require.True(t, fault.Is(err, fault.NotFound))
	_, _, err = b.Cancel(t.Context(), request())
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = b.Verdict(t.Context(), contoso, app, publish.Report{Result: publish.Passed})
	require.True(t, fault.Is(err, fault.NotFound))
	for _, s := range []string{"purchaseFlowSetup", "cancel"} {
		require.True(t, fault.Is(b.RunStep(t.Context(), publish.StepMessage{PublisherID: contoso, OfferID: app, Submission: 1, Step: s}), fault.NotFound))
	}
}

// Findings of offer validation are warnings that never stop the preview, and go live tells them again (PUB-13).
func TestOfferValidationNeverBlocks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := saas(false)
	c.Listing.Name = "CONTOSO SHOUTS"
	b.create(t, c)
	b.publish(t)
	b.run(t)
	validation := step(b.newest(t), "offerValidation")
	require.Equal(t, publish.Complete, validation.Status)
	var found [][3]string
	submission := b.newest(t)
	for _, m := range submission.Warnings() {
		found = append(found, [3]string{m.Code, m.Page, m.Field})
	}
	require.Equal(t, [][3]string{
		{"listing.description.short", "offerListing", "listing.description"}, {"listing.name.shouting", "offerListing", "listing.name"},
	}, found)
	sub, err := b.GoLive(t.Context(), request())
	require.NoError(t, err)
	require.Len(t, sub.Warnings(), 2)
	for _, e := range b.history(t) {
		if e.Kind == "offerValidation" {
			require.Equal(t, "warning", e.Completion)
		}
	}
}

// A step that the publisher can mend blocks before sign-off and fails behind it (PUB-15).
func TestFailedSteps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.ports.secrets = nil // the lead destination can no longer be used
	b.run(t)
	sub := b.newest(t)
	require.Equal(t, publish.Failed, sub.State)
	require.Equal(t, publish.StepBlocked, step(sub, "liveLeadManagement").Status)
	require.Equal(t, publish.Complete, step(sub, "manualValidation").Status, "PUB-15 earlier steps stay")
	require.Equal(t, publish.NotStarted, step(sub, "finalPublish").Status)
	o := b.offer(t)
	require.Equal(t, offer.StatusAttentionNeeded, o.Status)
	require.Nil(t, o.Production, "nothing went live")
	require.NotNil(t, o.Preview, "PUB-22 the preview stays readable")
	require.Equal(t, []string{"failed", "liveLeadManagement"}, []string{last(b.history(t)).Completion, string(last(b.history(t)).Kind)})
}

// A refusal keeps its report, leaves what is live alone and is mailed (PUB-15, PUB-16, PUB-20, PUB-22).
func TestRefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.live(t)
	b.ports.result, b.ports.policies = publish.Refused, []publish.FailedPolicy{{ID: "100.1", Description: "The title <b> is wrong"}}
	b.edit(t, func(c *offer.Content) { c.Listing.Summary = "Another" })
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.run(t)
	sub := b.newest(t)
	require.Equal(t, publish.Failed, sub.State)
	require.Equal(t, publish.Refused, sub.Certification.Result)
	require.False(t, sub.Certification.At.IsZero())
	refused := step(sub, "manualValidation")
	require.Equal(t, publish.Rejected, refused.Status)
	require.Equal(t, []string{"100.1", publish.Error, "100.1: The title &lt;b&gt; is wrong"},
		[]string{refused.Messages[0].Code, refused.Messages[0].Level, refused.Messages[0].HTML})
	live, err := b.offers.Live(t.Context(), contoso, app)
	require.NoError(t, err)
	preview, err := b.offers.InPreview(t.Context(), contoso, app)
	require.NoError(t, err)
	require.Equal(t, []string{"One line", "Another"}, []string{live.Listing.Summary, preview.Listing.Summary}, "PUB-22")
	var report string
	for _, m := range b.outbox.Messages(message.Notifications) {
		if strings.HasPrefix(m.ID, "publish.certification|") {
			report = string(m.Body)
		}
	}
	require.Contains(t, report, "100.1", "PUB-20")
	require.Contains(t, report, "a note")
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		report publish.Report
		code   string
		state  publish.State
	}{
		{"passed", publish.Report{Result: publish.Passed}, "", publish.Succeeded},
		{"passed with notes", publish.Report{Result: publish.PassedWithNotes, Notes: "n"}, "", publish.Succeeded},
		{"refused", publish.Report{Result: publish.Refused, FailedPolicies: []publish.FailedPolicy{{ID: "1", Description: "d"}}}, "", publish.Failed},
		{"refused without a policy", publish.Report{Result: publish.Refused}, "Required", publish.GoingLive},
		{"no verdict", publish.Report{Result: publish.Pending}, "InvalidValue", publish.GoingLive},
		{"none", publish.Report{}, "InvalidValue", publish.GoingLive},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.ports.result = publish.Pending
			b.create(t, saas(false))
			b.publish(t)
			b.run(t)
			b.goLive(t)
			b.run(t)
			sub, err := b.Verdict(t.Context(), contoso, app, row.report)
			if row.code != "" {
				requireFault(t, err, fault.Invalid, row.code)
			} else {
				require.NoError(t, err)
				require.Equal(t, row.report.Result, sub.Certification.Result)
			}
			b.run(t)
			require.Equal(t, row.state, b.newest(t).State)
			if row.code == "" {
				_, err = b.Verdict(t.Context(), contoso, app, row.report)
				requireFault(t, err, fault.Conflict, "InvalidOfferState")
			}
		})
	}
}

// Each mail at most once per submission and event, whatever is delivered twice (PUB-27, PUB-68).
func TestMails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.live(t)
	require.Equal(t, []string{"publish.submitted", "publish.preview", "publish.golive", "publish.live"}, b.mails(t), "PUB-68")
	b.publish(t)
	_, _, err := b.Cancel(t.Context(), request())
	require.NoError(t, err)
	b.run(t)
	require.Equal(t, []string{"publish.submitted", "publish.canceled"}, b.mails(t)[4:])
	b.ports.secrets = nil
	b.publish(t)
	b.run(t)
	require.Equal(t, []string{"publish.submitted", "publish.attention"}, b.mails(t)[6:])
	var mail struct {
		To      []string
		Subject string
		Body    string
	}
	require.NoError(t, json.Unmarshal(b.outbox.Messages(message.Notifications)[7].Body, &mail))
	require.Equal(t, []string{owner}, mail.To)
	require.Contains(t, mail.Body, "httpsEndpointUrl", "what the step found")
	require.NotContains(t, mail.Body, "s3cret")

	b.ports.to, b.ports.noMail = nil, errors.New("away")
	b.publish(t) // nobody can be told: it goes on
	require.Len(t, b.mails(t), 8)
}

// A package that was uploaded again after the preview does not go live (PUB-31).
func TestPackageChangedAfterPreview(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, version string
		state         publish.State
	}{{"the same", "v1", publish.Succeeded}, {"PUB-31 another", "v2", publish.Failed}, {"PUB-31 refused meanwhile", "", publish.Failed}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, azure())
			b.publish(t)
			b.run(t)
			b.goLive(t)
			b.ports.versions = map[string]string{"app.zip": row.version}
			b.run(t)
			require.Equal(t, row.state, b.newest(t).State)
			if row.state == publish.Failed {
				found := step(b.newest(t), "livePackageProvisioning").Messages[0]
				require.Equal(t, []string{"PackageNotAccepted", "plans[0].packageFile"}, []string{found.Code, found.Field})
			}
		})
	}
}

func TestPreviewTextSaysHowLong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.publish(t)
	b.run(t)
	require.Contains(t, final(step(b.newest(t), "previewCreation").Messages).HTML, "4 hours", "PUB-24")
}

func final(m []publish.Message) publish.Message { return m[len(m)-1] }

// Who may see the preview is what the submission says: a change needs another one (PUB-26).
func TestPreviewAudienceNeedsRepublish(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.live(t)
	audience := func() []string {
		v, err := b.offers.InPreview(t.Context(), contoso, app)
		require.NoError(t, err)
		return v.PreviewAudience
	}
	b.edit(t, func(c *offer.Content) { c.PreviewAudience = []string{"adam@contoso.com"} })
	require.Equal(t, []string{"eva@contoso.com"}, audience(), "PUB-26")
	b.publish(t)
	b.run(t)
	require.Equal(t, []string{"adam@contoso.com"}, audience(), "PUB-26")
}

// Offer setup counts as changed in every submission, plan overview in every one of a type with plans (PUB-62).
func TestChangedPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.live(t)
	require.Equal(t, []string{"offerSetup", "planOverview"}, b.publish(t).ChangedPages, "PUB-62 nothing has changed")
	b.run(t)
	b.edit(t, func(c *offer.Content) { c.Listing.Summary = "Another" })
	require.Equal(t, []string{"offerSetup", "planOverview", "offerListing"}, b.publish(t).ChangedPages)

	b = newBench(t)
	c := machine()
	c.OfferType, c.Plans = "ConsultingService", nil
	b.create(t, c)
	require.NotContains(t, b.publish(t).ChangedPages, "planOverview", "PUB-62 a type without plans")
}

// Notes for certification come with a submission and stay when the next one has none.
func TestNotesForCertification(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	r := request()
	r.Notes = "user: eva"
	_, err := b.Publish(t.Context(), r)
	require.NoError(t, err)
	b.run(t)
	b.publish(t)
	require.Equal(t, "user: eva", b.offer(t).Notes)
	require.Equal(t, []string{"user: eva", "user: eva"}, []string{b.submission(t, 1).Notes, b.submission(t, 2).Notes}, "SAS-61")
	b.run(t)
	r.Notes = "user: adam"
	_, err = b.Publish(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, []string{"user: eva", "user: adam"}, []string{b.submission(t, 2).Notes, b.submission(t, 3).Notes}, "SAS-61")
}
