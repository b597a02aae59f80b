package publish_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/publish"
)

func phaseIDs(offerType string) []string {
	var out []string
	for _, p := range publish.PhasesOf(offerType) {
		out = append(out, p.ID)
	}
	return out
}

// The order of the phases is that of the offer type's flow (PUB-19).
func TestPhases(t *testing.T) {
	t.Parallel()
	before := []string{"automatedValidation", "certification", "previewCreation", "publisherSignoff", "publish"}
	after := []string{"automatedValidation", "previewCreation", "publisherSignoff", "certification", "publish"}
	for offerType, want := range map[string][]string{
		"SaaS": after, "AzureApplication": after, "VirtualMachine": before, "CoreVirtualMachine": before, "AzureContainer": before,
		"IoTEdgeModule": before, "ManagedService": before, "ConsultingService": before, "PowerBIApp": before,
	} {
		require.Equal(t, want, phaseIDs(offerType), "PUB-19 %s", offerType)
	}
}

// What an offer has decides its steps; one that does not apply is absent (PUB-11).
func TestStepsFor(t *testing.T) {
	t.Parallel()
	contact := func() offer.Content {
		c := saas(false)
		c.ListingOption, c.LeadDestination = offer.ContactMe, offer.LeadDestination{Kind: "none"}
		return c
	}
	amended := saas(false)
	amended.Legal.Universal, amended.LeadDestination = "Amended.", offer.LeadDestination{Kind: "none"}
	ownTerms := amended
	ownTerms.Listing.Terms = "Our terms."
	for _, row := range []struct {
		name    string
		content offer.Content
		steps   string
	}{
		{"SAS-62 SAS-63 amendments of the standard contract, no leads, no test drive", amended,
			"purchaseFlowSetup amendmentConfiguration offerValidation previewCreation publisherSignoff manualValidation " +
				"livePurchaseFlowSetup liveAmendmentConfiguration finalPublish"},
		{"SAS-63 amendments of nothing", ownTerms,
			"purchaseFlowSetup offerValidation previewCreation publisherSignoff manualValidation livePurchaseFlowSetup finalPublish"},
		{"PUB-11 SAS-62 SAS-63 SaaS that is sold, with leads and a test drive", saas(true),
			"purchaseFlowSetup testDriveDataValidation testDriveProvisioning leadManagement offerValidation previewCreation publisherSignoff " +
				"manualValidation livePurchaseFlowSetup liveTestDriveDataValidation liveTestDriveProvisioning liveLeadManagement finalPublish"},
		{"PUB-11 SAS-63 SaaS that is listed only", contact(),
			"offerValidation previewCreation publisherSignoff manualValidation finalPublish"},
		{"PUB-11 Azure application", azure(),
			"financialConfiguration packageProvisioning previewCreation publisherSignoff manualValidation " +
				"liveFinancialConfiguration livePackageProvisioning finalPublish"},
		{"PUB-16 PUB-19 virtual machine: three levels, before the preview", machine(),
			"publisherEligibility contentValidation technicalValidation previewCreation publisherSignoff finalPublish"},
		{"PUB-18 without a binary no technical level", offer.Content{OfferType: "ConsultingService"},
			"publisherEligibility contentValidation previewCreation publisherSignoff finalPublish"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var ids []string
			for _, s := range publish.StepsFor(&row.content) {
				ids = append(ids, s.ID)
				require.Equal(t, publish.NotStarted, s.Status)
				require.NotEmpty(t, s.Name)
			}
			require.Equal(t, row.steps, strings.Join(ids, " "))
		})
	}
	for id, want := range map[string]string{ // SAS-62
		"purchaseFlowSetup": "<10 min", "testDriveDataValidation": "~5 min", "testDriveProvisioning": "~30 min", "leadManagement": "<15 min",
		"offerValidation": "<30 min", "previewCreation": "<1 hr", "manualValidation": "<2 business days",
	} {
		for _, s := range publish.StepsFor(ptr(saas(true))) {
			if s.ID == id {
				require.Equal(t, want, s.Estimate, id)
			}
		}
	}
	estimate := func(c offer.Content, id string) string {
		for _, s := range publish.StepsFor(&c) {
			if s.ID == id {
				return s.Estimate
			}
		}
		return "absent"
	}
	require.Equal(t, "<2 business days", estimate(saas(false), "manualValidation"))
	require.Equal(t, "<14 business days", estimate(azure(), "manualValidation"))
}

