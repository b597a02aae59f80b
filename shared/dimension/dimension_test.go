package dimension_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/fault"
)

func usd(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func price(text string) decimal.NullDecimal { return decimal.NewNullDecimal(usd(text)) }

var (
	email = dimension.Dimension{ID: "email", DisplayName: "E-mails", UnitOfMeasure: "per 100 emails"}
	text  = dimension.Dimension{ID: "text", DisplayName: "Texts", UnitOfMeasure: "per text"}
	push  = dimension.Dimension{ID: "push", DisplayName: "Push", UnitOfMeasure: "per push"}
	day   = dimension.Rates{Day: "2026-03-01", Units: map[string]decimal.Decimal{"EUR": usd("0.9"), "JPY": usd("150.1234567")}}
)

// cns is the offer of the chapter's walks, as a draft.
func cns(t *testing.T) *dimension.Offer {
	t.Helper()
	o := &dimension.Offer{
		Kind: dimension.SaaS, Transactable: true, Identity: dimension.Identity{TenantID: "t", AppID: "a"},
		Plans: []dimension.Plan{
			{ID: "basic", Monthly: true, Markets: []string{"US", "DE"}},
			{ID: "premium", Monthly: true, Annual: true, Markets: []string{"US"}},
		},
	}
	require.NoError(t, o.Add(email))
	require.NoError(t, o.Add(text))
	require.NoError(t, o.Set("basic", "email", dimension.Setting{Enabled: true, Price: price("1"), Monthly: dimension.Included{Units: 10000}}, day))
	require.NoError(t, o.Set("basic", "text", dimension.Setting{Enabled: true, Price: price("0.02"), Monthly: dimension.Included{Units: 1000}}, day))
	require.NoError(t, o.Set("premium", "email", dimension.Setting{
		Enabled: true, Price: price("0.5"), Monthly: dimension.Included{Units: 50000}, Annual: dimension.Included{Units: 5000000}}, day))
	return o
}

// live makes what the offer is now what has been live.
func live(o *dimension.Offer) *dimension.Offer {
	o.Published = dimension.Published{Dimensions: append([]dimension.Dimension(nil), o.Dimensions...), Plans: map[string]map[string]dimension.Lock{}}
	for _, p := range o.Plans {
		o.Published.Plans[p.ID] = dimension.LocksOf(p.Meters)
	}
	return o
}

// refused requires a refusal by kind, code and target.
func refused(t *testing.T, err error, kind fault.Kind, code, target string) {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, []any{kind, code, target}, []any{f.Kind, f.Code, f.Target}, "%v", err)
}

func targets(found fault.Findings) []string {
	out := []string{}
	for _, f := range found {
		out = append(out, f.Code+" "+f.Target)
	}
	return out
}

func TestAdd(t *testing.T) {
	t.Parallel()
	named := func(id, name, unit string) dimension.Dimension {
		return dimension.Dimension{ID: id, DisplayName: name, UnitOfMeasure: unit}
	}
	for _, c := range []struct {
		name         string
		add          dimension.Dimension
		code, target string
	}{
		{"longest", named(strings.Repeat("a", 50), strings.Repeat("ü", 50), strings.Repeat("u", 50)), "", ""},
		{"other letters are another dimension", named("EMAIL", "n", "u"), "", ""},
		{"all characters", named("A_b-9", "n", "u"), "", ""},
		{"no ID", named("", "n", "u"), dimension.CodeRequired, "dimensionId"},
		{"ID too long", named(strings.Repeat("a", 51), "n", "u"), dimension.CodeInvalid, "dimensionId"},
		{"ID with a space", named("a b", "n", "u"), dimension.CodeInvalid, "dimensionId"},
		{"ID of the workbook", named("Prices", "n", "u"), dimension.CodeInvalid, "dimensionId"},
		{"no name", named("a", " ", "u"), dimension.CodeRequired, "displayName"},
		{"name too long", named("a", strings.Repeat("n", 51), "u"), dimension.CodeInvalid, "displayName"},
		{"no unit", named("a", "n", ""), dimension.CodeRequired, "unitOfMeasure"},
		{"unit too long", named("a", "n", strings.Repeat("u", 51)), dimension.CodeInvalid, "unitOfMeasure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := cns(t)
			err := o.Add(c.add)
			if c.code == "" {
				require.NoError(t, err)
				require.Len(t, o.Dimensions, 3)
				return
			}
			refused(t, err, fault.Invalid, c.code, c.target)
			require.Len(t, o.Dimensions, 2)
		})
	}
	refused(t, cns(t).Add(email), fault.Conflict, dimension.CodeExists, "dimensionId")
}

func TestLimit(t *testing.T) {
	t.Parallel()
	// MTR-9
	o := cns(t)
	for i := len(o.Dimensions); i < 30; i++ {
		require.NoError(t, o.Add(dimension.Dimension{ID: fmt.Sprintf("d%d", i), DisplayName: "n", UnitOfMeasure: "u"}))
	}
	refused(t, o.Add(push), fault.Invalid, "DimensionLimitExceeded", "dimensions")
	require.Empty(t, o.Findings())
	o.Dimensions = append(o.Dimensions, push)
	require.Equal(t, []string{"DimensionLimitExceeded dimensions"}, targets(o.Findings()))
}

