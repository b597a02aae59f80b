package sample

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Offer is what the sample publisher sells: plans silver and gold, per user, 1 to 500 seats; or a plan metered, at a
// flat rate with e-mails.
type Offer struct {
	PublisherID       string `json:"publisherId"`       // of an application known here; empty takes the first one
	OfferID           string `json:"offerId"`           // empty takes sample-saas, or sample-metered
	Metered           bool   `json:"metered,omitempty"` // of a new offer
	LandingPageURL    string `json:"landingPageUrl"`    // empty takes the page here
	ConnectionWebhook string `json:"connectionWebhook"` // empty takes the one here
}

// ErrNotConnected says that no marketplace is known.
var ErrNotConnected = errors.New("no marketplace is known here")

// Publish brings an offer live, in the steps of its publisher: draft, publish, wait for the preview, sign off. An
// offer that is there already gets the two addresses and goes live again, which customers see a few seconds later. It returns the offer as published.
func (s *Server) Publish(ctx context.Context, o Offer) (Offer, error) {
	m := s.marketplace.Load()
	if m == nil || len(m.Apps) == 0 {
		return o, ErrNotConnected
	}
	name := "sample-saas"
	if o.Metered {
		name = "sample-metered"
	}
	for value, usual := range map[*string]string{
		&o.PublisherID: m.Apps[0].PublisherID, &o.OfferID: name, &o.LandingPageURL: s.URL() + "/landing", &o.ConnectionWebhook: s.URL() + "/webhook",
	} {
		if *value == "" {
			*value = usual
		}
	}
	for _, app := range m.Apps {
		if app.PublisherID == o.PublisherID {
			p := &publication{m: m, app: app, offer: o, leads: s.URL() + "/lead"}
			return o, p.run(ctx)
		}
	}
	return o, fmt.Errorf("publish %s: no application of %q is known here", o.OfferID, o.PublisherID)
}

// publication is one way of an offer to customers.
type publication struct {
	m     *Marketplace
	app   App
	offer Offer
	leads string
}

type fields = map[string]any

func (p *publication) run(ctx context.Context) error {
	const all = "" // the publisher's offers
	if err := p.add(ctx, call{method: http.MethodPost, path: all, body: fields{"offerId": p.offer.OfferID, "offerType": "SaaS", "alias": p.offer.OfferID}}); err != nil {
		return err
	}
	status, err := p.status(ctx)
	if err != nil {
		return err
	}
	if status == "Draft" { // new, or one whose making broke off
		if err := p.draft(ctx); err != nil {
			return err
		}
	}
	technical := p.page("technicalConfiguration", fields{"technicalConfiguration": fields{
		"landingPageUrl": p.offer.LandingPageURL, "connectionWebhook": p.offer.ConnectionWebhook,
		"aadTenantId": p.app.TenantID, "aadApplicationId": p.app.AppID}})
	if err := p.each(ctx, technical, call{method: http.MethodPost, path: p.one("/publish")}); err != nil {
		return err
	}
	if err := p.reach(ctx, "Preview"); err != nil {
		return err
	}
	if err := p.each(ctx, call{method: http.MethodPost, path: p.one("/golive")}); err != nil {
		return err
	}
	return p.reach(ctx, "Live")
}