// The steps run one after the other in their order, each completed before the next begins (PUB-12), and each
// leaves an event with its time and without a user (PUB-59, PUB-60).
func TestOrderOfStepsAndHistory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(true))
	b.publish(t)
	require.Equal(t, offer.SubmittedToPreview, last(b.history(t)).Kind)
	require.Equal(t, []string{"offerSetup", "planOverview", "properties", "offerListing", "previewAudience", "technicalConfiguration", "m365", "resellThroughCsp", "testDrive"},
		last(b.history(t)).Pages)
	for msgs := b.steps(t); len(msgs) > 0; msgs = b.steps(t) {
		require.Len(t, msgs, 1)
		require.NoError(t, b.RunStep(t.Context(), msgs[0]))
	}
	b.goLive(t)
	b.run(t)
	sub := b.newest(t)
	var want []string
	for i, s := range sub.Steps {
		require.Equal(t, publish.Complete, s.Status, s.ID)
		require.False(t, s.StartedAt.IsZero(), s.ID)
		require.False(t, s.CompletedAt.Before(s.StartedAt), s.ID)
		if i > 0 {
			require.False(t, s.StartedAt.Before(sub.Steps[i-1].CompletedAt), "PUB-12 %s", s.ID)
		}
		if s.ID == "publisherSignoff" {
			want = append(want, "signedOff")
		} else {
			want = append(want, s.ID)
		}
	}
	events := b.history(t)
	var got []string
	for i, e := range events {
		if i > 0 {
			require.False(t, e.At.Before(events[i-1].At), "PUB-59 in the order they happen")
		}
		if e.Completion != "" {
			require.Empty(t, e.By, "PUB-60 %s", e.Kind)
			require.Equal(t, 1, e.Submission)
		} else {
			require.Equal(t, owner, e.By)
		}
		got = append(got, string(e.Kind))
	}
	require.Equal(t, append([]string{"offerCreated", "submittedToPreview"}, want...), got)
}

// Messages that come late, too early, twice or for nothing change nothing.
func TestStepsOutOfTurn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.publish(t)
	b.run(t)
	before, submission := b.offer(t), b.newest(t)
	for _, step := range []string{"purchaseFlowSetup", "leadManagement", "previewCreation", "publisherSignoff", "manualValidation", "finalPublish", "cancel", "nothing", ""} {
		require.NoError(t, b.RunStep(t.Context(), publish.StepMessage{PublisherID: contoso, OfferID: app, Submission: 1, Step: step}), step)
	}
	require.Equal(t, before, b.offer(t))
	require.Equal(t, submission, b.newest(t))
	require.Empty(t, b.steps(t))
}

// A failed certifier is no verdict: the step comes back and ends well when the certifier does.
func TestCertifierAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.ports.result = ""
	m := b.steps(t)[0]
	require.Error(t, b.RunStep(t.Context(), m))
	require.Equal(t, publish.InProgress, step(b.newest(t), "manualValidation").Status)
	b.ports.result = publish.Passed
	require.NoError(t, b.RunStep(t.Context(), m))
	b.run(t)
	require.Equal(t, offer.StatusLive, b.offer(t).Status)
}

func step(sub publish.Submission, id string) publish.Step {
	for _, s := range sub.Steps {
		if s.ID == id {
			return s
		}
	}
	return publish.Step{}
}

// The six steps of the portal API, in their order, each for a phase that every flow has (CPP-47).
func TestPortalSteps(t *testing.T) {
	t.Parallel()
	var ids, phases []string
	for _, s := range publish.CPPSteps() {
		ids = append(ids, s.ID)
		phases = append(phases, s.Phase)
		require.NotEmpty(t, s.Name)
		require.NotEmpty(t, s.Estimate)
		require.NotEmpty(t, s.Description)
	}
	require.Equal(t, []string{"displaydummycertify", "displaycertify", "displayprovision", "displaypackage", "publisher-signoff", "live"}, ids, "CPP-47")
	require.Subset(t, phaseIDs("VirtualMachine"), phases)
	require.Subset(t, phaseIDs("SaaS"), phases)
}

func ptr(c offer.Content) *offer.Content { return &c }
