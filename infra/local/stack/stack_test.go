package stack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite"
	"stoa/infra/local/demo"
	"stoa/infra/local/stack"
)

var marketplace *stack.Stack

// registryAddress is where a test may start a container registry.
var registryAddress string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stoa-stack-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		log, err := os.Create(filepath.Join(dir, "stack.log"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer log.Close()
		if registryAddress, err = freeAddress(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		marketplace, err = stack.Start(context.Background(), stack.Options{
			Dir: dir, MaxRestarts: 1000, Log: log, Settings: map[string]string{"STOA_REGISTRY": registryAddress},
		})
		if errors.Is(err, azurite.ErrNotInstalled) && os.Getenv("STOA_TEST_ALL") != "1" {
			fmt.Fprintln(os.Stderr, "skipped:", err)
			return 0
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer marketplace.Stop()
		return m.Run()
	}())
}

// freeAddress is a loopback address nobody listens on, for a process that has to be told where to.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func TestUnknownPathsAnswerInTheEnvelopeOfTheirAPI(t *testing.T) {
	t.Parallel()
	for path, code := range map[string]int{"/portal/v1/nothing": 404, "/storefront/v1/offers": 200, "/nothing": 404} {
		resp, err := http.Get(marketplace.URL() + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, code, resp.StatusCode, "%s: %s", path, body)
		if path == "/portal/v1/nothing" {
			var envelope struct{ Error struct{ Code string } }
			require.NoError(t, json.Unmarshal(body, &envelope))
			require.NotEmpty(t, envelope.Error.Code)
		}
	}
}

// The walk of `make demo`, against the stack of this test.
func TestWalk(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := demo.New(marketplace, &out).Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// startStack starts a marketplace for one test. What it warned of last is shown when the test fails.
func startStack(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	o.Dir = t.TempDir()
	path := filepath.Join(o.Dir, "stack.log")
	log, err := os.Create(path)
	require.NoError(t, err)
	t.Cleanup(func() {
		log.Close()
		if list := warnings(t, path); t.Failed() && len(list) > 0 {
			t.Log(strings.Join(list, "\n"))
		}
	})
	o.Log = log
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

// warnings are the last ones of a log, shortened.
func warnings(t *testing.T, path string) (list []string) {
	const most, width = 20, 600
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
			list = append(list, line[:min(len(line), width)])
		}
	}
	return list[max(0, len(list)-most):]
}
