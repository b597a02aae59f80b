package offers

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/dimension"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

// Storefront mounts what anyone may see of live offers.
func (h *Handler) Storefront(g *web.Group) {
	g.Handle(http.MethodGet, "/storefront/v1/offers", web.Open(), h.browse)
	g.Handle(http.MethodGet, "/storefront/v1/offers/{publisherId}/{offerId}", web.Open(), h.show)
}

type card struct {
	PublisherID   string   `json:"publisherId"`
	OfferID       string   `json:"offerId"`
	OfferType     string   `json:"offerType"`
	Name          string   `json:"name"`
	Summary       string   `json:"searchResultsSummary"`
	Categories    []string `json:"categories"`
	ListingOption string   `json:"listingOption,omitempty"`
	TestDrive     bool     `json:"hasTestDrive"`
	LargeLogo     string   `json:"largeLogo,omitempty"`
}

type shownPlan struct {
	ID           string           `json:"planId"`
	Name         string           `json:"name"`
	Description  string           `json:"description"`
	PricingModel string           `json:"pricingModel,omitempty"`
	Markets      []string         `json:"markets,omitempty"`
	Terms        []offer.PlanTerm `json:"terms,omitempty"`
	SeatsMin     int              `json:"seatsMin,omitempty"`
	SeatsMax     int              `json:"seatsMax,omitempty"`
	FreeTrial    bool             `json:"freeTrial"`
	Meters       []shownMeter     `json:"meters,omitempty"`
}

// shownMeter is a dimension that is enabled on a plan (MTR-15).
type shownMeter struct {
	DimensionID  string                     `json:"dimensionId"`
	PriceUSD     decimal.Decimal            `json:"pricePerUnitUsd"`
	Prices       map[string]decimal.Decimal `json:"marketPrices,omitempty"` // those that differ, in the market's currency
	Monthly      included                   `json:"monthlyIncluded"`
	Annual       included                   `json:"annualIncluded"`
	NeverCharged bool                       `json:"neverCharged,omitempty"`
}

// included is a whole number, or "infinite".
type included dimension.Included

// MarshalJSON implements json.Marshaler.
func (i included) MarshalJSON() ([]byte, error) {
	if i.Infinite {
		return json.Marshal(dimension.Included(i).String())
	}
	return json.Marshal(i.Units)
}

type detail struct {
	card
	Description   string            `json:"description"`
	Keywords      []string          `json:"searchKeywords,omitempty"`
	PrivacyPolicy string            `json:"privacyPolicyUrl"`
	Terms         string            `json:"termsAndConditions,omitempty"`
	Documents     []link            `json:"documents,omitempty"`
	Plans         []shownPlan       `json:"plans"`
	Dimensions    []offer.Dimension `json:"dimensions,omitempty"`
	TestDrive     *shownTestDrive   `json:"testDrive,omitempty"`
	OfferURL      string            `json:"offerUrl,omitempty"`
	TrialURL      string            `json:"trialUrl,omitempty"`
	Version       int               `json:"version"`

	AppVersion  string             `json:"appVersion,omitempty"`
	Start       string             `json:"gettingStarted,omitempty"`
	SupportURL  string             `json:"supportUrl,omitempty"` // the rest of the contacts is not for customers
	UsefulLinks []offer.UsefulLink `json:"usefulLinks,omitempty"`
	Screenshots []link             `json:"screenshots,omitempty"`
	Videos      []shownVideo       `json:"videos,omitempty"`
}

type shownVideo struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	Thumbnail string `json:"thumbnail,omitempty"`
}

type link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type shownTestDrive struct {
	Type          string `json:"type"`
	DurationHours int    `json:"durationHours"`
}

// cardOf shows a version in a list. A logo link that cannot be made is left out.
func (h *Handler) cardOf(v offer.Version) card {
	out := card{
		PublisherID: v.PublisherID, OfferID: v.OfferID, OfferType: v.OfferType, Name: v.Listing.Name, Summary: v.Listing.Summary,
		Categories: append([]string{}, v.Listing.Categories...), ListingOption: v.ListingOption, TestDrive: v.TestDrive.Enabled,
	}
	if v.Listing.LargeLogo != "" {
		if url, err := h.deps.Links.DownloadLink(mediaContainer, v.Listing.LargeLogo, mediaLife); err == nil {
			out.LargeLogo = url
		}
	}
	return out
}

const mediaLife = 24 * time.Hour

