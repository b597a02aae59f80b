package metering

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/web"
)

// reported reads usage back as a bare array (MTR-86 to MTR-90).
func (h *Handler) reported(w http.ResponseWriter, r *http.Request) error {
	filter, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	days, err := h.deps.Metering.Reported(r.Context(), web.Caller(r.Context()), filter)
	if err != nil {
		return err
	}
	out := make([]wireDay, len(days))
	for i, d := range days {
		out[i] = dayOf(d)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// wireDay is the usage of one day, resource, dimension and plan.
type wireDay struct {
	UsageDate           string         `json:"usageDate"`
	UsageResourceID     string         `json:"usageResourceId"`
	Dimension           string         `json:"dimension"`
	PlanID              string         `json:"planId"`
	PlanName            string         `json:"planName"` // "" while not processed (MTR-89)
	OfferID             string         `json:"offerId"`
	OfferName           string         `json:"offerName"`
	OfferType           string         `json:"offerType"`
	AzureSubscriptionID string         `json:"azureSubscriptionId"`
	ReconStatus         metering.Recon `json:"reconStatus"`
	SubmittedQuantity   json.Number    `json:"submittedQuantity"`
	ProcessedQuantity   json.Number    `json:"processedQuantity"`
	SubmittedCount      int            `json:"submittedCount"`
}

func dayOf(d metering.Day) wireDay {
	return wireDay{
		UsageDate: d.Date.UTC().Format(time.RFC3339), UsageResourceID: d.ResourceID, Dimension: d.Dimension, PlanID: d.PlanID, PlanName: d.PlanName,
		OfferID: d.OfferID, OfferName: d.OfferName, OfferType: offerTypes[d.Kind], AzureSubscriptionID: d.AzureSubscription,
		ReconStatus: d.Recon, SubmittedQuantity: number(d.Sum), ProcessedQuantity: number(d.Processed), SubmittedCount: d.Count(),
	}
}

// offerTypes are the types of offers by the kind of their resources.
var offerTypes = map[metering.Kind]string{metering.SaaSKind: offer.TypeSaaS, metering.ManagedAppKind: offer.TypeAzureApplication}

// number is a quantity with at least one decimal, as the API writes sums.
func number(d decimal.Decimal) json.Number {
	text := d.String()
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.Number(text)
}

// maxFilter bounds the ids and names of a query, in characters.
const maxFilter = 128

// parseFilter reads the query, whose names are matched without case (MTR-87).
func parseFilter(query url.Values) (f metering.Filter, err error) {
	values := map[string]string{}
	for name, list := range query {
		values[strings.ToLower(name)] = list[0]
	}
	for _, name := range []string{"offerId", "planId", "dimension", "azureSubscriptionId", "reconStatus"} {
		if utf8.RuneCountInString(values[strings.ToLower(name)]) > maxFilter {
			return f, fault.New(fault.Invalid, string(metering.BadArgument), name, "The %s may have %d characters at most.", name, maxFilter)
		}
	}
	f.Offer, f.Plan, f.Dimension, f.Recon = values["offerid"], values["planid"], values["dimension"], values["reconstatus"]
	f.AzureSubscription = values["azuresubscriptionid"]
	if f.Start, _, err = parseDate(values["usagestartdate"]); err != nil {
		return f, badDate("usageStartDate")
	}
	var wholeDay bool
	if f.End, wholeDay, err = parseDate(values["usageenddate"]); err != nil {
		return f, badDate("usageEndDate")
	}
	if wholeDay {
		f.End = f.End.AddDate(0, 0, 1)
	}
	return f, nil
}

func badDate(target string) error {
	return fault.New(fault.Invalid, string(metering.BadArgument), target, "The %s must be a date such as 2020-12-03 or 2020-12-03T15:00.", target)
}

// parseDate reads a date, or a date and time; without a zone it is UTC. Empty is the zero time.
func parseDate(text string) (t time.Time, wholeDay bool, err error) {
	if text == "" {
		return time.Time{}, false, nil
	}
	if t, err = time.Parse(time.DateOnly, text); err == nil {
		return t, true, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err = time.Parse(layout, text); err == nil {
			return t.UTC(), false, nil
		}
	}
	return time.Time{}, false, err
}
