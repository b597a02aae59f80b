package dimension

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"stoa/shared/fault"
)

// Most is how many dimensions an offer may have (MTR-9).
const Most = 30

// Codes of refusals and findings.
const (
	CodeInvalid         = "InvalidValue"
	CodeRequired        = "Required"
	CodeLimit           = "DimensionLimitExceeded"
	CodeExists          = "AlreadyExists"
	CodeNotAllowed      = "MeteringNotAllowed"
	CodeGovernment      = "MeteringNotInGovernment"
	CodeTrial           = "MeteringTrialConflict"
	CodeIdentity        = "MeteringIdentityRequired"
	CodeDimensionLocked = "DimensionLocked"
	CodePriceLocked     = "PublishedPriceLocked"
	CodeNothingToExport = "NothingToExport"
)

const (
	maxText  = 50
	workbook = "prices" // word of a path where the ID of a dimension may stand
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)

// Dimension is a billable unit of an offer, shared by all of its plans (3.1).
type Dimension struct {
	ID            string `json:"dimensionId"`
	DisplayName   string `json:"displayName"`
	UnitOfMeasure string `json:"unitOfMeasure"`
}

// check finds what can never be right about a dimension.
func (d Dimension) check() error {
	var wrong fault.Findings
	switch {
	case d.ID == "":
		wrong.Add(CodeRequired, "dimensionId", "A dimension has an ID.")
	case !idForm.MatchString(d.ID):
		wrong.Add(CodeInvalid, "dimensionId", "A dimension ID has 1 to 50 letters, digits, hyphens and underscores.")
	case strings.EqualFold(d.ID, workbook):
		wrong.Add(CodeInvalid, "dimensionId", "The ID %s is the name of the price workbook; choose another.", workbook)
	}
	for _, text := range []struct{ target, value string }{{"displayName", d.DisplayName}, {"unitOfMeasure", d.UnitOfMeasure}} {
		switch {
		case strings.TrimSpace(text.value) == "":
			wrong.Add(CodeRequired, text.target, "A value is required.")
		case utf8.RuneCountInString(text.value) > maxText:
			wrong.Add(CodeInvalid, text.target, "At most %d characters are allowed.", maxText)
		}
	}
	return wrong.Err(fault.Invalid, CodeInvalid, "Some values are not allowed.")
}

// Kind says how an offer's plans can be metered.
type Kind string

// The kinds. Offers of any other type have no custom meters (MTR-2).
const (
	SaaS             Kind = "SaaS"
	AzureApplication Kind = "AzureApplication"
	Unmetered        Kind = ""
)

// Identity is the application that may report usage of an offer (3.3).
type Identity struct {
	TenantID string
	AppID    string
}

// Offer is all of an offer that dimensions are about.
type Offer struct {
	Kind                Kind
	Transactable        bool // sold through Microsoft
	Identity            Identity
	ManagedIdentityOnly bool // usage of its managed applications is reported by their own identities only
	Dimensions          []Dimension
	Plans               []Plan
	Published           Published
}

// Plan is all of a plan that dimensions are about.
type Plan struct {
	ID               string
	SolutionTemplate bool // of an Azure application
	PerUser          bool
	Government       bool // offered in Azure Government
	FreeTrial        bool
	Private          bool
	Monthly          bool // sells a monthly term
	Annual           bool // sells an annual term
	Markets          []string
	Meters           []Meter
}

// Dimension finds a dimension; IDs are compared exactly. NotFound.
func (o *Offer) Dimension(id string) (Dimension, error) {
	i := o.at(id)
	if i < 0 {
		return Dimension{}, fault.New(fault.NotFound, "NotFound", "dimensionId", "The offer has no dimension %s.", id)
	}
	return o.Dimensions[i], nil
}

func (o *Offer) at(id string) int {
	return slices.IndexFunc(o.Dimensions, func(d Dimension) bool { return d.ID == id })
}

// Plan finds a plan, to be changed in place. NotFound.
func (o *Offer) Plan(id string) (*Plan, error) {
	i := slices.IndexFunc(o.Plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "NotFound", "planId", "The offer has no plan %s.", id)
	}
	return &o.Plans[i], nil
}

// Add adds a dimension. Invalid when it is malformed, when the offer's type has none (MTR-1, MTR-2), and for the 31st
// "DimensionLimitExceeded" (MTR-9); Conflict "AlreadyExists" when the offer has one of that ID.
func (o *Offer) Add(d Dimension) error {
	if err := o.sells(); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	if o.at(d.ID) >= 0 {
		return exists(d.ID)
	}
	if len(o.Dimensions) >= Most { // MTR-9: whether or not a plan has them enabled
		return fault.New(fault.Invalid, CodeLimit, "dimensions", "An offer has at most %d dimensions.", Most)
	}
	o.Dimensions = append(o.Dimensions, d)
	return nil
}

func exists(id string) error {
	return fault.New(fault.Conflict, CodeExists, "dimensionId", "The offer has a dimension %s.", id)
}

// sells refuses offers that are never metered.
func (o *Offer) sells() error {
	switch {
	case o.Kind == Unmetered: // MTR-2
		return fault.New(fault.Invalid, CodeNotAllowed, "offerId", "Offers of this type have no dimensions.")
	case o.Kind == SaaS && !o.Transactable: // MTR-1
		return fault.New(fault.Invalid, CodeNotAllowed, "offerId", "Only offers that are sold through Microsoft have dimensions.")
	}
	return nil
}

// Change gives a dimension a new ID, name or unit, for all plans at once (MTR-10). Conflict "DimensionLocked" once it
// has been live (MTR-11).
func (o *Offer) Change(id string, to Dimension) error {
	at := o.at(id)
	if at < 0 {
		_, err := o.Dimension(id)
		return err
	}
	if err := to.check(); err != nil {
		return err
	}
	if was, ok := o.Published.dimension(id); ok && was != to {
		return lockedDimension(id)
	}
	if to.ID != id && o.at(to.ID) >= 0 {
		return exists(to.ID)
	}
	o.Dimensions[at] = to
	for i := range o.Plans {
		for j := range o.Plans[i].Meters {
			if m := &o.Plans[i].Meters[j]; m.DimensionID == id {
				m.DimensionID = to.ID
			}
		}
	}
	return nil
}

// Remove removes a dimension and its meters from all plans. Conflict "DimensionLocked" once it has been live (MTR-17).
func (o *Offer) Remove(id string) error {
	at := o.at(id)
	if at < 0 {
		_, err := o.Dimension(id)
		return err
	}
	if _, ok := o.Published.dimension(id); ok {
		return lockedDimension(id)
	}
	o.Dimensions = slices.Delete(slices.Clone(o.Dimensions), at, at+1)
	for i := range o.Plans {
		p := &o.Plans[i]
		p.Meters = slices.DeleteFunc(slices.Clone(p.Meters), func(m Meter) bool { return m.DimensionID == id })
	}
	return nil
}
