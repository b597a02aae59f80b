package toolkit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestVerdict is AZA-224 and AZA-225 at the border of 730 days.
func TestVerdict(t *testing.T) {
	t.Parallel()
	const storage = "Microsoft.Storage/storageAccounts"
	day := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name, kind, version string
		now                 time.Time
		says                string
	}{
		{"exactly 730 days", storage, "2024-01-01", day.Add(730 * 24 * time.Hour), ""},
		{"one nanosecond more", storage, "2024-01-01", day.Add(730*24*time.Hour + 1), "730 days"},
		{"without a clock", storage, "2015-06-15", time.Time{}, ""},
		{"the newest of its type", "Microsoft.Logic/workflows", "2019-05-01", day, ""},
		{"a preview below a newer version", "Microsoft.KeyVault/vaults", "2024-04-01-PREVIEW", day, "preview"},
		{"a preview above", "Microsoft.KeyVault/vaults", "2026-03-01-preview", day, ""},
		{"a preview of the same date", "Astronomer.Astro/organizations", "2024-08-27-preview", day, "same date"},
		{"the date of a preview", "Astronomer.Astro/organizations", "2024-08-27", day.AddDate(10, 0, 0), ""},
		{"no date", storage, "2024-13-01", day, "no date"},
		{"a child has the versions of its parent", storage + "/nothing/more", "2015-06-15", day, "730 days"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fault, _ := verdict(row.kind, row.version, row.now, 730)
			require.Equal(t, row.says == "", fault == "", fault)
			require.Contains(t, fault, row.says)
		})
	}
	fault, note := verdict(storage, "2024-01-02", day, 730)
	require.Empty(t, fault)
	require.NotEmpty(t, note)
}

// TestCatalogue: types are in lower case, versions are dates and stand with the newest first.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	require.Greater(t, len(catalogue()), 1000)
	for kind, versions := range catalogue() {
		require.Equal(t, strings.ToLower(kind), kind)
		require.NotEmpty(t, versions)
		require.True(t, slices.IsSortedFunc(versions, func(a, b string) int { return strings.Compare(b, a) }), kind)
		for _, v := range versions {
			require.Equal(t, v, versionDate.FindString(v), kind)
		}
	}
	require.Nil(t, versionsOf("microsoft.storage"))
}
