package offer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

const (
	someGUID = "11111111-1111-1111-1111-111111111111"
	appLink  = "https://appsource.microsoft.com/en-us/product/office/WA1"
)

// many makes a list of n.
func many[T any](n int, one func(i int) T) []T {
	var out []T
	for i := range n {
		out = append(out, one(i))
	}
	return out
}

func guid(i int) string { return fmt.Sprintf("11111111-1111-1111-1111-%012d", i) }

func tenants(n int) []offer.AmendmentTenant {
	return many(n, func(i int) offer.AmendmentTenant { return offer.AmendmentTenant{ID: guid(i)} })
}

func links(urls ...string) []offer.ProductLink {
	return many(len(urls), func(i int) offer.ProductLink { return offer.ProductLink{URL: urls[i]} })
}

// What can never be right is refused when it is saved, at the border of each limit.
func TestLimitsOfPages(t *testing.T) {
	t.Parallel()
	industry := func(id string, parts ...string) offer.Industry { return offer.Industry{ID: id, SubIndustries: parts} }
	banking, insurance, markets := "financial-services/banking", "financial-services/insurance", "financial-services/capital-markets"
	video := func(url string) offer.Video { return offer.Video{Name: "Film", URL: url, Thumbnail: "t.png"} }
	for _, row := range []struct {
		name, code, target string // no code: taken
		change             func(*offer.Content)
	}{
		{"SAS-12 no GUID", "InvalidValue", "m365.graphAppId", func(c *offer.Content) { c.M365 = offer.M365{Graph: true, GraphApp: "x"} }},
		{"SAS-12 a GUID", "", "", func(c *offer.Content) { c.M365 = offer.M365{Graph: true, GraphApp: someGUID} }},
		{"SAS-13 a product for Office", "", "", func(c *offer.Content) { c.M365.Links = links(appLink) }},
		{"SAS-13 another shop", "InvalidValue", "m365.links[0].appSourceUrl", func(c *offer.Content) { c.M365.Links = links("https://contoso.com/product/office/WA1") }},
		{"SAS-13 another kind of product", "InvalidValue", "m365.links[0].appSourceUrl",
			func(c *offer.Content) {
				c.M365.Links = links("https://appsource.microsoft.com/en-us/product/web-apps/x")
			}},
		{"SAS-13 twice", "DuplicateLink", "m365.links[1].appSourceUrl", func(c *offer.Content) { c.M365.Links = links(appLink, appLink) }},
		{"SAS-13 twice, in other words", "DuplicateLink", "m365.links[1].appSourceUrl",
			func(c *offer.Content) {
				c.M365.Links = links(appLink, "https://appsource.microsoft.com/product/office/wa1/?tab=x")
			}},

		{"SAS-16 two categories", "", "", func(c *offer.Content) { c.Listing.Categories = []string{"a", "b"} }},
		{"SAS-16 three categories", "InvalidValue", "listing.categories", func(c *offer.Content) { c.Listing.Categories = []string{"a", "b", "c"} }},
		{"SAS-16 two industries", "", "", func(c *offer.Content) {
			c.Listing.Industries = []offer.Industry{industry("financial-services", banking, insurance), industry("automotive")}
		}},
		{"SAS-16 three industries", "InvalidValue", "listing.industries", func(c *offer.Content) {
			c.Listing.Industries = []offer.Industry{industry("automotive"), industry("energy"), industry("nonprofit-and-igo")}
		}},
		{"SAS-16 none of its parts", "Required", "listing.industries[0].subIndustries", func(c *offer.Content) {
			c.Listing.Industries = []offer.Industry{industry("financial-services")}
		}},
		{"SAS-16 three of its parts", "InvalidValue", "listing.industries[0].subIndustries", func(c *offer.Content) {
			c.Listing.Industries = []offer.Industry{industry("financial-services", banking, insurance, markets)}
		}},
		{"SAS-16 a part of another", "InvalidValue", "listing.industries[0].subIndustries", func(c *offer.Content) {
			c.Listing.Industries = []offer.Industry{industry("automotive", banking)}
		}},
		{"SAS-16 unknown", "InvalidValue", "listing.industries[0].industry", func(c *offer.Content) {
			c.Listing.Industries = []offer.Industry{industry("alchemy")}
		}},

		{"SAS-18 ten amendments of twenty tenants", "", "", func(c *offer.Content) {
			c.Legal.Custom = many(10, func(int) offer.Amendment { return offer.Amendment{Terms: "t", Tenants: tenants(20)} })
		}},
		{"SAS-18 eleven", "InvalidValue", "legal.customAmendments", func(c *offer.Content) {
			c.Legal.Custom = many(11, func(int) offer.Amendment { return offer.Amendment{Terms: "t", Tenants: tenants(1)} })
		}},
		{"SAS-18 21 tenants", "InvalidValue", "legal.customAmendments[0].tenants", func(c *offer.Content) {
			c.Legal.Custom = []offer.Amendment{{Terms: "t", Tenants: tenants(21)}}
		}},
		{"SAS-18 a tenant twice", "InvalidValue", "legal.customAmendments[0].tenants[1].tenantId", func(c *offer.Content) {
			c.Legal.Custom = []offer.Amendment{{Terms: "t", Tenants: []offer.AmendmentTenant{{ID: "AAAAAAAA-1111-1111-1111-111111111111"}, {ID: "aaaaaaaa-1111-1111-1111-111111111111"}}}}
		}},
		{"SAS-18 no tenant", "InvalidValue", "legal.customAmendments[0].tenants[0].tenantId", func(c *offer.Content) {
			c.Legal.Custom = []offer.Amendment{{Terms: "t", Tenants: []offer.AmendmentTenant{{ID: "contoso"}}}}
		}},

		{"SAS-23 five screenshots", "", "", func(c *offer.Content) {
			c.Listing.Screenshots = many(5, func(int) offer.Screenshot { return offer.Screenshot{Blob: "s.png", Caption: "c"} })
		}},
		{"SAS-23 six screenshots", "InvalidValue", "listing.screenshots", func(c *offer.Content) {
			c.Listing.Screenshots = many(6, func(int) offer.Screenshot { return offer.Screenshot{Blob: "s.png", Caption: "c"} })
		}},
		{"SAS-23 four videos", "", "", func(c *offer.Content) {
			c.Listing.Videos = []offer.Video{video("https://www.youtube.com/watch?v=1"), video("https://youtu.be/1"), video("https://vimeo.com/1"), video("https://player.vimeo.com/1")}
		}},
		{"SAS-23 five videos", "InvalidValue", "listing.videos", func(c *offer.Content) {
			c.Listing.Videos = many(5, func(i int) offer.Video { return video(fmt.Sprint("https://vimeo.com/", i)) })
		}},
		{"SAS-23 another host", "InvalidValue", "listing.videos[0].url", func(c *offer.Content) { c.Listing.Videos = []offer.Video{video("https://notyoutube.com/1")} }},

		{"SAS-26 twenty", "", "", func(c *offer.Content) {
			c.PreviewAudience = many(20, func(i int) string { return fmt.Sprintf("a%d@c.com", i) })
		}},
		{"SAS-26 21", "InvalidValue", "previewAudience", func(c *offer.Content) {
			c.PreviewAudience = many(21, func(i int) string { return fmt.Sprintf("a%d@c.com", i) })
		}},
		{"SAS-26 twice, in other letters", "InvalidValue", "previewAudience", func(c *offer.Content) { c.PreviewAudience = []string{"eva@c.com", "EVA@c.com"} }},

		{"SAS-41 limits of a plan per user", "", "", func(c *offer.Content) {
			c.Plans[0].PricingModel, c.Plans[0].SeatsMin, c.Plans[0].SeatsMax = offer.PerUser, 5, 5
		}},
		{"SAS-41 the lowest above the highest", "InvalidValue", "plans[0].seatsMin", func(c *offer.Content) {
			c.Plans[0].PricingModel, c.Plans[0].SeatsMin, c.Plans[0].SeatsMax = offer.PerUser, 6, 5
		}},
		{"SAS-41 at a flat rate", "InvalidValue", "plans[0].seatsMin", func(c *offer.Content) { c.Plans[0].SeatsMax = 5 }},
		{"SAS-42 thirty dimensions", "", "", func(c *offer.Content) { c.Dimensions = dimensions(30) }},
		{"SAS-42 MTR-9 31 dimensions", "DimensionLimitExceeded", "dimensions", func(c *offer.Content) { c.Dimensions = dimensions(31) }},
		{"SAS-42 MTR-1 dimensions per user", "MeteringNotAllowed", "plans[0].meters", func(c *offer.Content) {
			c.Dimensions, c.Plans[0].PricingModel, c.Plans[0].Meters = dimensions(1), offer.PerUser, []offer.Meter{{DimensionID: "d0"}}
		}},
		{"SAS-42 included below zero", "InvalidValue", "plans[0].meters[0].monthlyIncluded", func(c *offer.Content) {
			c.Dimensions, c.Plans[0].Meters = dimensions(1), []offer.Meter{{DimensionID: "d0", MonthlyIncluded: -1}}
		}},
		{"SAS-44 20,000 tenants", "", "", func(c *offer.Content) { c.Plans[0].Private, c.Plans[0].PrivateAudience = true, many(20_000, guid) }},
		{"SAS-44 20,001 tenants", "InvalidValue", "plans[0].privateAudience", func(c *offer.Content) { c.Plans[0].Private, c.Plans[0].PrivateAudience = true, many(20_001, guid) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffer(t)
			_, err := o.Edit(now, func(c *offer.Content) error { row.change(c); return nil })
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			f := fault.As(err)
			require.Equal(t, []any{fault.Invalid, row.code, row.target}, []any{f.Kind, f.Code, f.Target})
		})
	}
}

