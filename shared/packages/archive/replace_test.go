package archive_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/finding"
)

// What is not replaced keeps its compressed bytes (CUA-4); junk is not carried over (AZA-118).
func TestReplace(t *testing.T) {
	t.Parallel()
	before := zipOf(t, file{"mainTemplate.json", "{}"}, file{"scripts/run.sh", "echo " + string(bytes.Repeat([]byte("x"), 5000))}, file{"__MACOSX/._a", "junk"})
	var after bytes.Buffer
	require.NoError(t, archive.Replace(&after, bytes.NewReader(before), int64(len(before)), "mainTemplate.json", []byte(`{"a":1}`)))
	report := finding.New("")
	tree, err := archive.Open(t.Context(), bytes.NewReader(after.Bytes()), int64(after.Len()), report)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Len(t, tree.Files(), 2)
	text, err := tree.File("mainTemplate.json").Read()
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(text))

	raw := func(content []byte, name string) []byte {
		z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		require.NoError(t, err)
		for _, f := range z.File {
			if f.Name == name {
				r, err := f.OpenRaw()
				require.NoError(t, err)
				b, err := io.ReadAll(r)
				require.NoError(t, err)
				return b
			}
		}
		return nil
	}
	require.Equal(t, raw(before, "scripts/run.sh"), raw(after.Bytes(), "scripts/run.sh"))
	require.ErrorContains(t, archive.Replace(io.Discard, bytes.NewReader(nil), 0, "a", nil), "archive")
}
