package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"stoa/infra/local/sample"
)

const contact = portal + "/walk-contact"

// contactOffer publishes an offer that is not sold here: its leads go to a table of the publisher.
func (w *Walk) contactOffer(ctx context.Context) error {
	put := func(page string, body object) request {
		return request{method: http.MethodPut, path: contact + "/pages/" + page, token: w.publisher, body: body, want: http.StatusOK}
	}
	err := w.do(ctx,
		request{method: http.MethodPost, path: portal, token: w.publisher, want: http.StatusCreated,
			body: object{"offerId": "walk-contact", "offerType": "SaaS", "alias": "Contact"}},
		put("offerSetup", object{"listingOption": "ContactMe", "leadDestination": object{
			"leadDestination": "table", "contactEmail": []string{"leads@contoso.example"},
			"settings": object{"storageAccountConnectionString": w.stack.Storage.ConnectionString()}}}),
		put("properties", object{"listing": object{"categories": []string{"analytics"}}}),
		put("offerListing", object{"listing": object{"name": "Contoso Contact", "searchResultsSummary": "Ask us.",
			"description": "<p>Ask us.</p>", "privacyPolicyUrl": "https://contoso.example/privacy"}}))
	if err != nil {
		return err
	}
	if err := w.assets(ctx, contact); err != nil {
		return err
	}
	return w.goLive(ctx, contact)
}

// ask sends a customer's contact request and returns the lead's id.
func (w *Walk) ask(ctx context.Context, offer, event, action string) (string, error) {
	a, err := w.must(ctx, request{method: http.MethodPost, path: "/storefront/v1/leads", token: w.customer, want: http.StatusAccepted,
		body: object{"eventId": event, "source": "AppSource", "callToAction": action, "publisherId": publisherID, "offerId": offer,
			"consentGiven": true, "note": event,
			"customer": object{"FirstName": "Ada", "LastName": "Adatum", "Email": "ada@adatum.example", "Country": "US", "Company": "Adatum"}},
		show: []string{"leadId"}})
	return a.text("leadId"), err
}

// leadArrived waits for a lead at the publisher's HTTPS endpoint.
func (w *Walk) leadArrived(ctx context.Context, text string, after int) error {
	return w.wait(ctx, "lead "+text+" at the endpoint", func() bool {
		for _, r := range w.stack.Sample.Received("/lead")[min(after, len(w.stack.Sample.Received("/lead"))):] {
			if r.Status/100 == 2 && strings.Contains(r.Body, text) {
				return true
			}
		}
		return false
	})
}

func (w *Walk) leads(ctx context.Context) error {
	if err := w.contactOffer(ctx); err != nil {
		return err
	}
	if _, err := w.ask(ctx, "walk-contact", "ask-table", "ContactMe"); err != nil {
		return err
	}
	if err := w.wait(ctx, "lead in the publisher's table", func() bool { return w.inTable(ctx, "ask-table") }); err != nil {
		return err
	}
	if _, err := w.ask(ctx, "walk-saas", "ask-https", "ContactMe"); err != nil {
		return err
	}
	if err := w.leadArrived(ctx, "ask-https", 0); err != nil {
		return err
	}
	return w.deadDestination(ctx)
}

// deadDestination lets the endpoint fail once and then refuse: the lead is retried, parked with its reason, and
// replayed by staff.
func (w *Walk) deadDestination(ctx context.Context) error {
	if err := w.stack.Sample.Behave(
		sample.Behaviour{Path: "/lead", Status: http.StatusServiceUnavailable, Times: 1},
		sample.Behaviour{Path: "/lead", Status: http.StatusGone, Times: 1}); err != nil {
		return err
	}
	before := len(w.stack.Sample.Received("/lead"))
	id, err := w.ask(ctx, "walk-saas", "ask-dead", "ContactMe")
	if err != nil {
		return err
	}
	if err := w.wait(ctx, "first attempt", func() bool { return len(w.stack.Sample.Received("/lead")) > before }); err != nil {
		return err
	}
	if err := w.advance(ctx, "PT2M"); err != nil {
		return err
	}
	parked := request{method: http.MethodGet, path: "/operator/v1/leads/parked", token: w.operator, want: http.StatusOK}
	if _, err := w.until(ctx, parked, "parked with its reason", func(a answer) bool { return strings.Contains(string(a.raw), id) }); err != nil {
		return err
	}
	if err := w.do(ctx, request{method: http.MethodPost, path: "/operator/v1/leads/" + id + "/replay", token: w.operator, want: http.StatusAccepted}); err != nil {
		return err
	}
	return w.leadArrived(ctx, "ask-dead", before)
}

// inTable looks into the publisher's own storage account.
func (w *Walk) inTable(ctx context.Context, text string) bool {
	service, err := aztables.NewServiceClientFromConnectionString(w.stack.Storage.ConnectionString(), nil)
	if err != nil {
		return false
	}
	page, err := service.NewClient("MarketplaceLeads").NewListEntitiesPager(nil).NextPage(ctx)
	if err != nil {
		return false // the table comes with the first lead
	}
	for _, row := range page.Entities {
		if strings.Contains(string(row), text) {
			return true
		}
	}
	return false
}

// advance moves the clock of the whole stack, and waits until its other parts see the new time.
func (w *Walk) advance(ctx context.Context, by string) error {
	a, err := w.must(ctx, request{method: http.MethodPost, path: "/dev/clock", body: object{"advance": by}, want: http.StatusOK, show: []string{"now"}})
	if err != nil {
		return err
	}
	now, err := time.Parse(time.RFC3339Nano, a.text("now"))
	if err != nil {
		return fmt.Errorf("move the clock: %w", err)
	}
	return w.wait(ctx, "the stack's clock is moved", func() bool { return !w.stack.Clock.Now().Before(now) })
}

// testDrive tries the product out until the time is over.
func (w *Walk) testDrive(ctx context.Context) error {
	start := request{method: http.MethodPost, path: "/storefront/v1/testdrives", token: w.customer, want: http.StatusAccepted,
		body: object{"publisherId": publisherID, "offerId": "walk-saas", "acceptedTerms": true, "acceptedPrivacyPolicy": true, "shareContact": true,
			"customer": object{"FirstName": "Ada", "LastName": "Adatum", "Email": "ada@adatum.example", "Country": "US", "Company": "Adatum"}}}
	leads := len(w.stack.Sample.Received("/lead"))
	a, err := w.must(ctx, start)
	if err != nil {
		return err
	}
	session := request{method: http.MethodGet, path: a.header.Get("Location"), token: w.customer, want: http.StatusOK}
	ready, err := w.until(ctx, session, "ready", func(a answer) bool {
		return strings.EqualFold(a.text("state"), "Active") || strings.EqualFold(a.text("state"), "Ready")
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w.out, "         access: %s\n", clip(ready.text("accessInformation"), 100))
	if err := w.leadArrived(ctx, "StartTestDrive", leads); err != nil {
		return err
	}
	if err := w.advance(ctx, "PT3H"); err != nil {
		return err
	}
	if err := w.signIn(ctx); err != nil { // tokens live an hour
		return err
	}
	session.token = w.customer
	if err := w.wait(ctx, "clean-up at the publisher's workflow", func() bool { return len(w.stack.Sample.Received("/testdrive/deprovision")) > 0 }); err != nil {
		return err
	}
	_, err = w.until(ctx, session, "ended", func(a answer) bool { return a.text("state") != ready.text("state") && a.text("state") != "Expiring" })
	return err
}