func dimensions(n int) []offer.Dimension {
	return many(n, func(i int) offer.Dimension {
		return offer.Dimension{ID: fmt.Sprint("d", i), DisplayName: fmt.Sprint("D", i)}
	})
}

// What is missing or contradictory is kept and becomes a finding of its page.
func TestFindingsOfPages(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, row := range []struct {
		name, page, field, code string // no code: the field has no finding
		change                  func(*offer.Content)
	}{
		{"SAS-9 sold", "offerSetup", "leadDestination.leadDestination", "Required", func(*offer.Content) {}},
		{"SAS-9 contact me", "offerSetup", "leadDestination.leadDestination", "Required", func(c *offer.Content) { c.ListingOption = offer.ContactMe }},
		{"SAS-9 free trial", "offerSetup", "leadDestination.leadDestination", "", func(c *offer.Content) { c.ListingOption = offer.FreeTrial }},
		{"SAS-9 free trial with a test drive", "offerSetup", "leadDestination.leadDestination", "Required",
			func(c *offer.Content) { c.ListingOption, c.TestDrive.Enabled = offer.FreeTrial, true }},
		{"LED-21 a destination without a person", "offerSetup", "leadDestination.contactEmail", "Required", func(c *offer.Content) { c.LeadDestination.Kind = "marketo" }},
		{"LED-21 a person", "offerSetup", "leadDestination.contactEmail", "",
			func(c *offer.Content) {
				c.LeadDestination = offer.LeadDestination{Kind: "marketo", ContactEmail: []string{"a@c.com"}}
			}},
		{"LED-21 people among the settings", "offerSetup", "leadDestination.contactEmail", "",
			func(c *offer.Content) {
				c.LeadDestination = offer.LeadDestination{Kind: "marketo", Settings: map[string]string{"contactEmail": "a@c.com;b@c.com"}}
			}},
		{"LED-21 no address among the settings", "offerSetup", "leadDestination.contactEmail", "InvalidValue",
			func(c *offer.Content) {
				c.LeadDestination = offer.LeadDestination{Kind: "marketo", Settings: map[string]string{"contactEmail": "a@c.com;b"}}
			}},
		{"LED-21 storage needs nobody", "offerSetup", "leadDestination.contactEmail", "", func(c *offer.Content) { c.LeadDestination.Kind = "blob" }},

		{"SAS-11 a test drive has a type", "testDrive", "testDrive.type", "Required", func(c *offer.Content) { c.ListingOption, c.TestDrive.Enabled = offer.FreeTrial, true }},
		{"SAS-11 whatever the listing option", "testDrive", "testDrive.type", "Required", func(c *offer.Content) { c.ListingOption, c.TestDrive.Enabled = offer.GetItNowFree, true }},
		{"SAS-11 beside a free trial of a plan", "testDrive", "testDrive.type", "", func(c *offer.Content) {
			c.TestDrive, c.Plans[0].FreeTrial = offer.TestDrive{Enabled: true, Kind: "logicApp", DurationHours: 1, AccessInfo: "a"}, true
		}},
		{"SAS-12 integration without an app", "m365", "m365.graphAppId", "Required", func(c *offer.Content) { c.M365.Graph = true }},
		{"SAS-13 linked products without a link", "m365", "m365.links", "Required", func(c *offer.Content) { c.M365.HasLinked = true }},
		{"SAS-13 no linked products", "m365", "m365.links", "", func(*offer.Content) {}},

		{"SAS-16 no category", "properties", "listing.categories", "Required", func(*offer.Content) {}},
		{"SAS-17 standard by saying nothing", "properties", "legal.useStandardContract", "", func(*offer.Content) {}},
		{"SAS-17 both", "properties", "legal.useStandardContract", "InvalidValue", func(c *offer.Content) { c.Legal.Standard, c.Listing.Terms = &yes, "Ours." }},
		{"SAS-17 neither", "properties", "listing.termsAndConditions", "Required", func(c *offer.Content) { c.Legal.Standard = &no }},
		{"SAS-17 own", "properties", "listing.termsAndConditions", "", func(c *offer.Content) { c.Legal.Standard, c.Listing.Terms = &no, "Ours." }},
		{"SAS-18 own terms are not amended", "properties", "legal.universalAmendment", "InvalidValue",
			func(c *offer.Content) { c.Listing.Terms, c.Legal.Universal = "Ours.", "Amended." }},
		{"SAS-18 nor for some", "properties", "legal.customAmendments", "InvalidValue", func(c *offer.Content) {
			c.Listing.Terms, c.Legal.Custom = "Ours.", []offer.Amendment{{Terms: "t", Tenants: tenants(1)}}
		}},
		{"SAS-18 the standard contract is, at any length", "properties", "legal.universalAmendment", "",
			func(c *offer.Content) { c.Legal.Universal = strings.Repeat("a", 50_000) }},
		{"SAS-18 an amendment for nobody", "properties", "legal.customAmendments[0].tenants", "Required",
			func(c *offer.Content) { c.Legal.Custom = []offer.Amendment{{Terms: "t"}} }},

		{"a contact that was begun has a phone", "offerListing", "listing.supportContact.phone", "Required",
			func(c *offer.Content) { c.Listing.Support = &offer.Contact{Name: "Eva"} }},
		{"SAS-23 a screenshot without a caption", "offerListing", "listing.screenshots[0].caption", "Required",
			func(c *offer.Content) { c.Listing.Screenshots = []offer.Screenshot{{Blob: "s.png"}} }},
		{"SAS-23 a video without a thumbnail", "offerListing", "listing.videos[0].thumbnail", "Required",
			func(c *offer.Content) { c.Listing.Videos = []offer.Video{{Name: "n", URL: "https://vimeo.com/1"}} }},
		{"SAS-26 no preview audience", "previewAudience", "previewAudience", "Required", func(*offer.Content) {}},
		{"SAS-37 no term", "planOverview", "plans[0].terms", "Required", func(c *offer.Content) { c.Plans[0].Terms = nil }},
		{"SAS-44 a private plan for nobody", "planOverview", "plans[0].privateAudience", "Required", func(c *offer.Content) { c.Plans[0].Private = true }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffer(t)
			_, err := o.Edit(now, func(c *offer.Content) error { row.change(c); return nil })
			require.NoError(t, err)
			code := ""
			for _, p := range o.Pages() {
				for _, f := range p.Findings {
					if p.ID == row.page && f.Field == row.field {
						code = f.Code
						require.NotContains(t, []offer.PageStatus{offer.Complete, offer.UnpublishedChanges}, p.Status)
					}
				}
			}
			require.Equal(t, row.code, code)
		})
	}
}

