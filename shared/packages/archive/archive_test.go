package archive_test

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/finding"
)

type file struct{ name, text string }

func zipOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, err := w.Create(f.name)
		require.NoError(t, err)
		_, err = io.WriteString(e, f.text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func described(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, strings.TrimSpace(f.Code+" "+f.File+" "+f.Path))
	}
	return out
}

// TestInflatedLimits is AZA-103 and AZA-104 at their borders, with smaller limits: what counts is what inflates and
// not what the directory says.
func TestInflatedLimits(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 1<<30, archive.MaxEntry, "AZA-103")
	require.EqualValues(t, 4<<30, archive.MaxInflated, "AZA-104")
	content := zipOf(t, file{"a", strings.Repeat("a", 1000)}, file{"b", strings.Repeat("b", 1001)}, file{"c", strings.Repeat("c", 999)})
	for _, row := range []struct {
		name         string
		entry, total int64
		want         []string
	}{
		{"AZA-103 all fit", 1001, 3000, []string{}},
		{"AZA-103 one byte too many", 1000, 3000, []string{"APP_ENTRY_TOO_LARGE b"}},
		{"AZA-104 one byte too many in all", 1001, 2999, []string{"PKG_BOMB ."}},
		{"AZA-104 nothing behind it is read", 1001, 1000, []string{"PKG_BOMB ."}},
		{"AZA-103 every entry is told of", 998, 3000, []string{"APP_ENTRY_TOO_LARGE a", "APP_ENTRY_TOO_LARGE b", "APP_ENTRY_TOO_LARGE c"}},
	} {
		report, err := archive.OpenWithin(content, row.entry, row.total)
		require.NoError(t, err)
		require.Equal(t, row.want, described(report), row.name)
	}
}
