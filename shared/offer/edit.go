package offer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

var offerID = regexp.MustCompile(`^[a-z0-9_-]{1,50}$`)

// NewOffer is what creating an offer takes.
type NewOffer struct {
	PublisherID string
	OfferID     string
	OfferType   string
	Alias       string
	TestOffer   bool
}

// New makes an offer with an empty draft.
func New(in NewOffer, now time.Time) (Offer, error) {
	var wrong fault.Findings
	if !offerID.MatchString(in.OfferID) { // SAS-1
		wrong.Add(CodeInvalid, "offerId", "An offer ID has 1 to 50 lowercase letters, digits, hyphens and underscores.")
	}
	t, ok := TypeOf(in.OfferType)
	if !ok {
		wrong.Add(CodeInvalid, "offerType", "There is no such offer type.")
	}
	if n := len([]rune(in.Alias)); ok && t.AliasFixed && (n < 1 || n > 50) {
		wrong.Add(CodeInvalid, "alias", "An alias has 1 to 50 characters.")
	}
	if err := wrong.Err(fault.Invalid, CodeInvalid, "Some values are not allowed."); err != nil {
		return Offer{}, err
	}
	o := Offer{
		Content: Content{PublisherID: in.PublisherID, OfferID: in.OfferID, OfferType: t.ID, Alias: in.Alias, TestOffer: in.TestOffer},
		Status:  StatusDraft, CreatedAt: now.UTC(), ProductID: GUID("product", in.PublisherID, in.OfferID),
	}
	o.touch(now)
	return o, nil
}

// Edit changes the draft: change gets a copy and the copy becomes the draft when nothing in it is malformed and
// nothing that is fixed has changed. The names of new plans come back for the history.
func (o *Offer) Edit(now time.Time, change func(*Content) error) (added []string, err error) {
	if o.Status == StatusPendingStopDistribution { // PUB-39
		return nil, fault.New(fault.Conflict, "InvalidOfferState", "", "The offer is about to leave the marketplace and cannot be edited.")
	}
	next, err := o.clone()
	if err != nil {
		return nil, err
	}
	if err := change(&next); err != nil {
		return nil, err
	}
	if err := checkMalformed(&next); err != nil {
		return nil, err
	}
	if err := checkFixed(o, &next); err != nil {
		return nil, err
	}
	for _, p := range next.Plans {
		if _, was := o.Plan(p.ID); !was {
			added = append(added, p.Name)
		}
	}
	next.rankLinks()
	next.recordLinks(o.LinksRecorded, now)
	o.Content = next
	o.touch(now)
	return added, nil
}

func checkMalformed(c *Content) error {
	return refuse(distinct(append(malformedFields(c.OfferType, document(c)), crossFindings(c)...)))
}

// refuse is the fault of what is malformed among the findings.
func refuse(findings []Finding) error {
	var wrong fault.Findings
	for _, f := range findings {
		if f.Malformed {
			wrong = append(wrong, fault.Detail{Code: f.Code, Target: f.Field, Message: f.Message})
		}
	}
	return wrong.Err(fault.Invalid, CodeInvalid, "Some values are not allowed.")
}

// SetPage merges the fields of one page into the content. Members that belong to other pages are ignored.
func (c *Content) SetPage(id string, patch map[string]any) error {
	doc := document(c)
	t, _ := TypeOf(c.OfferType)
	p := rules.page(id)
	if p == nil || !slices.Contains(t.Pages, id) {
		return fault.New(fault.NotFound, "NotFound", "page", "Offers of this type have the pages %s.", strings.Join(t.Pages, ", "))
	}
	if !holds(p.Only, doc, nil) && id != "testDrive" { // SAS-5; the test drive page itself turns the test drive on
		return fault.New(fault.Conflict, "PageNotAvailable", "page", "The offer has no page %s as it is set up now.", id)
	}
	return c.setDocument(merge(doc, ownMembers(p, patch)))
}

// ownMembers keeps what the page owns of a patch: whole members, or the named fields of a shared object.
func ownMembers(p *page, patch map[string]any) map[string]any {
	own := map[string]any{}
	for _, f := range p.Fields {
		copyMember(own, patch, owned(f.Path, savedByField))
	}
	if p.ID == pageSetup {
		copyMember(own, patch, []string{"testDrive"})
		copyMember(own, patch, []string{"isTestOffer"})
	}
	return own
}

