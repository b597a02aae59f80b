package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHostConfig(t *testing.T) {
	t.Parallel()
	handler := `"customHandler":{"description":{"defaultExecutablePath":"handler"}}`
	for _, row := range []struct {
		name, text, fault string
		check             func(*testing.T, hostConfig)
	}{
		{"defaults", `{"version":"2.0",` + handler + `}`, "", func(t *testing.T, c hostConfig) {
			require.Equal(t, "api", c.routePrefix)
			require.Equal(t, 5*time.Minute, c.timeout)
			require.Equal(t, busConfig{16, true, 5 * time.Minute}, c.bus)
			require.Equal(t, 5, c.blobTries)
			require.False(t, c.forwardHTTP)
		}},
		{"given", `{"version":"2.0",` + handler + `,"functionTimeout":"00:10:00","extensions":{"http":{"routePrefix":""},"serviceBus":{"maxConcurrentCalls":3,"autoCompleteMessages":false,"maxAutoLockRenewalDuration":"00:01:00"}}}`, "", func(t *testing.T, c hostConfig) {
			require.Empty(t, c.routePrefix)
			require.Equal(t, 10*time.Minute, c.timeout)
			require.Equal(t, busConfig{3, false, time.Minute}, c.bus)
		}},
		{"unbounded", `{"version":"2.0",` + handler + `,"functionTimeout":"-1"}`, "", func(t *testing.T, c hostConfig) { require.Zero(t, c.timeout) }},
		{"no JSON", `{`, "parse", nil},
		{"other version", `{"version":"1.0",` + handler + `}`, "version", nil},
		{"no executable named", `{"version":"2.0"}`, "defaultExecutablePath", nil},
		{"executable missing", `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"nothing"}}}`, "no such file", nil},
		{"executable is a plain file", `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"host.json"}}}`, "no executable file", nil},
		{"bad timeout", `{"version":"2.0",` + handler + `,"functionTimeout":"5 minutes"}`, "functionTimeout", nil},
		{"timeout of zero", `{"version":"2.0",` + handler + `,"functionTimeout":"00:00:00"}`, "functionTimeout", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(root, "host.json"), []byte(row.text), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(root, "handler"), nil, 0o755))
			c, err := readHostConfig(root)
			if row.fault != "" {
				require.ErrorContains(t, err, row.fault)
				return
			}
			require.NoError(t, err)
			row.check(t, c)
		})
	}
	_, err := readHostConfig(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTimeSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"00:05:00": 5 * time.Minute, "1.02:00:00": 26 * time.Hour, "00:00:00.5": 500 * time.Millisecond, "00:30": 30 * time.Minute,
	} {
		got, err := parseTimeSpan(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "5", "24:00:00", "00:60:00", "00:00:60", "-00:01:00"} {
		_, err := parseTimeSpan(text)
		require.Error(t, err, text)
	}
}

func TestParseFunction(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"Queue": "orders", "AzureWebJobs.off.Disabled": "TRUE"}
	for _, row := range []struct{ name, text, fault string }{
		{"good", httpFunction(""), ""},
		{"off", httpFunction(""), ""},
		{"9lives", httpFunction(""), "not a valid function name"},
		{"a", `{"bindings":[]}`, "no trigger"},
		{"a", `{"bindings":[{"type":"queueTrigger","name":"q"}]}`, "queueTrigger"},
		{"a", `{"bindings":[{"type":"httpTrigger"}]}`, "required"},
		{"a", `{"bindings":[{"type":"httpTrigger","name":"a"},{"type":"timerTrigger","name":"b"}]}`, "both triggers"},
		{"a", `{"bindings":[{"type":"httpTrigger","name":"a","authLevel":"all"}]}`, "authLevel"},
		{"a", `{"bindings":[{"type":"timerTrigger","name":"a","schedule":"* * * * *"}]}`, "six-field"},
		{"a", `{"bindings":[{"type":"timerTrigger","name":"a","schedule":"0 0 25 * * *"}]}`, "schedule"},
		{"a", `{"bindings":[{"type":"serviceBusTrigger","name":"a"}]}`, "queueName"},
		{"a", `{"bindings":[{"type":"serviceBusTrigger","name":"a","queueName":"q","isSessionsEnabled":true}]}`, "isSessionsEnabled"},
		{"a", `{"bindings":[{"type":"serviceBusTrigger","name":"a","queueName":"%Missing%"}]}`, "does not resolve"},
		{"a", `{"bindings":[{"type":"serviceBusTrigger","name":"a","queueName":"%queue%"}]}`, ""},
		{"a", `{"bindings":[{"type":"blobTrigger","name":"a","path":"{c}/x"}]}`, "container"},
		{"a", `{"bindings":[{"type":"blobTrigger","name":"a","path":"c/{x"}]}`, "malformed"},
		{"a", `{"bindings":[{"type":"blobTrigger","name":"a","path":"c/{x}","source":"EventGrid"}]}`, "EventGrid"},
		{"a", `{"retry":{"strategy":"often"},"bindings":[{"type":"httpTrigger","name":"a"}]}`, "strategy"},
		{"a", `[]`, "cannot unmarshal"},
	} {
		f, err := parseFunction(row.name, []byte(row.text), settings)
		if row.fault != "" {
			require.ErrorContains(t, err, row.fault, row.text)
			continue
		}
		require.NoError(t, err, row.text)
		require.Equal(t, row.name == "off", f.disabled)
		if f.trigger.QueueName != "" {
			require.Equal(t, "orders", f.trigger.QueueName)
		}
	}
}

func TestForwardedFunctions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, bindings string
		want           bool
	}{
		{"HST-10 one trigger, one output", `{"type":"httpTrigger","name":"a"},{"type":"http","direction":"out","name":"b"}`, true},
		{"HST-10 $return", `{"type":"HttpTrigger","name":"a"},{"type":"http","direction":"out","name":"$return"}`, true},
		{"HST-10 no output", `{"type":"httpTrigger","name":"a"}`, false},
		{"HST-10 a queue beside", `{"type":"httpTrigger","name":"a"},{"type":"http","direction":"out","name":"b"},{"type":"serviceBus","direction":"out","name":"c"}`, false},
		{"HST-10 another output", `{"type":"httpTrigger","name":"a"},{"type":"serviceBus","direction":"out","name":"c"}`, false},
	} {
		f, err := parseFunction("a", []byte(`{"bindings":[`+row.bindings+`]}`), nil)
		require.NoError(t, err)
		require.Equal(t, row.want, f.forwarded(), row.name)
	}
}

func TestFunctionsInErrorAreLeftOut(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{
		"good": httpFunction(anonymous), "bad": `{"bindings":[{"type":"queueTrigger","name":"q"}]}`,
		"deep/inner": httpFunction(anonymous), "off": httpFunction(anonymous),
	})
	a.opts.Settings["AzureWebJobs.off.Disabled"] = "true"
	h := a.start()
	require.Len(t, h.FunctionErrors(), 1)
	require.ErrorContains(t, h.FunctionErrors()["bad"], "queueTrigger")
	for path, want := range map[string]int{"/good": 200, "/bad": 404, "/inner": 404, "/deep/inner": 404, "/off": 404} {
		reply, _ := a.do("GET", path, "")
		require.Equal(t, want, reply.StatusCode, path)
	}
}
