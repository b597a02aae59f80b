package archive_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/archive/archivetest"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// TestNest opens archives inside archives at the borders of depth and size; all of them share one budget.
func TestNest(t *testing.T) {
	t.Parallel()
	inner := zipOf(t, file{"a.txt", strings.Repeat("a", 1000)})
	size := int64(len(inner))
	for _, row := range []struct {
		name  string
		total int64
		depth int
		raw   []byte
		want  []string
	}{
		{"fits", size + 1000, archive.MaxDepth, inner, nil},
		{"DYN-40 one archive too deep", size + 1000, archive.MaxDepth + 1, inner, []string{"PKG_TOO_DEEP p.zip!/b.zip"}},
		{"AZA-104 the archive itself is over the budget", size - 1, 1, inner, []string{"PKG_BOMB p.zip!/b.zip"}},
		{"AZA-104 its files are over the budget", size + 999, 1, inner, []string{"PKG_BOMB p.zip!/b.zip"}},
		{"no archive", 1000, 1, []byte("text"), []string{"PKG_NOT_ZIP p.zip!/b.zip"}},
		{"empty", 1000, 1, nil, []string{"PKG_EMPTY p.zip!/b.zip"}},
		{"AZA-105 a file of it", 1000, 1, zipOf(t, file{"../a", "x"}), []string{"PKG_UNSAFE_PATH p.zip!/b.zip!/../a"}},
	} {
		report := finding.New("")
		nest := archive.NestWithin(row.total)
		f := &content.File{Name: "b.zip", Size: int64(len(row.raw)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(row.raw)), nil }}
		path := archive.Join("p.zip", f.Name)
		held, err := nest.Bytes(f, path, row.depth, report)
		require.NoError(t, err, row.name)
		if held != nil {
			tree, err := nest.Open(context.Background(), held, held.Size(), path, report)
			require.NoError(t, err, row.name)
			require.Equal(t, len(row.want) == 0, tree != nil, row.name)
		}
		require.ElementsMatch(t, row.want, described(report), row.name)
	}
}

// TestNestHolds refuses to hold what is too long before a byte of it is read.
func TestNestHolds(t *testing.T) {
	t.Parallel()
	for depth, size := range map[int]int64{1: archive.MaxHeld, 2: archive.MaxHeldDeep, 3: archive.MaxHeldDeep} {
		report := finding.New("")
		held, err := archive.NewNest().Bytes(&content.File{Name: "b.zip", Size: size + 1}, "b.zip", depth, report)
		require.NoError(t, err)
		require.Nil(t, held)
		require.Equal(t, []string{"PKG_TOO_LARGE b.zip"}, described(report))
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for _, row := range [][3]string{{"", "a", "a"}, {"a.zip", "", "a.zip"}, {"a.zip", ".", "a.zip"}, {"a.zip", "b/c.zip", "a.zip!/b/c.zip"}} {
		require.Equal(t, row[2], archive.Join(row[0], row[1]))
	}
}

// TestBuilt opens what the builder of tests makes.
func TestBuilt(t *testing.T) {
	t.Parallel()
	raw := archivetest.Zip(t, []archivetest.File{{Name: "a.zip!/b.zip!/c", Bytes: []byte("x")}, {Name: "a.zip!/d", Bytes: []byte("y")}}, nil)
	tree, err := archive.Open(context.Background(), bytes.NewReader(raw), int64(len(raw)), finding.New(""))
	require.NoError(t, err)
	require.Len(t, tree.Files(), 1)
}
