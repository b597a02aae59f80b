package offers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Limits of a definition, where the contract has none.
const (
	maxDisplayText = 50 // characters, as the alias of an offer
	maxKeyName     = 256
	maxSetting     = 4096    // characters of a setting of a lead destination
	maxValue       = 100_000 // bytes of one value's JSON
	maxDefinition  = 400_000 // bytes of the JSON of all values; a draft has to fit into a row
)

// textLimits are the keys whose values are texts that the domain reads, with their most characters.
var textLimits = map[string]int{
	keyTitle: 200, keySummary: 100, keyDescription: 10_000, keyPrivacy: 2048, keyTerms: 100_000, keyDestination: 50,
	"planId": 50, prefixVM + "skuTitle": 200, prefixVM + "skuDescription": 5000,
}

// checkSizes refuses what is too large to be kept, before anything is looked at.
func (in *cppPut) checkSizes() error {
	if in.Definition == nil {
		return nil
	}
	if utf8.RuneCountInString(in.Definition.DisplayText) > maxDisplayText {
		return fault.New(fault.Invalid, "BadRequest", "definition.displayText", "At most %d characters are allowed.", maxDisplayText)
	}
	total := 0
	check := func(place string, keys map[string]json.RawMessage) error {
		for name, value := range keys {
			total += len(name) + len(value)
			switch {
			case utf8.RuneCountInString(name) > maxKeyName:
				return fault.New(fault.Invalid, "BadRequest", place, "The name of a key may have at most %d characters.", maxKeyName)
			case len(value) > maxValue:
				return fault.New(fault.Invalid, "BadRequest", place+"."+name, "A value may have at most %d bytes.", maxValue)
			}
		}
		return nil
	}
	if err := check("definition.offer", in.Definition.Offer); err != nil {
		return err
	}
	for i, plan := range in.Definition.Plans {
		if err := check(fmt.Sprintf("definition.plans[%d]", i), plan); err != nil {
			return err
		}
	}
	if total > maxDefinition {
		return fault.New(fault.Invalid, "BadRequest", "definition", "The definition may have at most %d bytes.", maxDefinition)
	}
	return nil
}

// checkTexts refuses a value that is no text, or too long a one, where the domain reads a text.
func checkTexts(place string, keys map[string]json.RawMessage) error {
	for name, limit := range textLimits {
		raw := bytes.TrimSpace(keys[name])
		switch {
		case len(raw) == 0 || string(raw) == "null":
		case raw[0] != '"':
			return fault.New(fault.Invalid, "BadRequest", place+"."+name, "The value must be a string.")
		case utf8.RuneCountInString(text(raw)) > limit:
			return fault.New(fault.Invalid, "BadRequest", place+"."+name, "At most %d characters are allowed.", limit)
		}
	}
	return nil
}

// destinations are the names of the lead destinations in the portal API.
func destinations() string {
	var names []string
	for _, d := range offer.Destinations() {
		names = append(names, d.CPP)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// apply makes the content of the body. Absent keys are removed, secrets are kept (CPP-25, CPP-29).
func (in *cppPut) apply(c *offer.Content, t offer.OfferType) error {
	if c.OfferType != t.ID {
		return fault.New(fault.Invalid, "ImmutableField", "offerTypeId", "The offer type was fixed when the offer was created.")
	}
	keys := canonicalKeys(in.Definition.Offer, cppKeys.offer)
	if err := checkTexts("definition.offer", keys); err != nil {
		return err
	}
	lead, err := takeDestination(keys, c.LeadDestination)
	if err != nil {
		return err
	}
	plans := make([]map[string]json.RawMessage, len(in.Definition.Plans))
	next := make([]offer.Plan, len(plans))
	for i, p := range in.Definition.Plans {
		plans[i] = canonicalKeys(p, cppKeys.plans)
		if err := checkTexts(fmt.Sprintf("definition.plans[%d]", i), plans[i]); err != nil {
			return err
		}
		next[i] = offer.Plan{ID: text(plans[i]["planId"]), Name: text(plans[i][prefixVM+"skuTitle"]), Description: text(plans[i][prefixVM+"skuDescription"])}
	}
	raw, err := json.Marshal(cppDefinition{Offer: keys, Plans: plans})
	if err != nil {
		return fmt.Errorf("definition of %s: %w", c.OfferID, err)
	}
	c.Alias, c.Plans, c.Definition, c.LeadDestination = in.Definition.DisplayText, next, raw, lead
	c.Listing = offer.Listing{
		Name: text(keys[keyTitle]), Summary: text(keys[keySummary]), Description: text(keys[keyDescription]),
		PrivacyPolicy: text(keys[keyPrivacy]), Terms: text(keys[keyTerms]),
	}
	return nil
}

// takeDestination moves the lead destination and its settings out of the keys.
func takeDestination(keys map[string]json.RawMessage, stored offer.LeadDestination) (offer.LeadDestination, error) {
	name := text(keys[keyDestination])
	d, ok := offer.DestinationOf(name)
	if !ok {
		return stored, fault.New(fault.Invalid, "BadRequest", "definition.offer."+keyDestination, "The lead destination must be one of %s.", destinations())
	}
	lead := offer.LeadDestination{Kind: d.ID, ContactEmail: stored.ContactEmail, SealedSecrets: stored.SealedSecrets, Settings: map[string]string{}}
	if raw := keys[d.Config]; d.Config != "" && len(raw) > 0 {
		var settings map[string]any
		if err := json.Unmarshal(raw, &settings); err != nil {
			return stored, fault.New(fault.Invalid, "BadRequest", "definition.offer."+d.Config, "The settings of a lead destination are an object.")
		}
		for k, v := range settings {
			switch v.(type) {
			case nil:
				continue
			case map[string]any, []any:
				return stored, fault.New(fault.Invalid, "BadRequest", "definition.offer."+d.Config+"."+k, "A setting of a lead destination is a text.")
			}
			if lead.Settings[k] = fmt.Sprint(v); utf8.RuneCountInString(lead.Settings[k]) > maxSetting {
				return stored, fault.New(fault.Invalid, "BadRequest", "definition.offer."+d.Config+"."+k, "At most %d characters are allowed.", maxSetting)
			}
		}
	}
	delete(keys, keyDestination)
	for _, kind := range offer.Destinations() {
		delete(keys, kind.Config)
	}
	return lead, nil
}

// text is the text of a JSON string, "" of anything else.
func text(raw json.RawMessage) string {
	var s string
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