func TestWhereMeteringIsPossible(t *testing.T) {
	t.Parallel()
	enabled := dimension.Setting{Enabled: true, Price: price("1")}
	for _, c := range []struct {
		name         string
		change       func(*dimension.Offer)
		code, target string
	}{
		{"MTR-1 per user", func(o *dimension.Offer) { o.Plans[0].PerUser = true }, dimension.CodeNotAllowed, "planId"},
		{"MTR-1 not sold through Microsoft", func(o *dimension.Offer) { o.Transactable = false }, dimension.CodeNotAllowed, "offerId"},
		{"MTR-2 solution template", func(o *dimension.Offer) { o.Kind, o.Plans[0].SolutionTemplate = dimension.AzureApplication, true }, dimension.CodeNotAllowed, "planId"},
		{"MTR-2 managed application", func(o *dimension.Offer) { o.Kind = dimension.AzureApplication }, "", ""},
		{"MTR-2 virtual machine", func(o *dimension.Offer) { o.Kind = dimension.Unmetered }, dimension.CodeNotAllowed, "offerId"},
		{"MTR-5 Azure Government", func(o *dimension.Offer) { o.Kind, o.Plans[0].Government = dimension.AzureApplication, true }, dimension.CodeGovernment, "planId"},
		{"MTR-19 private", func(o *dimension.Offer) { o.Plans[0].Private = true }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := cns(t)
			o.Plans = o.Plans[:1]
			c.change(o)
			err := o.Set("basic", "email", enabled, day)
			if c.code == "" {
				require.NoError(t, err)
				require.Empty(t, o.Findings())
				return
			}
			refused(t, err, fault.Invalid, c.code, c.target)
			require.Equal(t, []string{c.code + " plans[0].meters"}, targets(o.Findings()))
		})
	}
	vm := &dimension.Offer{}
	refused(t, vm.Add(email), fault.Invalid, dimension.CodeNotAllowed, "offerId") // MTR-2
}

func TestTrialConflict(t *testing.T) {
	t.Parallel()
	// MTR-4
	o := cns(t)
	o.Plans[1].FreeTrial = true
	refused(t, o.Set("premium", "text", dimension.Setting{Enabled: true, Price: price("1")}, day), fault.NotReady, "MeteringTrialConflict", "enabled")
	require.Equal(t, []string{"MeteringTrialConflict plans[1].freeTrial"}, targets(o.Findings()), "and the reverse")
	require.NoError(t, o.Set("premium", "email", dimension.Setting{Price: price("1")}, day))
	require.NoError(t, o.Set("premium", "text", dimension.Setting{Price: price("1")}, day))
	require.Empty(t, o.Findings(), "what is not enabled is no conflict")
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	// MTR-7
	const tenant, app = dimension.CodeIdentity + " technicalConfiguration.aadTenantId", dimension.CodeIdentity + " technicalConfiguration.aadApplicationId"
	o := cns(t)
	o.Identity.AppID = ""
	require.Equal(t, []string{app}, targets(o.Findings()))
	o.Identity.TenantID = ""
	require.Equal(t, []string{tenant, app}, targets(o.Findings()))
	o.ManagedIdentityOnly = true
	require.Len(t, o.Findings(), 2, "SaaS always")
	o.Kind, o.Plans = dimension.AzureApplication, o.Plans[:1]
	require.Empty(t, o.Findings())
	o.ManagedIdentityOnly = false
	require.Len(t, o.Findings(), 2, "a central service or the batch call")
	for i := range o.Plans[0].Meters {
		o.Plans[0].Meters[i].Enabled = false
	}
	require.Empty(t, o.Findings(), "nothing is metered")
}

func TestIdentityOfDimensions(t *testing.T) {
	t.Parallel()
	mail := dimension.Dimension{ID: "mail", DisplayName: "Mails", UnitOfMeasure: "per mail"}
	t.Run("MTR-10 a change is for all plans", func(t *testing.T) {
		t.Parallel()
		o := cns(t)
		require.NoError(t, o.Change("email", mail))
		require.Equal(t, []dimension.Dimension{mail, text}, o.Dimensions)
		for i := range o.Plans {
			m, ok := o.Plans[i].Meter("mail")
			require.True(t, ok && m.Enabled)
			_, ok = o.Plans[i].Meter("email")
			require.False(t, ok)
		}
		refused(t, o.Change("mail", text), fault.Conflict, dimension.CodeExists, "dimensionId")
		refused(t, o.Change("email", mail), fault.NotFound, "NotFound", "dimensionId")
		refused(t, o.Change("mail", dimension.Dimension{ID: "mail", DisplayName: "m"}), fault.Invalid, dimension.CodeRequired, "unitOfMeasure")
	})
	t.Run("MTR-11 fixed once live", func(t *testing.T) {
		t.Parallel()
		for _, to := range []dimension.Dimension{
			mail, {ID: "email", DisplayName: "Other", UnitOfMeasure: email.UnitOfMeasure}, {ID: "email", DisplayName: email.DisplayName, UnitOfMeasure: "other"},
		} {
			o := live(cns(t))
			refused(t, o.Change("email", to), fault.Conflict, "DimensionLocked", "dimensionId")
			require.Equal(t, email, o.Dimensions[0])
		}
		o := live(cns(t))
		require.NoError(t, o.Change("email", email), "it stays as it is")
		require.NoError(t, o.Add(push))
		require.NoError(t, o.Change("push", dimension.Dimension{ID: "pushes", DisplayName: "n", UnitOfMeasure: "u"}), "not live yet")
	})
	t.Run("MTR-17 removing", func(t *testing.T) {
		t.Parallel()
		o := cns(t)
		require.NoError(t, o.Remove("email"))
		require.Equal(t, []dimension.Dimension{text}, o.Dimensions)
		require.Len(t, o.Plans[0].Meters, 1)
		require.Empty(t, o.Plans[1].Meters)
		refused(t, o.Remove("email"), fault.NotFound, "NotFound", "dimensionId")
		o = live(cns(t))
		require.NoError(t, o.Add(push))
		require.NoError(t, o.Remove("push"))
		refused(t, o.Remove("email"), fault.Conflict, "DimensionLocked", "dimensionId")
		require.Len(t, o.Dimensions, 2)
	})
}
