package dynamics_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

// linked is what lies behind a link: a file, or why there is none. Reading fails after some bytes with the second.
type linked struct {
	raw      []byte
	size     int64
	err      error
	readable int64
	later    error
}

func (l linked) OpenPackage(context.Context, string) (dynamics.Linked, error) {
	return dynamics.Linked{ReaderAt: l, Size: l.size}, l.err
}

func (l linked) ReadAt(p []byte, at int64) (int, error) {
	if l.later != nil && at+int64(len(p)) > l.readable {
		return 0, l.later
	}
	return bytes.NewReader(l.raw).ReadAt(p, at)
}

var fetchRows = []struct {
	name, link string
	from       linked
	want       []string // where the package is not opened
	read       []string // where reading it fails
}{
	{"no form of a link", "http://a", linked{}, []string{"CE_URL_INVALID packageLocationUrl"}, nil},
	{"gone", good, linked{err: &dynamics.Unreachable{Status: 404, Why: "answers 404"}}, []string{"PKG_FETCH_FAILED packageLocationUrl"}, nil},
	{"refused", good, linked{err: &dynamics.Unreachable{Status: 403, Why: "answers 403"}}, []string{"PKG_FETCH_FAILED packageLocationUrl"}, nil},
	{"refused under a policy", "https://a.example/b/c.zip?si=p&sig=s", linked{err: &dynamics.Unreachable{Status: 403, Why: "answers 403"}}, []string{"CE_SAS_EXPIRY_UNKNOWN packageLocationUrl", "CE_SAS_EXPIRED packageLocationUrl"}, nil},
	{"gone under a policy", "https://a.example/b/c.zip?si=p&sig=s", linked{err: &dynamics.Unreachable{Status: 404, Why: "answers 404"}}, []string{"CE_SAS_EXPIRY_UNKNOWN packageLocationUrl", "PKG_FETCH_FAILED packageLocationUrl"}, nil},
	{"empty", good, linked{}, []string{"PKG_EMPTY crm.zip"}, nil},
	{"a byte too many", good, linked{size: 1<<30 + 1}, []string{"PKG_TOO_LARGE crm.zip"}, nil},
	{"no archive", good, linked{raw: []byte("text"), size: 4}, nil, []string{"PKG_NOT_ZIP ."}},
	{"it fails at once", good, linked{size: 1000, later: &dynamics.Unreachable{Why: "does not answer"}}, nil, []string{"PKG_FETCH_FAILED packageLocationUrl"}},
}

// TestFetch: what keeps a package from being read is a finding, whenever that shows (DYN-37).
func TestFetch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, row := range fetchRows {
		report := finding.New("Dynamics365CustomerEngagement")
		f, err := dynamics.Fetch(t.Context(), row.from, row.link, now, report)
		require.NoError(t, err, row.name)
		require.Equal(t, row.want == nil, f != nil, row.name)
		if f != nil {
			_, err = f.Validate(t.Context(), dynamics.Options{Now: now}, report)
			require.NoError(t, err, row.name)
		}
		require.Equal(t, append(row.want, row.read...), packagestest.Described(report), "DYN-37 %s", row.name)
		for _, found := range report.Findings {
			require.NotContains(t, found.Message, "secretsignature")
		}
	}
}

// TestFetched looks at a package where it lies and at the copy of it (DYN-38), wherever reading it fails.
func TestFetched(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	raw := packagestest.Packed(t, base(t))
	size := int64(len(raw))
	report := finding.New("Dynamics365CustomerEngagement")
	f, err := dynamics.Fetch(t.Context(), linked{raw: raw, size: size}, good, now, report)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), f.Expires)
	found, err := f.Validate(t.Context(), dynamics.Options{Now: now}, report)
	require.NoError(t, err)
	require.Len(t, found, 1)
	var copied bytes.Buffer
	sum, err := f.Copy(t.Context(), &copied, report)
	require.NoError(t, err)
	require.Equal(t, raw, copied.Bytes())
	require.Empty(t, report.Findings)
	digest := sha256.Sum256(raw)
	require.Equal(t, hex.EncodeToString(digest[:]), sum)
	_, err = f.Copy(t.Context(), closedPipe{}, report)
	require.ErrorIs(t, err, io.ErrClosedPipe)

	away := errors.New("cancelled")
	for _, readable := range []int64{0, size / 4, size / 2, size - 1} {
		for _, why := range []error{&dynamics.Unreachable{Why: "has another file"}, away} {
			f, err := dynamics.Fetch(t.Context(), linked{raw: raw, size: size, readable: readable, later: why}, good, now, finding.New(""))
			require.NoError(t, err)
			validated, copied := finding.New(""), finding.New("")
			_, err = f.Validate(t.Context(), dynamics.Options{Now: now}, validated)
			sum, copyErr := f.Copy(t.Context(), io.Discard, copied)
			require.Empty(t, sum)
			if why == away {
				require.ErrorIs(t, err, away)
				require.ErrorIs(t, copyErr, away)
				require.Empty(t, validated.Findings)
				continue
			}
			require.NoError(t, errors.Join(err, copyErr))
			require.Equal(t, []string{"PKG_FETCH_FAILED packageLocationUrl"}, packagestest.Described(validated), "%d bytes", readable)
			require.Equal(t, []string{"PKG_FETCH_FAILED packageLocationUrl"}, packagestest.Described(copied))
		}
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestHostile: an archive that no validator may take is found by both that open one.
func TestHostile(t *testing.T) {
	t.Parallel()
	for _, h := range packagestest.HostileArchives(t) {
		report, assets := finding.New(""), finding.New("")
		tree, err := archive.Open(t.Context(), bytes.NewReader(h.Bytes), h.Size, report)
		require.NoError(t, err)
		if tree != nil {
			_, err := dynamics.Validate(t.Context(), tree, dynamics.Options{}, report)
			require.NoError(t, err)
		}
		require.Contains(t, codesOf(report), h.Code, h.Name)
		_, err = dynamics.ValidateAssets(t.Context(), dynamics.File{Name: "a.zip", Bytes: bytes.NewReader(h.Bytes), Size: h.Size}, assets)
		require.NoError(t, err)
		if h.Code != "PKG_NOT_ZIP" { // which has a code of its own there
			require.Contains(t, codesOf(assets), h.Code, h.Name)
		}
	}
}

func codesOf(report *finding.Report) []string {
	var out []string
	for _, f := range report.Findings {
		out = append(out, f.Code)
	}
	return out
}
