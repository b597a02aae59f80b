package rendering_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/rendering"
)

func report() *finding.Report {
	r := finding.New("AzureApplication")
	r.Files = 2
	r.Put(finding.Finding{Code: "APP_CONTENT_VERSION", File: "mainTemplate.json", Path: "/contentVersion", Line: 3, Column: 5, Message: `found "<b>"`, Fix: "write 1.0.0.0"})
	r.Put(finding.Finding{Code: "PKG_ENCRYPTED", File: "a.bin", Message: "encrypted", Fix: "pack it again"})
	r.Put(finding.Finding{Code: "APP_CONTAINER_IN_SOLUTION_TEMPLATE", File: "b.json", Line: 7, Message: "container", PlanTypes: []string{"solution-template"}})
	r.Sort()
	return r
}

// Errors stand before warnings; a finding says where, what, under which code and rule, and what to do.
func TestText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, rendering.Text(&b, "app.zip", report()))
	lines := strings.Split(b.String(), "\n")
	require.Equal(t, "a.bin: error: encrypted [PKG_ENCRYPTED, AZA-105]", lines[0])
	require.Equal(t, "    fix: pack it again", lines[1])
	require.Contains(t, b.String(), "b.json:7: error: container [APP_CONTAINER_IN_SOLUTION_TEMPLATE, AZA-131, only solution-template]\n")
	require.Contains(t, b.String(), "mainTemplate.json:3:5: warning: found \"<b>\" [APP_CONTENT_VERSION, AZA-121]\n    at /contentVersion\n    fix: write 1.0.0.0\n")
	require.True(t, strings.HasSuffix(b.String(), "app.zip (AzureApplication, 2 files): blocked, 2 errors, 1 warning\n"), b.String())
}

func TestHTML(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, rendering.HTML(&b, "<x>.zip", report()))
	require.Contains(t, b.String(), "&lt;x&gt;.zip: validation report")
	require.Contains(t, b.String(), "found &#34;&lt;b&gt;&#34;")
	require.NotContains(t, b.String(), "<b>", "what strangers wrote is text")
	var empty strings.Builder
	require.NoError(t, rendering.HTML(&empty, "a", finding.New("T")))
	require.Contains(t, empty.String(), "Nothing was found.")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteFails(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, rendering.Text(full{}, "a", report()), "full")
	require.ErrorContains(t, rendering.HTML(full{}, "a", report()), "full")
}
