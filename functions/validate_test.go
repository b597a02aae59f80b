package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	sampleTemplate = `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",
		"parameters":{"location":{"type":"string","metadata":{"description":"where"}}},"resources":[]}`
	sampleUI = `{"$schema":"https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
		"handler":"Microsoft.Azure.CreateUIDef","version":"0.1.2-preview","parameters":{"basics":[],"steps":[],"outputs":{"location":"[location()]"}}}`
)

// samples are packages in a folder of their own: an unpacked one, the same as a zip, and a lone template.
func samples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	put("app/mainTemplate.json", sampleTemplate)
	put("app/createUiDefinition.json", sampleUI)
	put("broken/mainTemplate.json", sampleTemplate)
	put("lone.json", strings.Replace(sampleTemplate, "2019-04-01", "1999-01-01", 1))
	put("lone.parameters.json", `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#","contentVersion":"1.0.0.0","parameters":{}}`)
	put("manifest.json", `{"version":"1.0.0"}`)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{"mainTemplate.json": sampleTemplate, "createUiDefinition.json": sampleUI} {
		e, err := w.Create(name)
		require.NoError(t, err)
		_, err = e.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	put("app.zip", b.String())
	return dir
}

func TestValidateCommand(t *testing.T) {
	t.Parallel()
	dir := samples(t)
	for _, row := range []struct {
		name string
		args []string
		exit int
		says string // on the output, or among the problems when it could not run
	}{
		{"a folder", []string{"app"}, 0, "app (AzureApplication, 2 files): accepted"},
		{"a zip", []string{"app.zip"}, 0, "app.zip (AzureApplication, 2 files): accepted"},
		{"an incomplete folder", []string{"broken"}, 1, "APP_UI_DEFINITION_MISSING"},
		{"a lone template", []string{"lone.json"}, 0, "DeploymentTemplate-Schema-Is-Correct"},
		{"a parameters file", []string{"lone.parameters.json"}, 0, "accepted"},
		{"another type", []string{"--type", "ManagedService", "manifest.json"}, 1, "MSO_TENANT_ID"},
		{"no file", nil, 2, "usage"},
		{"two files", []string{"app", "app.zip"}, 2, "usage"},
		{"a file that is not there", []string{"nothing.zip"}, 2, "nothing.zip"},
		{"an unknown type", []string{"--type", "Game", "app.zip"}, 2, "--type must be one of AzureApplication"},
		{"an unknown plan type", []string{"--plan-type", "x", "app.zip"}, 2, "--plan-type"},
		{"an unknown flag", []string{"--fast", "app.zip"}, 2, "usage"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			args := make([]string, len(row.args))
			for i, a := range row.args {
				args[i] = a
				if strings.Contains(a, ".") || a == "app" || a == "broken" {
					args[i] = filepath.Join(dir, a)
				}
			}
			var out, problems bytes.Buffer
			require.Equal(t, row.exit, validate(t.Context(), args, &out, &problems), "%s%s", out.String(), problems.String())
			said := out.String()
			if row.exit == exitNotRun {
				said = problems.String()
				require.Empty(t, out.String())
			}
			require.Contains(t, said, row.says)
		})
	}
}

// The machine's form is one object whose members are the contract.
func TestValidateJSON(t *testing.T) {
	t.Parallel()
	dir := samples(t)
	var out, problems bytes.Buffer
	require.Equal(t, exitBlocked, validate(t.Context(), []string{"--json", filepath.Join(dir, "broken")}, &out, &problems))
	var report struct {
		Type     string
		Blocking bool
		Files    int
		Findings []map[string]any
	}
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&report))
	require.False(t, d.More(), "one object")
	require.Equal(t, "AzureApplication", report.Type)
	require.True(t, report.Blocking)
	require.Equal(t, 1, report.Files)
	require.NotEmpty(t, report.Findings)
	first := report.Findings[0]
	for _, member := range []string{"code", "rule", "severity", "file", "message", "fix"} {
		require.NotEmpty(t, first[member], member)
	}
}
