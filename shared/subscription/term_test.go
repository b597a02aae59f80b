package subscription_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/subscription"
)

func date(text string) time.Time {
	t, err := time.Parse("2006-01-02", text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestTermDates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		anchor         string
		months, length int
		start, end     string
	}{
		{"FUL-32 the guide's first month", "2019-05-31", 0, 1, "2019-05-31", "2019-06-29"},
		{"FUL-32 next after a 31st", "2019-05-31", 1, 1, "2019-06-30", "2019-07-30"},
		{"FUL-32 BIL-38 from the last of January", "2019-01-31", 0, 1, "2019-01-31", "2019-02-27"},
		{"FUL-32 BIL-38 the anchor day comes back after February", "2019-01-31", 1, 1, "2019-02-28", "2019-03-30"},
		{"FUL-32 BIL-38 third term", "2019-01-31", 2, 1, "2019-03-31", "2019-04-29"},
		{"FUL-32 leap year", "2020-01-31", 0, 1, "2020-01-31", "2020-02-28"},
		{"FUL-32 a year", "2019-05-31", 0, 12, "2019-05-31", "2020-05-30"},
		{"FUL-32 BIL-38 a year from a leap day", "2020-02-29", 0, 12, "2020-02-29", "2021-02-27"},
		{"FUL-32 the leap day's second year", "2020-02-29", 12, 12, "2021-02-28", "2022-02-27"},
		{"FUL-32 BIL-38 the leap day comes back", "2020-02-29", 48, 12, "2024-02-29", "2025-02-27"},
		{"FUL-32 first of a month", "2019-06-01", 0, 1, "2019-06-01", "2019-06-30"},
		{"FUL-32 over the turn of the year", "2019-12-15", 0, 1, "2019-12-15", "2020-01-14"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			start, end := subscription.TermDates(date(tc.anchor), tc.months, tc.length)
			require.Equal(t, tc.start, start.Format("2006-01-02"))
			require.Equal(t, tc.end, end.Format("2006-01-02"))
		})
	}
}

// FUL-32: terms follow each other without a gap, and each starts on the anchor day or the last of its month.
func TestTermsAreSeamless(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		anchor := date("2016-01-01").AddDate(0, 0, rapid.IntRange(0, 3000).Draw(t, "day"))
		length := rapid.SampledFrom([]int{1, 12}).Draw(t, "length")
		n := rapid.IntRange(0, 120).Draw(t, "n")
		start, end := subscription.TermDates(anchor, n*length, length)
		next, _ := subscription.TermDates(anchor, (n+1)*length, length)
		require.Equal(t, next, end.AddDate(0, 0, 1))
		last := start.AddDate(0, 0, 1).Day() == 1
		require.True(t, start.Day() == anchor.Day() || last && start.Day() < anchor.Day())
	})
}
