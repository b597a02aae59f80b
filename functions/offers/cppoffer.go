package offers

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
)

//go:embed cppkeys.json
var cppKeysJSON []byte

// keyBook knows the canonical spelling of keys, by their lower-case form (CPP-28).
type keyBook struct{ offer, plans map[string]string }

var cppKeys = loadKeys(cppKeysJSON)

func loadKeys(raw []byte) keyBook {
	var file struct {
		Offer   []string          `json:"offer"`
		Plans   []string          `json:"plans"`
		Aliases map[string]string `json:"aliases"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("cppkeys.json: %v", err))
	}
	index := func(keys []string) map[string]string {
		out := map[string]string{}
		for _, k := range keys {
			out[strings.ToLower(k)] = k
		}
		for alias, k := range file.Aliases {
			if out[strings.ToLower(k)] != "" {
				out[strings.ToLower(alias)] = k
			}
		}
		return out
	}
	return keyBook{offer: index(file.Offer), plans: index(append(file.Plans, "planId"))}
}

func canonicalKeys(in map[string]json.RawMessage, book map[string]string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for k, v := range in {
		if known := book[strings.ToLower(k)]; known != "" {
			k = known
		}
		out[k] = v
	}
	return out
}

// The shared keys that the domain knows.
const (
	prefixMarketplace = "microsoft-azure-marketplace."
	keyTitle          = prefixMarketplace + "title"
	keySummary        = prefixMarketplace + "summary"
	keyDescription    = prefixMarketplace + "description"
	keyPrivacy        = prefixMarketplace + "privacyURL"
	keyTerms          = prefixMarketplace + "termsOfUse"
	keyDestination    = prefixMarketplace + "leadDestination"
	keyTestDriveVideo = "microsoft-azure-marketplace-testdrive.videos"
	prefixVM          = "microsoft-azure-virtualmachines."
)

type cppDefinition struct {
	DisplayText string                       `json:"displayText"`
	Offer       map[string]json.RawMessage   `json:"offer,omitempty"`
	Plans       []map[string]json.RawMessage `json:"plans,omitempty"`
}

type cppSummary struct {
	OfferTypeID string        `json:"offerTypeId"`
	PublisherID string        `json:"publisherId"`
	Status      string        `json:"status"`
	Migration   string        `json:"pcMigrationStatus"`
	ID          string        `json:"id"`
	Version     int           `json:"version"`
	Definition  cppDefinition `json:"definition"`
	ChangedTime string        `json:"changedTime"`
}

const cppTime = "2006-01-02T15:04:05.0000000Z"

func summary(o *offer.Offer, sub *publish.Submission) cppSummary {
	t, _ := offer.TypeOf(o.OfferType)
	return cppSummary{
		OfferTypeID: t.CPPID, PublisherID: o.PublisherID, Status: cppStatusOf(sub), Migration: "migrated", ID: o.OfferID,
		Version: o.Version, Definition: cppDefinition{DisplayText: o.Alias}, ChangedTime: o.ChangedAt.UTC().Format(cppTime),
	}
}

// cppOfferOf is the offer with the definition of one content: the draft's or that of a version.
func cppOfferOf(o *offer.Offer, sub *publish.Submission, c *offer.Content, version int) (cppSummary, error) {
	out := summary(o, sub)
	out.Version = version
	definition, err := definitionOf(c)
	out.Definition = definition
	return out, err
}

// definitionOf renders a content. Secrets are not among the settings and so never come out (CPP-23).
func definitionOf(c *offer.Content) (cppDefinition, error) {
	out := cppDefinition{DisplayText: c.Alias, Offer: map[string]json.RawMessage{}, Plans: []map[string]json.RawMessage{}}
	if len(c.Definition) > 0 {
		if err := json.Unmarshal(c.Definition, &out); err != nil {
			return out, fmt.Errorf("definition of %s: %w", c.OfferID, err)
		}
		out.DisplayText = c.Alias
	} else {
		out.fill(c)
	}
	d, _ := offer.DestinationOf(c.LeadDestination.Kind)
	out.set(keyDestination, d.CPP)
	for _, kind := range offer.Destinations() { // CPP-30: {} when unused
		if kind.Config == "" {
			continue
		}
		settings := map[string]string{}
		if kind.ID == d.ID {
			for k, v := range c.LeadDestination.Settings {
				settings[k] = v
			}
		}
		out.set(kind.Config, settings)
	}
	if out.Offer[keyTestDriveVideo] == nil {
		out.set(keyTestDriveVideo, []string{})
	}
	if c.OfferType == "VirtualMachine" {
		for _, p := range out.Plans {
			if p[prefixVM+"certificationsFairfax"] == nil {
				p[prefixVM+"certificationsFairfax"] = json.RawMessage("[]")
			}
		}
	}
	return out, nil
}

func (d *cppDefinition) set(key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", v, err)) // texts and lists of texts
	}
	d.Offer[key] = raw
}

// fill renders a content that has no definition of its own.
func (d *cppDefinition) fill(c *offer.Content) {
	d.set(keyTitle, c.Listing.Name)
	d.set(keySummary, c.Listing.Summary)
	d.set(keyDescription, c.Listing.Description)
	d.set(keyPrivacy, c.Listing.PrivacyPolicy)
	d.set(keyTerms, c.Listing.Terms)
	d.set(prefixMarketplace+"categories", append([]string{}, c.Listing.Categories...))
	for _, p := range c.Plans {
		plan := cppDefinition{Offer: map[string]json.RawMessage{}}
		plan.set("planId", p.ID)
		plan.set("title", p.Name)
		plan.set("description", p.Description)
		plan.set("regions", append([]string{}, p.Markets...))
		d.Plans = append(d.Plans, plan.Offer)
	}
}

// cppPut is the body of a PUT. Version, status, changedTime and eTag are ignored (CPP-27).
type cppPut struct {
	PublisherID string         `json:"publisherId"`
	ID          string         `json:"id"`
	OfferTypeID string         `json:"offerTypeId"`
	Definition  *cppDefinition `json:"definition"`
}

// check compares the body with the path (CPP-26).
func (in *cppPut) check(d offer.DraftRef) (offer.OfferType, error) {
	bad := func(target, format string, args ...any) (offer.OfferType, error) {
		return offer.OfferType{}, fault.New(fault.Invalid, "BadRequest", target, format, args...)
	}
	t, known := offer.TypeOf(in.OfferTypeID)
	switch {
	case in.OfferTypeID == "":
		return bad("offerTypeId", "The argument: 'OfferTypeId' cannot be null or empty.")
	case in.PublisherID != d.PublisherID:
		return bad("publisherId", "The publisherId must equal the one of the path.")
	case in.ID != d.OfferID:
		return bad("id", "The id must equal the one of the path.")
	case !known:
		return bad("offerTypeId", "There is no offer type %s.", in.OfferTypeID)
	case !t.CPPWrites:
		return t, notServed()
	case in.Definition == nil || in.Definition.DisplayText == "":
		return bad("definition.displayText", "The definition and its displayText are required.")
	}
	return t, nil
}

// ticks is a time in 100-ns steps since the year 1, which the list of submissions calls version.
func ticks(t time.Time) int64 {
	const toUnix = 62_135_596_800
	return (t.Unix()+toUnix)*10_000_000 + int64(t.Nanosecond()/100)
}
