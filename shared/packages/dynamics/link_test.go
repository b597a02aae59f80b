package dynamics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

// linkRow is a link, what is found in it, and when it was looked at when that is not the noon of 15 January 2026.
type linkRow struct {
	name, link, now string
	want            []string
}

const good = "https://contoso.blob.core.windows.net/packages/crm.zip?sv=2020-08-04&st=2026-01-01T00:00:00Z&se=2026-06-01T00:00Z&sr=b&sp=r&sig=secretsignature"

func with(old, text string) string { return strings.Replace(good, old, text, 1) }

var linkRows = []linkRow{
	{"a good link", good, "", nil},
	{"the whole container", with("sr=b", "sr=c"), "", nil},
	{"a blob of the root container, in capitals", with("packages/crm.zip", "CRM.ZIP"), "", nil},
	{"http", with("https:", "http:"), "", []string{"CE_URL_INVALID"}},
	{"no host", with("https://contoso.blob.core.windows.net", ""), "", []string{"CE_URL_INVALID"}},
	{"no address", ":" + good, "", []string{"CE_URL_INVALID"}},
	{"a user", with("https://", "https://a@"), "", []string{"CE_URL_INVALID"}},
	{"a fragment", good + "#a", "", []string{"CE_URL_INVALID"}},
	{"a broken query", good + "&a=%zz", "", []string{"CE_URL_INVALID"}},
	{"another ending", with("crm.zip", "crm.cab"), "", []string{"CE_URL_INVALID"}},
	{"an ending in the query only", with("crm.zip?", "crm?a=b.zip&"), "", []string{"CE_URL_INVALID"}},
	{"nothing but the ending", with("crm.zip", ".zip"), "", []string{"CE_URL_INVALID"}},
	{"a folder", with("crm.zip", "crm.zip/"), "", []string{"CE_URL_INVALID"}},
	{"too long", good + "&a=" + strings.Repeat("a", 8<<10), "", []string{"CE_URL_INVALID"}},
	{"two signatures", good + "&sig=a", "", []string{"CE_URL_INVALID"}},
	{"no signature", with("&sig=secretsignature", ""), "", []string{"CE_SAS_MISSING"}},
	{"an empty signature", with("secretsignature", ""), "", []string{"CE_SAS_MISSING"}},
	{"no expiry and no policy", with("&se=2026-06-01T00:00Z", ""), "", []string{"CE_SAS_MISSING"}},
	{"no permissions and no policy", with("&sp=r", ""), "", []string{"CE_SAS_MISSING"}},
	{"a policy alone", "https://a.example/b/c.zip?si=p&sig=secretsignature", "", []string{"CE_SAS_EXPIRY_UNKNOWN"}},
	{"a policy and an expiry", with("&sp=r", "&si=p"), "", nil},
	{"read and list", with("sp=r", "sp=rl"), "", []string{"CE_SAS_NOT_READ_ONLY"}},
	{"write", with("sp=r", "sp=w"), "", []string{"CE_SAS_NOT_READ_ONLY"}},
	{"empty permissions", with("sp=r", "sp="), "", []string{"CE_SAS_NOT_READ_ONLY"}},
	{"it ends now", good, "2026-06-01T00:00:00Z", []string{"CE_SAS_EXPIRED"}},
	{"it ends in a second", good, "2026-05-31T23:59:59Z", []string{"CE_SAS_EXPIRES_SOON"}},
	{"it ends in a month", good, "2026-05-01T00:00:00Z", nil},
	{"it ends a second before that", good, "2026-05-01T00:00:01Z", []string{"CE_SAS_EXPIRES_SOON"}},
	{"the month after the 31st of January ends with February", with("2026-06-01T00:00Z", "2026-02-28"), "2026-01-31T00:00:00Z", nil},
	{"a day less", with("2026-06-01T00:00Z", "2026-02-27"), "2026-01-31T00:00:00Z", []string{"CE_SAS_EXPIRES_SOON"}},
	{"a date alone is its midnight", with("2026-06-01T00:00Z", "2026-06-01"), "2026-06-01T00:00:00Z", []string{"CE_SAS_EXPIRED"}},
	{"an expiry that is no time", with("2026-06-01T00:00Z", "01/06/2026"), "", []string{"CE_URL_INVALID"}},
	{"it begins now", with("st=2026-01-01", "st=2026-01-15"), "2026-01-15T00:00:00Z", nil},
	{"it begins in a second", with("st=2026-01-01", "st=2026-01-15"), "2026-01-14T23:59:59Z", []string{"CE_SAS_NOT_YET_VALID"}},
	{"a start that is no time", with("st=2026-01-01T00:00:00Z", "st=now"), "", []string{"CE_URL_INVALID"}},
	{"no start", with("st=2026-01-01T00:00:00Z&", ""), "", nil},
}

func (r linkRow) check(t testing.TB) (time.Time, *finding.Report) {
	t.Helper()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	if r.now != "" {
		var err error
		now, err = time.Parse(time.RFC3339, r.now)
		require.NoError(t, err)
	}
	report := finding.New("Dynamics365CustomerEngagement")
	return dynamics.CheckLink(r.link, now, report), report
}

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, row := range linkRows {
		_, report := row.check(t)
		want := []string{}
		for _, code := range row.want {
			want = append(want, code+" packageLocationUrl")
		}
		require.ElementsMatch(t, want, packagestest.Described(report), "DYN-37 %s", row.name)
		for _, f := range report.Findings {
			require.NotContains(t, f.Message, "secretsignature", "DYN-37 %s", row.name)
		}
	}
	expires, _ := linkRows[0].check(t)
	require.Equal(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), expires)
}

// TestEveryCode: each code of the table is found by a case.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	cases := append(packagestest.Corpus(t, "testdata/corpus"), packagestest.Corpus(t, "testdata/assets")...)
	for _, row := range linkRows {
		cases = append(cases, packagestest.Case{Findings: row.want})
	}
	for _, row := range fetchRows {
		cases = append(cases, packagestest.Case{Findings: append(row.want, row.read...)})
	}
	for _, h := range packagestest.HostileArchives(t) {
		cases = append(cases, packagestest.Case{Findings: []string{h.Code}})
	}
	packagestest.Covers(t, cases, func(c finding.Code) bool {
		for _, prefix := range []string{"CE_", "LIC_", "OPS_", "DOC_", "PKG_"} {
			if strings.HasPrefix(c.Code, prefix) {
				return true
			}
		}
		return false
	}, "DOC_NOT_PDF", "DOC_NOT_WORD", "OPS_FUNCTIONAL_MISSING", "PKG_WRONG_EXTENSION", // tables of their own
		"PKG_PROCESSING_ERROR", "PKG_NOT_SCANNED", "PKG_INTERNAL") // of the service around it
}
