package offer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Limits that the documents leave open stand beside their fields in pages.json. What is too long, too many or no
// number to compute with is refused at once, and names its place; the draft stays as it was.
func TestLimits(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return strings.Repeat("x", n) }
	price := func(name string, v any) map[string]any {
		return map[string]any{"terms": []any{map[string]any{"termUnit": "P1M", name: v}}}
	}
	for _, row := range []struct {
		name, page string
		patch      map[string]any
		target     string // "" is accepted
		code       string
	}{
		{"an address of 2048 characters", "offerSetup", map[string]any{"offerUrl": "https://x.example/" + text(2030)}, "", ""},
		{"an address of 2049 characters", "offerSetup", map[string]any{"offerUrl": "https://x.example/" + text(2031)}, "offerUrl", offer.CodeInvalid},
		{"a setting of 4096 characters", "testDrive", map[string]any{"testDrive": map[string]any{"settings": map[string]any{"a": text(4096)}}}, "", ""},
		{"a setting of 4097 characters on a page the offer does not have", "testDrive",
			map[string]any{"testDrive": map[string]any{"settings": map[string]any{"a": text(4097)}}}, "testDrive.settings.a", offer.CodeInvalid},
		{"the name of a setting", "testDrive", map[string]any{"testDrive": map[string]any{"settings": map[string]any{text(101): "a"}}}, "testDrive.settings", offer.CodeInvalid},
		{"TDR-13 99 test drives", "testDrive", map[string]any{"testDrive": map[string]any{"maxConcurrentTestDrives": json.Number("99")}}, "", ""},
		{"TDR-13 100 test drives", "testDrive", map[string]any{"testDrive": map[string]any{"maxConcurrentTestDrives": json.Number("100")}}, "testDrive.maxConcurrentTestDrives", offer.CodeInvalid},
		{"a list that is a text", "offerListing", map[string]any{"listing": map[string]any{"searchKeywords": "a"}}, "listing.searchKeywords", offer.CodeType},
		{"a price", "", price("priceUSD", "0.123456789012345"), "", ""},
		{"a price with 16 decimals", "", price("priceUSD", "0.1234567890123456"), "plans[0].terms[0].priceUSD", offer.CodeInvalid},
		{"a price with an exponent", "", price("priceUSD", json.Number("1e16")), "plans[0].terms[0].priceUSD", offer.CodeInvalid},
		{"a price with an exponent, in other letters", "", price("PRICEUSD", json.Number("1e16")), "plans[0].terms[0]", offer.CodeInvalid},
		{"a price that is an object", "", price("priceUSD", map[string]any{}), "plans[0].terms[0].priceUSD", offer.CodeInvalid},
		{"a price for no market", "", price("marketPrices", map[string]any{text(300): "1"}), "plans[0].terms[0].marketPrices", offer.CodeInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffer(t)
			before := o.Content
			_, err := o.Edit(now, func(c *offer.Content) error {
				if row.page == "" {
					return c.SetPlan("basic", row.patch)
				}
				return c.SetPage(row.page, row.patch)
			})
			if row.target == "" {
				require.NoError(t, err)
				return
			}
			f := fault.As(err)
			require.Equal(t, []any{fault.Invalid, row.code, row.target}, []any{f.Kind, f.Code, f.Target})
			require.Equal(t, before, o.Content)
		})
	}
}
