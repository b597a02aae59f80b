package offer

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

//go:embed pages.json
var pagesJSON []byte

// OfferType is one type of offer.
type OfferType struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Phases     string   `json:"phases"`    // the type's name in publish-phases.json
	CPPID      string   `json:"cppId"`     // the type's id in the portal API
	CPPWrites  bool     `json:"cppWrites"` // whether the portal API may write offers of the type
	Plans      bool     `json:"plans"`
	AliasFixed bool     `json:"aliasFixed"`
	Pages      []string `json:"pages"`
}

// Destination is one kind of lead destination with the names of its settings.
type Destination struct {
	ID       string   `json:"id"`
	CPP      string   `json:"cpp"`     // value of the portal API's leadDestination
	Config   string   `json:"config"`  // key of its settings in the portal API
	Contact  bool     `json:"contact"` // needs the address of a person
	Secrets  []string `json:"secrets"`
	Required []string `json:"required"`
	Aliases  []string `json:"aliases"`
}

type condition struct {
	Path    string   `json:"path"`
	In      []string `json:"in"`
	Present bool     `json:"present"` // anything at all, in place of the values
}

type field struct {
	Path      string           `json:"path"`
	OfferType string           `json:"offerType"` // only for this type
	Required  bool             `json:"required"`
	Empty     []string         `json:"empty"` // values that count as nothing
	MaxLength int              `json:"maxLength"`
	MaxItems  int              `json:"maxItems"`
	Distinct  bool             `json:"distinct"`
	Minimum   *decimal.Decimal `json:"minimum"`
	Maximum   *decimal.Decimal `json:"maximum"`
	Pattern   string           `json:"pattern"`
	Format    string           `json:"format"`
	Enum      []string         `json:"enum"`
	List      string           `json:"list"`
	When      []condition      `json:"when"`
	Code      string           `json:"code"`
	Rule      string           `json:"rule"`
	Message   string           `json:"message"`

	pattern *regexp.Regexp
}

type page struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Only   []condition `json:"only"` // the page exists when one holds
	Fields []*field    `json:"fields"`
}

type ruleBook struct {
	Comment      string              `json:"comment"`
	OfferTypes   []OfferType         `json:"offerTypes"`
	Destinations []Destination       `json:"leadDestinations"`
	Lists        map[string][]string `json:"lists"`
	Pages        []page              `json:"pages"`
}

var rules = loadRules(pagesJSON)

func loadRules(raw []byte) ruleBook {
	var book ruleBook
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&book); err != nil {
		panic(fmt.Sprintf("pages.json: %v", err))
	}
	for _, p := range book.Pages {
		for _, f := range p.Fields {
			if f.Pattern != "" {
				f.pattern = regexp.MustCompile(f.Pattern)
			}
			if f.List != "" && len(book.Lists[f.List]) == 0 {
				panic(fmt.Sprintf("pages.json: list %q of %s is not there", f.List, f.Path))
			}
			if f.Format != "" && formats[f.Format] == nil {
				panic(fmt.Sprintf("pages.json: no format %q of %s", f.Format, f.Path))
			}
		}
	}
	return book
}

func (b *ruleBook) page(id string) *page {
	for i := range b.Pages {
		if b.Pages[i].ID == id {
			return &b.Pages[i]
		}
	}
	return nil
}

// Types are the offer types, in their order.
func Types() []OfferType { return slices.Clone(rules.OfferTypes) }

// TypeOf finds an offer type by its id or by its id in the portal API, without regard to case.
func TypeOf(id string) (OfferType, bool) {
	for _, t := range rules.OfferTypes {
		if strings.EqualFold(t.ID, id) || strings.EqualFold(t.CPPID, id) {
			return t, true
		}
	}
	return OfferType{}, false
}

// DestinationOf finds a kind of lead destination by its id, its portal API name or an alias.
func DestinationOf(name string) (Destination, bool) {
	if name == "" {
		name = "none"
	}
	for _, d := range rules.Destinations {
		if strings.EqualFold(d.ID, name) || strings.EqualFold(d.CPP, name) ||
			slices.ContainsFunc(d.Aliases, func(a string) bool { return strings.EqualFold(a, name) }) {
			return d, true
		}
	}
	return Destination{}, false
}

// Destinations are the kinds of lead destination.
func Destinations() []Destination { return slices.Clone(rules.Destinations) }

// PageStatus says how far a page is (3.3).
type PageStatus string

// The page statuses.
const (
	NotStarted         PageStatus = "NotStarted"
	Incomplete         PageStatus = "Incomplete"
	Complete           PageStatus = "Complete"
	UnpublishedChanges PageStatus = "UnpublishedChanges"
)

// Page is one page of an offer as the review shows it. It is computed on every read, never stored (PUB-2).
type Page struct {
	ID       string
	Name     string
	Status   PageStatus
	Findings []Finding
}

// Ready reports whether the page may be published (PUB-4).
func (p Page) Ready() bool { return p.Status == Complete || p.Status == UnpublishedChanges }

// Pages computes the pages of the draft.
func (o *Offer) Pages() []Page {
	doc := document(&o.Content)
	findings := distinct(append(engineFindings(&o.Content, doc), crossFindings(&o.Content)...))
	var out []Page
	for _, p := range pagesOf(&o.Content, doc) {
		view := Page{ID: p.ID, Name: p.Name, Status: Complete}
		for _, f := range findings {
			if f.Page == p.ID {
				view.Findings = append(view.Findings, f)
			}
		}
		switch {
		case len(view.Findings) > 0 && !started(p, doc):
			view.Status = NotStarted
		case len(view.Findings) > 0:
			view.Status = Incomplete
		case o.Published != nil && o.Published.Pages[p.ID] != fingerprint(p, doc): // PUB-3
			view.Status = UnpublishedChanges
		}
		out = append(out, view)
	}
	return out
}

// Fingerprints are the fingerprints of the pages of a content, for telling whether a page changed.
func Fingerprints(c *Content) map[string]string {
	doc := document(c)
	out := map[string]string{}
	for _, p := range pagesOf(c, doc) {
		out[p.ID] = fingerprint(p, doc)
	}
	return out
}

// pagesOf lists the pages that the offer has at the moment (SAS-5).
func pagesOf(c *Content, doc map[string]any) []*page {
	t, _ := TypeOf(c.OfferType)
	var out []*page
	for _, id := range t.Pages {
		p := rules.page(id)
		if p == nil {
			panic(fmt.Sprintf("pages.json: offer type %s names page %q", t.ID, id))
		}
		if holds(p.Only, doc, nil) {
			out = append(out, p)
		}
	}
	return out
}

// started reports whether anything has been entered on the page.
func started(p *page, doc map[string]any) bool {
	for _, f := range p.Fields {
		for _, v := range resolve(doc, f.Path) {
			if v.present && !isEmpty(v.value, f.Empty) {
				return true
			}
		}
	}
	return false
}

// firstSegments is the path up to the first list, the part that a page owns as a whole.
func firstSegments(path string) string {
	before, _, _ := strings.Cut(path, "/*")
	return before
}