// browse lists live offers, one page at a time. Offers with private plans only are found by nobody (SAS-49).
func (h *Handler) browse(w http.ResponseWriter, r *http.Request) error {
	const scope = "storefront/offers"
	after, err := h.deps.Pages.Decode(scope, r.URL.Query().Get("continuation"))
	if err != nil {
		return err
	}
	versions, next, err := h.deps.Catalogue.LiveOffers(r.Context(), after, pageSize)
	if err != nil {
		return err
	}
	items := []card{}
	for _, v := range versions {
		if visible(&v) {
			items = append(items, h.cardOf(v))
		}
	}
	return web.WriteJSON(w, http.StatusOK, listing[card]{Items: items, Continuation: h.deps.Pages.Encode(scope, next)})
}

func visible(v *offer.Version) bool {
	return len(v.Plans) == 0 || slices.ContainsFunc(v.Plans, func(p offer.Plan) bool { return !p.Private })
}

// show answers one live offer, or its preview to whoever holds the preview link (SAS-28). Private plans and what
// only the publisher needs are left out.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	publisherID, offerID := r.PathValue("publisherId"), r.PathValue("offerId")
	slot, err := offer.ParseSlot(r.URL.Query().Get("slot"))
	if err != nil {
		return err
	}
	read := h.deps.Catalogue.Live
	if slot == offer.Preview {
		read = h.deps.Catalogue.InPreview
	}
	v, err := read(r.Context(), publisherID, offerID)
	if err != nil {
		return err
	}
	if v.Slot == offer.Production && (v.Withdrawn || !visible(&v)) { // PUB-53
		return fault.New(fault.NotFound, "NotFound", "offerId", "There is no offer %s.", offerID)
	}
	return web.WriteJSON(w, http.StatusOK, h.detailOf(v))
}

func (h *Handler) detailOf(v offer.Version) detail {
	out := detail{
		card: h.cardOf(v), Description: v.Listing.Description, Keywords: v.Listing.Keywords, PrivacyPolicy: v.Listing.PrivacyPolicy,
		Terms: v.Listing.Terms, Plans: []shownPlan{}, OfferURL: v.OfferURL, TrialURL: v.TrialURL, Version: v.Number,
	}
	if v.TestDrive.Enabled {
		out.TestDrive = &shownTestDrive{Type: v.TestDrive.Kind, DurationHours: v.TestDrive.DurationHours}
	}
	for _, f := range v.Listing.Documents {
		if url, err := h.deps.Links.DownloadLink(mediaContainer, f.Blob, mediaLife); err == nil {
			out.Documents = append(out.Documents, link{Name: f.Name, URL: url})
		}
	}
	h.showListing(&out, &v.Listing)
	h.showPlans(&out, &v)
	return out
}

// showPlans adds the plans that anyone may see, and the dimensions that are enabled on one of them (MTR-15).
func (h *Handler) showPlans(out *detail, v *offer.Version) {
	metered, enabled := v.Metered(nil), map[string]bool{}
	for i, p := range v.Plans {
		if (p.Private && v.Slot == offer.Production) || p.Stopped {
			continue
		}
		shown := shownPlan{
			ID: p.ID, Name: p.Name, Description: p.Description, PricingModel: p.PricingModel, Markets: p.Markets, Terms: p.Terms,
			SeatsMin: p.SeatsMin, SeatsMax: p.SeatsMax, FreeTrial: p.FreeTrial,
		}
		plan := &metered.Plans[i]
		for _, d := range metered.Shown(plan, "") {
			enabled[d.ID] = true
			m := shownMeter{DimensionID: d.ID, PriceUSD: d.Price, Monthly: included(d.Monthly), Annual: included(d.Annual), NeverCharged: d.NeverCharged}
			if meter, _ := plan.Meter(d.ID); !d.NeverCharged {
				m.Prices = meter.LocalPrices()
			}
			shown.Meters = append(shown.Meters, m)
		}
		out.Plans = append(out.Plans, shown)
	}
	for _, d := range v.Dimensions {
		if enabled[d.ID] {
			out.Dimensions = append(out.Dimensions, d)
		}
	}
}

// showListing adds what the listing has beside its texts. A link that cannot be made is left out.
func (h *Handler) showListing(out *detail, l *offer.Listing) {
	out.AppVersion, out.Start, out.UsefulLinks = l.AppVersion, l.Start, l.UsefulLinks
	if l.Support != nil {
		out.SupportURL = l.Support.SupportURL
	}
	media := func(blob string) string {
		url, err := h.deps.Links.DownloadLink(mediaContainer, blob, mediaLife)
		if err != nil {
			return ""
		}
		return url
	}
	for _, s := range l.Screenshots {
		if url := media(s.Blob); url != "" {
			out.Screenshots = append(out.Screenshots, link{Name: s.Caption, URL: url})
		}
	}
	for _, video := range l.Videos {
		out.Videos = append(out.Videos, shownVideo{Name: video.Name, URL: video.URL, Thumbnail: media(video.Thumbnail)})
	}
}