// The rank of a linked product is its place, whatever was sent (SAS-13).
func TestRankOfLinks(t *testing.T) {
	t.Parallel()
	o := newOffer(t)
	set := func(urls ...string) {
		l := links(urls...)
		for i := range l {
			l[i].Rank = 7
		}
		_, err := o.Edit(now, func(c *offer.Content) error { c.M365.Links = l; return nil })
		require.NoError(t, err)
		for i, l := range o.M365.Links {
			require.Equal(t, []any{i + 1, urls[i]}, []any{l.Rank, l.URL}, "SAS-13")
		}
	}
	set(appLink+"1", appLink+"2", appLink+"3")
	set(appLink+"3", appLink+"1", appLink+"2")
	set(appLink+"3", appLink+"2")
}

// What publishing has fixed, and what it has not (SAS-6, SAS-7, SAS-17, SAS-36 to SAS-44, PUB-40 to PUB-42).
func TestFixedByPublishing(t *testing.T) {
	t.Parallel()
	published := func(c *offer.Content) {
		p := plan("private")
		p.Private, p.PrivateAudience = true, []string{someGUID}
		trial := plan("trial")
		trial.FreeTrial = true
		c.Plans = append(c.Plans, p, trial)
		c.Dimensions = []offer.Dimension{{ID: "d", DisplayName: "D", UnitOfMeasure: "u"}}
		c.Plans[0].Meters = []offer.Meter{{DimensionID: "d", Enabled: true}}
	}
	for _, row := range []struct {
		name, code string // no code: allowed
		before     func(*offer.Content)
		change     func(*offer.Content)
	}{
		{"SAS-7 PUB-40 sold to listed", "ListingOptionLocked", published, func(c *offer.Content) { c.ListingOption = offer.ContactMe }},
		{"SAS-7 PUB-40 listed to sold", "", func(c *offer.Content) { c.ListingOption, c.Plans = offer.ContactMe, nil },
			func(c *offer.Content) { c.ListingOption = offer.SellThroughMicrosoft }},
		{"SAS-6 PUB-40 contact to trial", "", func(c *offer.Content) { c.ListingOption, c.Plans = offer.ContactMe, nil },
			func(c *offer.Content) { c.ListingOption = offer.FreeTrial }},
		{"PUB-40 a test drive is added", "", published, func(c *offer.Content) { c.TestDrive.Enabled = true }},
		{"SAS-17 standard to own", "StandardContractLocked", published, func(c *offer.Content) { c.Listing.Terms = "Ours." }},
		{"SAS-17 own to standard", "", func(c *offer.Content) { published(c); c.Listing.Terms = "Ours." }, func(c *offer.Content) { c.Listing.Terms = "" }},
		{"SAS-36 PUB-41 a new plan of the other model", "PricingModelMismatch", published, func(c *offer.Content) {
			p := plan("new")
			p.PricingModel = offer.PerUser
			c.Plans = append(c.Plans, p)
		}},
		{"SAS-36 PUB-41 the other model for all", "PricingModelLocked", func(*offer.Content) {}, func(c *offer.Content) { c.Plans[0].PricingModel = offer.PerUser }},
		{"PUB-41 a new plan of the same model", "", published, func(c *offer.Content) { c.Plans = append(c.Plans, plan("new")) }},
		{"SAS-38 a term goes", "PublishedPriceLocked", published, func(c *offer.Content) { c.Plans[0].Terms = nil }},
		{"SAS-38 a term comes", "", published, func(c *offer.Content) { c.Plans[0].Terms = append(c.Plans[0].Terms, offer.PlanTerm{Unit: "P1Y"}) }},
		{"SAS-41 user limits change", "", func(c *offer.Content) { c.Plans[0].PricingModel = offer.PerUser },
			func(c *offer.Content) { c.Plans[0].SeatsMin, c.Plans[0].SeatsMax = 2, 9 }},
		{"SAS-42 a dimension is renamed", "DimensionLocked", published, func(c *offer.Content) { c.Dimensions[0].DisplayName = "E" }},
		{"SAS-42 a dimension has another unit", "DimensionLocked", published, func(c *offer.Content) { c.Dimensions[0].UnitOfMeasure = "v" }},
		{"SAS-42 a dimension goes", "DimensionLocked", published, func(c *offer.Content) { c.Dimensions, c.Plans[0].Meters = nil, nil }},
		{"SAS-42 a dimension is switched off", "PublishedPriceLocked", published, func(c *offer.Content) { c.Plans[0].Meters[0].Enabled = false }},
		{"SAS-42 more is included", "PublishedPriceLocked", published, func(c *offer.Content) { c.Plans[0].Meters[0].MonthlyIncluded = 5 }},
		{"SAS-43 a trial goes", "FreeTrialLocked", published, func(c *offer.Content) { c.Plans[2].FreeTrial = false }},
		{"SAS-43 a trial comes", "", published, func(c *offer.Content) { c.Plans[1].FreeTrial = true }},
		{"SAS-44 PUB-42 public to private", "VisibilityLocked", published, func(c *offer.Content) { c.Plans[2].Private, c.Plans[2].PrivateAudience = true, []string{someGUID} }},
		{"SAS-44 PUB-42 private to public", "", published, func(c *offer.Content) { c.Plans[1].Private = false }},
		{"SAS-47 a published plan goes", "PublishedPlanCannotBeRemoved", published, func(c *offer.Content) { c.Plans = c.Plans[:2] }},
		{"SAS-34 names and texts change", "", published, func(c *offer.Content) { c.Plans[0].Name, c.Plans[0].Description = "Other", "Other" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffer(t)
			_, err := o.Edit(now, func(c *offer.Content) error { row.before(c); return nil })
			require.NoError(t, err)
			o.Published = offer.PublishedFacts(nil, o.Content)
			_, err = o.Edit(now, func(c *offer.Content) error { row.change(c); return nil })
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Equal(t, row.code, fault.As(err).Code)
		})
	}
}