// draft fills the pages of a new offer.
func (p *publication) draft(ctx context.Context) error {
	plan := func(body fields) call {
		body["markets"], body["terms"] = []string{"US", "DE"}, []fields{{"termUnit": "P1M", "priceUSD": "10"}, {"termUnit": "P1Y", "priceUSD": "100"}}
		return call{method: http.MethodPost, path: p.one("/plans"), body: body}
	}
	seats := func(id, name string) call {
		return plan(fields{"planId": id, "name": name, "description": "By the seat.", "pricingModel": "perUser", "seatsMin": 1, "seatsMax": 500})
	}
	err := p.each(ctx,
		p.page("offerSetup", fields{"listingOption": "SellThroughMicrosoft", "leadDestination": fields{
			"leadDestination": "httpsEndpoint", "contactEmail": []string{"leads@contoso.example"}, "settings": fields{"httpsEndpointUrl": p.leads}}}),
		p.page("properties", fields{"listing": fields{"categories": []string{"analytics"}}}),
		p.page("offerListing", fields{"listing": fields{"name": p.offer.OfferID, "searchResultsSummary": "A sample to integrate with.",
			"description": "<p>A sample to integrate with.</p>", "privacyPolicyUrl": "https://contoso.example/privacy"}}),
		p.page("previewAudience", fields{"previewAudience": []string{"olga.owner@contoso.example"}}),
	)
	if err != nil {
		return err
	}
	plans := []call{seats("silver", "Silver"), seats("gold", "Gold")}
	if p.offer.Metered { // all plans of an offer have one pricing model
		plans = []call{
			p.page("planOverview", fields{"dimensions": []fields{{"dimensionId": "email", "displayName": "E-mails", "unitOfMeasure": "per 100 e-mails"}}}),
			plan(fields{"planId": "metered", "name": "Metered", "description": "A fee and what you use.", "pricingModel": "flatRate",
				"meters": []fields{{"dimensionId": "email", "enabled": true, "pricePerUnitUsd": "0.5"}}}),
		}
	}
	for _, c := range plans {
		if err := p.add(ctx, c); err != nil {
			return err
		}
	}
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 216, 216))); err != nil {
		return fmt.Errorf("draw a logo: %w", err)
	}
	if err := p.asset(ctx, "largeLogo", logo.Bytes()); err != nil {
		return err
	}
	return p.asset(ctx, "document", []byte("%PDF-1.7\n% a document\n"))
}

// asset uploads a file and puts it on the listing.
func (p *publication) asset(ctx context.Context, kind string, content []byte) error {
	var place struct {
		File      string `json:"file"`
		UploadURL string `json:"uploadUrl"`
	}
	if _, err := p.do(ctx, call{method: http.MethodPost, path: p.one("/uploads"), body: fields{"kind": kind, "fileName": kind + ".bin"}, into: &place}); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, place.UploadURL, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("upload %s: %w", kind, err)
	}
	r.Header.Set("x-ms-blob-type", "BlockBlob")
	if _, err := p.m.send(r, nil); err != nil {
		return fmt.Errorf("upload %s: %w", kind, err)
	}
	return p.each(ctx, call{method: http.MethodPut, path: p.one("/listing/assets"), body: fields{"kind": kind, "file": place.File, "name": "A file"}})
}

// The steps of a publication take seconds; what has not come in two minutes does not come.
const (
	publishTime = 2 * time.Minute
	lookAgain   = 200 * time.Millisecond
)

// reach waits until the offer has a status.
func (p *publication) reach(ctx context.Context, status string) error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	for {
		got, err := p.status(ctx)
		if err != nil {
			return err
		}
		if got == status {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("offer %s is %s, not yet %s: %w", p.offer.OfferID, got, status, ctx.Err())
		case <-time.After(lookAgain):
		}
	}
}

// status is what the overview says of the offer.
func (p *publication) status(ctx context.Context) (string, error) {
	var got struct {
		Status string `json:"status"`
	}
	_, err := p.do(ctx, call{method: http.MethodGet, path: p.one("/overview"), into: &got})
	return got.Status, err
}

// add makes something, unless it is there.
func (p *publication) add(ctx context.Context, c call) error {
	status, err := p.do(ctx, c)
	if status == http.StatusConflict {
		return nil
	}
	return err
}

func (p *publication) one(path string) string { return "/" + url.PathEscape(p.offer.OfferID) + path }

func (p *publication) page(name string, body fields) call {
	return call{method: http.MethodPut, path: p.one("/pages/" + name), body: body}
}

// each sends requests in order, until one is refused.
func (p *publication) each(ctx context.Context, calls ...call) error {
	for _, c := range calls {
		if _, err := p.do(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// do sends a request about the publisher's offers.
func (p *publication) do(ctx context.Context, c call) (int, error) {
	c.path = "/portal/v1/publishers/" + url.PathEscape(p.offer.PublisherID) + "/offers" + c.path
	return p.m.ask(ctx, p.app, c)
}

// publish takes an offer, or nothing, and answers when it is live.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	var o Offer
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if text := strings.TrimSpace(string(body)); err == nil && text != "" {
		err = strictly(text, &o)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	if o, err = s.Publish(r.Context(), o); err != nil {
		writeJSON(w, http.StatusBadGateway, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, o)
}
