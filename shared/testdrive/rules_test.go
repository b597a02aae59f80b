package testdrive

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFill(t *testing.T) {
	t.Parallel()
	outputs := []Output{{"Host Name", "a<b>.example"}, {"url", "https://x.example/?a=1&b=2"}, {"n", "3"}, {"js", "javascript:alert(1)"}}
	for text, want := range map[string]string{
		"Go to {{host name}}":  "Go to a&lt;b&gt;.example", // TDR-61
		"{{ URL }}":            `<a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a>`,
		"{{n}}{{n}}":           "33",
		"[{{nothing}}]":        "[]",
		"{{js}}":               "javascript:alert(1)",
		"{n} {{}} {{ n":        "{n} {{}} {{ n",
		"<b>{{n}}</b> as-is &": "<b>3</b> as-is &",
	} {
		require.Equal(t, want, fill(text, outputs), text)
	}
}

func TestParseOutputs(t *testing.T) {
	t.Parallel()
	got, err := parseOutputs([]byte(`{"outputs":{"Host Name":"h","Ports":[80, 443],"Count":3,"big":12345678901234567890,"on":true,"none":null,"o":{"a": 1}},"more":1}`))
	require.NoError(t, err)
	require.Equal(t, []Output{
		{"Host Name", "h"}, {"Ports", "[80,443]"}, {"Count", "3"}, {"big", "12345678901234567890"}, {"on", "true"}, {"none", ""}, {"o", `{"a":1}`},
	}, got, "TDR-60 in their order, TDR-61 as texts")
	for _, empty := range []string{"", " ", "{}", `{"outputs":null}`, `{"outputs":{}}`} {
		got, err := parseOutputs([]byte(empty))
		require.NoError(t, err, empty)
		require.Empty(t, got, empty)
	}
	for _, bad := range []string{"<html>", "[]", `{"outputs":[1]}`, `{"outputs":"x"}`, `{"outputs":{"a":1}`} {
		_, err := parseOutputs([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestGoOn(t *testing.T) {
	t.Parallel()
	failed := assignment{code: "WorkflowFailed"}
	for _, row := range []struct {
		name    string
		attempt int
		a       assignment
		since   time.Duration
		delay   time.Duration
		again   bool
	}{
		{"first failure", 1, failed, 0, 15 * time.Second, true},
		{"third failure", 3, failed, time.Minute, 5 * time.Minute, true},
		{"fourth failure", 4, failed, time.Minute, 0, false},
		{"permanent", 1, assignment{code: "x", permanent: true}, 0, 0, false},
		{"runs on", 50, assignment{poll: "https://x"}, 89 * time.Minute, pollEvery, true},
		{"TDR-53 90 minutes", 50, assignment{poll: "https://x"}, 90 * time.Minute, 0, false},
		{"asking failed", 9, assignment{poll: "https://x", code: "WorkflowFailed"}, time.Minute, 5 * time.Minute, true},
	} {
		delay, again := goOn(row.attempt, row.a, row.since)
		require.Equal(t, row.again, again, row.name)
		require.Equal(t, row.delay, delay, row.name)
	}
}

func TestCleanupDelay(t *testing.T) {
	t.Parallel()
	require.Equal(t, 5*time.Minute, cleanupDelay(0), "TDR-68")
	require.Equal(t, 5*time.Minute, cleanupDelay(time.Hour-1), "TDR-68")
	require.Equal(t, time.Hour, cleanupDelay(time.Hour), "TDR-68")
}
