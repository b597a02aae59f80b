package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/infra"
	"stoa/shared/message"
)

// Every function.json says what the mount table says, in the names that code and templates use.
func TestFunctionFilesMeetTheMountTable(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*/function.json")
	require.NoError(t, err)
	var folders []string
	for _, file := range files {
		folders = append(folders, filepath.Dir(file))
	}
	var names []string
	for _, f := range functions {
		names = append(names, f.name)
		b := bindings(t, f.name)
		switch f.trigger {
		case httpTrigger:
			require.Equal(t, []binding{
				{Type: "httpTrigger", Direction: "in", Name: "req", AuthLevel: "anonymous", Route: f.source},
				{Type: "http", Direction: "out", Name: "res"},
			}, b, f.name)
		case queueTrigger:
			require.Equal(t, []binding{{Type: "serviceBusTrigger", Direction: "in", Name: "message", QueueName: f.source, Connection: "Bus"}}, b, f.name)
			_, known := infra.All.Queue(f.source)
			require.True(t, known, f.source)
		case timerTrigger:
			require.Equal(t, []binding{{Type: "timerTrigger", Direction: "in", Name: "timer", Schedule: infra.All.Schedules[f.name]}}, b, f.name)
		case blobTrigger:
			require.Equal(t, []binding{{Type: "blobTrigger", Direction: "in", Name: "package", Path: infra.All.PackageUploads.Path, Connection: "Storage"}}, b, f.name)
			require.Equal(t, infra.All.PackageUploads.Function, f.name)
		}
	}
	require.ElementsMatch(t, folders, names)
}

func TestQueueNamesOfTheCode(t *testing.T) {
	t.Parallel()
	var names []string
	for _, q := range infra.All.Queues {
		names = append(names, q.Name)
	}
	require.ElementsMatch(t, names, message.Queues)
}

// trigger finds the function whose invocations a route would get mixed up with: the host forwards a request to the
// path of its route, and an invocation to the name of its function (HST-20).
func trigger(route string, all []function) string {
	segments := strings.Split(strings.Trim(route, "/"), "/")
	for _, more := range segments[1:] {
		if !strings.HasPrefix(more, "{*") && !strings.HasSuffix(more, "?}") {
			return "" // the path always has more segments
		}
	}
	for _, f := range all {
		if f.trigger == httpTrigger {
			continue
		}
		if strings.HasPrefix(segments[0], "{") || strings.EqualFold(segments[0], f.name) {
			return f.name
		}
	}
	return ""
}

func TestRoutesAreNoTriggers(t *testing.T) {
	t.Parallel()
	for _, f := range functions {
		if f.trigger == httpTrigger {
			require.Empty(t, trigger(f.source, functions), "the route of %s is the path of another trigger", f.name)
		}
	}
	all := []function{{"leads", queueTrigger, "leads"}, {"health", httpTrigger, "healthz"}}
	for route, want := range map[string]string{
		"leads": "leads", "Leads": "leads", "/leads/": "leads", "leads/{*rest}": "leads", "leads/{id?}": "leads", "{*rest}": "leads", "{any}": "leads",
		"leads/{id}": "", "lead": "", "leads2": "", "api/leads": "", "health": "", "healthz": "", "leads/all/{*rest}": "",
	} {
		require.Equal(t, want, trigger(route, all), route)
	}
}