// An offer can be edited in every status but while it leaves the marketplace (PUB-39).
func TestEditableStatuses(t *testing.T) {
	t.Parallel()
	for status, editable := range map[offer.Status]bool{
		offer.StatusDraft: true, offer.StatusPublishInProgress: true, offer.StatusAttentionNeeded: true, offer.StatusPreview: true,
		offer.StatusLive: true, offer.StatusNotAvailable: true, offer.StatusPendingStopDistribution: false,
	} {
		o := newOffer(t)
		o.Status = status
		_, err := o.Edit(now, func(*offer.Content) error { return nil })
		require.Equal(t, editable, err == nil, "PUB-39 %s", status)
		require.Equal(t, !editable, fault.Is(err, fault.Conflict), "PUB-39 %s", status)
	}
}

// Whether an offer is a test offer is fixed when it is published first.
func TestTestOfferIsFixed(t *testing.T) {
	t.Parallel()
	toggle := func(c *offer.Content) error { c.TestOffer = !c.TestOffer; return nil }
	o := newOffer(t)
	_, err := o.Edit(now, toggle)
	require.NoError(t, err)
	o.Submission = 1
	_, err = o.Edit(now, toggle)
	require.Equal(t, []any{fault.Conflict, "TestOfferLocked"}, []any{fault.As(err).Kind, fault.As(err).Code})
}

