package packages_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/packages"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/packagestest"
)

// vault seals texts so that they are not readable, each for one place.
type vault struct{}

func (vault) Seal(plain, where string) (string, error) {
	return where + "|" + base64.StdEncoding.EncodeToString([]byte(plain)), nil
}

func (vault) Open(sealed, where string) (string, error) {
	rest, ours := bytes.CutPrefix([]byte(sealed), []byte(where+"|"))
	plain, err := base64.StdEncoding.DecodeString(string(rest))
	if !ours || err != nil {
		return "", errors.New("not sealed here")
	}
	return string(plain), nil
}

// blob is what is behind every link.
type blob struct {
	content []byte
	err     error
}

func (b blob) OpenPackage(context.Context, string) (dynamics.Linked, error) {
	return dynamics.Linked{ReaderAt: bytes.NewReader(b.content), Size: int64(len(b.content))}, b.err
}

// Chapter 04, walk 4: a package by its address.
func TestLinkedPackage(t *testing.T) {
	t.Parallel()
	files := packagestest.Changed(t, packagestest.Base(t, "dynamics/testdata/base.txt"), packagestest.Case{})
	good := packagestest.Packed(t, files)
	for i := range files {
		files[i].Name = "folder/" + files[i].Name
	}
	const address = "https://acct.blob.core.windows.net/pkg/Contoso_F365.zip?sv=2020-08-04&sr=b&sp=r&sig=c2VjcmV0"
	for _, row := range []struct {
		name, url string
		behind    blob
		blocking  bool
		want      []string
	}{
		{"DYN-37 in 60 days", address + "&se=2024-07-31T00:00:00Z", blob{content: good}, false, []string{}},
		{"DYN-37 write as well", strings.Replace(address, "sp=r", "sp=rl", 1) + "&se=2024-07-31T00:00:00Z", blob{content: good}, true, []string{"CE_SAS_NOT_READ_ONLY"}},
		{"DYN-37 soon", address + "&se=2024-06-11T00:00:00Z", blob{content: good}, false, []string{"CE_SAS_EXPIRES_SOON"}},
		{"DYN-40 in a folder", address + "&se=2024-07-31T00:00:00Z", blob{content: packagestest.Packed(t, files)}, true, []string{"CE_NESTED_ROOT"}},
		{"DYN-37 away", address + "&se=2024-07-31T00:00:00Z", blob{err: &dynamics.Unreachable{Status: 404, Why: "answers 404"}}, true, []string{"PKG_FETCH_FAILED"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf("SaaS", nil)
			service := s.service(scanner{})
			service.Secrets, service.Links = vault{}, row.behind
			name, err := service.Follow(t.Context(), "contoso", "app", "one", packages.Link{URL: row.url})
			require.NoError(t, err)
			require.NotContains(t, string(s.upload), "c2VjcmV0", "DYN-37: a link is kept sealed")
			record, err := service.Run(t.Context(), "contoso", "app", name)
			require.NoError(t, err)
			require.Equal(t, "Dynamics365CustomerEngagement", record.Type)
			require.Equal(t, row.blocking, record.Blocking, "%s", s.reports[record.Report])
			require.NotContains(t, string(s.reports[record.Report]), "c2VjcmV0")
			var stored packages.Stored
			require.NoError(t, json.Unmarshal(s.reports[record.Report], &stored))
			codes := []string{}
			for _, f := range stored.Findings {
				codes = append(codes, f.Code)
			}
			require.Equal(t, row.want, codes)
			if row.blocking {
				require.Empty(t, s.processed)
				return
			}
			require.Equal(t, good, s.processed[record.Processed], "DYN-38: what was looked at is kept")
			require.Equal(t, packages.Clean, record.Malware)
		})
	}
	s := newShelf("SaaS", []byte("https://acct.blob.core.windows.net/a.zip"))
	service := s.service(nil)
	service.Secrets = vault{}
	record, err := service.Run(t.Context(), "contoso", "app", "two.url")
	require.NoError(t, err)
	require.Contains(t, string(s.reports[record.Report]), "CE_URL_INVALID", "a link that was not given here")
	for _, url := range []string{"", "pkg.zip", "https://x/" + string(make([]byte, 5000))} {
		_, err := service.Follow(t.Context(), "contoso", "app", "three", packages.Link{URL: url})
		require.True(t, fault.Is(err, fault.Invalid))
	}
}