func copyMember(into, from map[string]any, segments []string) {
	v, ok := from[segments[0]]
	if !ok {
		return
	}
	if len(segments) == 1 {
		into[segments[0]] = v
		return
	}
	inner, ok := v.(map[string]any)
	if !ok {
		into[segments[0]] = v // of a wrong type: refused when the content is decoded
		return
	}
	below, _ := into[segments[0]].(map[string]any)
	if below == nil {
		below = map[string]any{}
		into[segments[0]] = below
	}
	copyMember(below, inner, segments[1:])
}

// setDocument reads the content back from its document. The fields are looked at first: a number that nobody can
// compute with never gets into the content.
func (c *Content) setDocument(doc map[string]any) error {
	if err := refuse(malformedFields(c.OfferType, doc)); err != nil {
		return err
	}
	next, err := decodeContent(doc)
	if err != nil {
		return wrongType(err)
	}
	if err := next.checkAmounts(); err != nil {
		return err
	}
	if err := next.keepPrices(c.Plans); err != nil {
		return err
	}
	*c = next
	return nil
}

// checkAmounts refuses amounts that the look at the fields has missed, because their names were written in other
// letters. It must come before anything writes them out.
func (c *Content) checkAmounts() error {
	sane := func(d decimal.Decimal) bool { return d.Exponent() <= maxScale && d.Exponent() >= -maxScale }
	for i, p := range c.Plans {
		for j, t := range p.Terms {
			ok := sane(t.PriceUSD)
			for _, price := range t.Prices {
				ok = ok && sane(price)
			}
			if !ok {
				return fault.New(fault.Invalid, CodeInvalid, fmt.Sprintf("plans[%d].terms[%d]", i, j), "A price may have at most %d decimals.", maxScale)
			}
		}
		for j, m := range p.Meters {
			ok := sane(m.PricePerUnitUSD)
			for _, price := range m.Prices {
				ok = ok && sane(price.Price)
			}
			if !ok {
				return fault.New(fault.Invalid, CodeInvalid, fmt.Sprintf("plans[%d].meters[%d]", i, j), "A price may have at most %d decimals.", maxScale)
			}
		}
	}
	return nil
}

// CodeType is the code of a value of a wrong JSON type.
const CodeType = "InvalidType"

func wrongType(err error) error {
	var t *json.UnmarshalTypeError
	if !errors.As(err, &t) {
		return fault.New(fault.Invalid, CodeType, "", "A value has a wrong type.").Because(err)
	}
	return fault.New(fault.Invalid, CodeType, t.Field, "The value must be %s.", wanted(t.Type)).Because(err)
}

// wanted is what a value of a Go type must be in JSON.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number"
}

// SetPlan merges a patch into the plan of that id, which is added when it is new.
func (c *Content) SetPlan(id string, patch map[string]any) error {
	if given, ok := patch["planId"]; ok && given != id { // SAS-34: fixed at create
		return fault.New(fault.Invalid, "ImmutableField", "planId", "The plan ID was fixed when the plan was created.")
	}
	if stop, _ := patch["stopped"].(bool); stop { // PUB-51 has conditions
		return fault.New(fault.Invalid, CodeInvalid, "stopped", "The distribution of a plan is stopped with an act of its own.")
	}
	doc := document(c)
	plans, _ := doc["plans"].([]any)
	at := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == id })
	if at < 0 {
		at, plans = len(plans), append(plans, map[string]any{})
	}
	before, _ := plans[at].(map[string]any)
	plan := merge(before, patch)
	plan["planId"] = id
	plans[at], doc["plans"] = plan, plans
	return c.setDocument(doc)
}

// RemovePlan removes a plan that was never published; checkFixed refuses the others.
func (c *Content) RemovePlan(id string) error {
	at := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == id })
	if at < 0 {
		return fault.New(fault.NotFound, "NotFound", "planId", "The offer has no plan %s.", id)
	}
	c.Plans = slices.Delete(c.Plans, at, at+1)
	return nil
}
