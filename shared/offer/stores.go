package offer

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Storefront is a store where customers find offers.
type Storefront string

// The stores.
const (
	AzureMarketplace Storefront = "AzureMarketplace"
	AzurePortal      Storefront = "AzurePortal"
	AppSource        Storefront = "AppSource"
)

//go:embed stores.json
var storesJSON []byte

type saasStores struct {
	Metered   bool         `json:"metered"`
	Public    bool         `json:"publicPlan"`
	Private   bool         `json:"privatePlan"`
	In        []Storefront `json:"availableIn"`
	PrivateIn []Storefront `json:"privatePlanAvailableIn"`
}

type storeBook struct {
	SaaS       []saasStores            `json:"saas"`
	Categories map[Storefront][]string `json:"categories"`
	OfferTypes map[string][]Storefront `json:"offerTypes"`
	byCategory map[string][]Storefront // by id, and by what stands behind its prefix
}

var stores = loadStores(storesJSON)

func loadStores(raw []byte) storeBook {
	var book storeBook
	if err := json.Unmarshal(raw, &book); err != nil {
		panic(fmt.Sprintf("stores.json: %v", err))
	}
	book.byCategory = map[string][]Storefront{}
	for _, store := range []Storefront{AzureMarketplace, AppSource} {
		for _, id := range book.Categories[store] {
			_, plain, _ := strings.Cut(id, ":")
			book.byCategory[id] = append(book.byCategory[id], store)
			book.byCategory[plain] = append(book.byCategory[plain], store)
		}
	}
	return book
}

// Stores are where the offer is found (SAS-50, PUB-25): by its plans and whether one has a dimension where it is
// sold, else by its categories, and everywhere while those say nothing. A plan that is stopped does not count.
func (c *Content) Stores() []Storefront {
	in, _ := c.storesByPlan()
	return in
}

// PlanStores are where one plan is found.
func (c *Content) PlanStores(p Plan) []Storefront {
	in, private := c.storesByPlan()
	if p.Private {
		return private
	}
	return in
}

// storesByPlan are where the offer is found, and where its private plans are.
func (c *Content) storesByPlan() (in, private []Storefront) {
	if c.OfferType != TypeSaaS {
		all := slices.Clone(stores.OfferTypes[c.OfferType])
		return all, all
	}
	if !c.Transactable() {
		all := c.storesByCategory()
		return all, all
	}
	var has saasStores
	for _, p := range c.Plans {
		if p.Stopped {
			continue
		}
		has.Metered = has.Metered || slices.ContainsFunc(p.Meters, func(m Meter) bool { return m.Enabled })
		has.Private = has.Private || p.Private
		has.Public = has.Public || !p.Private
	}
	for _, row := range stores.SaaS {
		if row.Metered == has.Metered && row.Public == has.Public && row.Private == has.Private {
			if row.PrivateIn == nil {
				row.PrivateIn = row.In
			}
			return slices.Clone(row.In), slices.Clone(row.PrivateIn)
		}
	}
	return c.storesByCategory(), []Storefront{AzurePortal, AppSource} // SAS-49
}

func (c *Content) storesByCategory() []Storefront {
	var out []Storefront
	for _, store := range []Storefront{AzureMarketplace, AppSource} {
		if slices.ContainsFunc(c.Listing.Categories, func(id string) bool {
			category, _, _ := strings.Cut(id, "/")
			return slices.Contains(stores.byCategory[category], store)
		}) {
			out = append(out, store)
		}
	}
	if out == nil {
		return []Storefront{AzureMarketplace, AppSource}
	}
	return out
}