// A published plan of a virtual machine keeps its price and an image (PUB-43, PUB-44).
func TestPublishedMachine(t *testing.T) {
	t.Parallel()
	definition := func(price, images string) func(*offer.Content) error {
		return func(c *offer.Content) error {
			c.Plans = []offer.Plan{{ID: "basic"}}
			c.Definition = []byte(`{"plans":[{"planId":"basic","virtualMachinePricing":` + price + `,"microsoft-azure-virtualmachines.vmImages":` + images + `}]}`)
			return nil
		}
	}
	for _, row := range []struct{ name, price, images, code string }{
		{"the same in another order", `{"freeTrialDurationInMonths":0,"isByol":true}`, `{"1.0.0":{}}`, ""},
		{"PUB-43 another price", `{"isByol":false,"freeTrialDurationInMonths":0}`, `{"1.0.0":{}}`, "PublishedPriceLocked"},
		{"PUB-43 no price", `null`, `{"1.0.0":{}}`, "PublishedPriceLocked"},
		{"PUB-44 one version goes, one stays", `{"isByol":true,"freeTrialDurationInMonths":0}`, `{"2.0.0":{}}`, ""},
		{"PUB-44 the last version goes", `{"isByol":true,"freeTrialDurationInMonths":0}`, `{}`, "LastImageVersion"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "vm", OfferType: "VirtualMachine"}, now)
			require.NoError(t, err)
			_, err = o.Edit(now, definition(`{"isByol":true,"freeTrialDurationInMonths":0}`, `{"1.0.0":{},"2.0.0":{}}`))
			require.NoError(t, err)
			o.Published = offer.PublishedFacts(nil, o.Content)
			_, err = o.Edit(now, definition(row.price, row.images))
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Equal(t, row.code, fault.As(err).Code)
		})
	}
}
