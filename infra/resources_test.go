package infra

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"
)

var (
	tableName     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`)
	containerName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`) // no two hyphens in a row, none at an end
	queueName     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,258}[A-Za-z0-9])?$`)
	functionName  = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

func TestTableNamesAreLegal(t *testing.T) {
	t.Parallel()
	requireUnique(t, All.Tables)
	for _, name := range All.Tables {
		require.Regexp(t, tableName, name)
		require.NotEqual(t, "tables", strings.ToLower(name), "reserved")
	}
}

func TestQueuesAreLegal(t *testing.T) {
	t.Parallel()
	var names []string
	for _, q := range All.Queues {
		names = append(names, q.Name)
		require.Regexp(t, queueName, q.Name)
		require.Positive(t, q.MaxDeliveryCount, q.Name)
		require.LessOrEqual(t, q.MaxDeliveryCount, 2000, q.Name)
		require.GreaterOrEqual(t, q.LockDuration, 5*time.Second, q.Name)
		require.LessOrEqual(t, q.LockDuration, 5*time.Minute, q.Name)
		require.GreaterOrEqual(t, q.DuplicateDetectionWindow, 20*time.Second, q.Name)
		require.LessOrEqual(t, q.DuplicateDetectionWindow, 7*24*time.Hour, q.Name)
	}
	requireUnique(t, names)
}

func TestContainersAreLegal(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range All.Containers {
		names = append(names, c.Name)
		require.Regexp(t, containerName, c.Name)
		require.GreaterOrEqual(t, len(c.Name), 3, c.Name)
		require.LessOrEqual(t, len(c.Name), 63, c.Name)
		require.GreaterOrEqual(t, c.DeleteAfterDays, 0, c.Name)
	}
	requireUnique(t, names)
	require.Contains(t, names, All.PackageUploads.Container)
	require.True(t, strings.HasPrefix(All.PackageUploads.Path, All.PackageUploads.Container+"/"))
}

func TestSchedulesParse(t *testing.T) {
	t.Parallel()
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	for name, expression := range All.Schedules {
		_, err := parser.Parse(expression)
		require.NoError(t, err, name)
	}
}

func TestLoadEqualsAll(t *testing.T) {
	t.Parallel()
	loaded, err := Load()
	require.NoError(t, err)
	require.Equal(t, All, loaded)
}

func TestQueueByName(t *testing.T) {
	t.Parallel()
	for _, want := range All.Queues {
		got, ok := All.Queue(want.Name)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	_, ok := All.Queue("no-such-queue")
	require.False(t, ok)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"not JSON":            `{`,
		"unknown member":      `{"topics": []}`,
		"lock not a duration": `{"queues": [{"name": "q", "lockDuration": "1m", "duplicateDetectionWindow": "PT1M"}]}`,
		"window missing":      `{"queues": [{"name": "q", "lockDuration": "PT1M"}]}`,
	} {
		_, err := parse([]byte(data))
		require.Error(t, err, name)
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"PT1M", time.Minute, true},
		{"PT30S", 30 * time.Second, true},
		{"P1DT12H", 36 * time.Hour, true},
		{"P7D", 7 * 24 * time.Hour, true},
		{"PT0S", 0, true},
		{"", 0, false},
		{"P", 0, false},
		{"PT", 0, false},
		{"P1DT", 0, false},
		{"P1M", 0, false},
		{"PT1.5S", 0, false},
		{"-PT1M", 0, false},
		{"PT99999S", 0, false},
	} {
		got, err := parseDuration(row.text)
		require.Equal(t, row.ok, err == nil, "%q: %v", row.text, err)
		require.Equal(t, row.want, got, "%q", row.text)
	}
}

type catalogRow struct {
	Name    string
	Trigger string
	Queue   string
}

func catalog(t *testing.T) []catalogRow {
	t.Helper()
	data, err := os.ReadFile("functions.json")
	require.NoError(t, err)
	var doc struct{ Functions []catalogRow }
	require.NoError(t, json.Unmarshal(data, &doc))
	return doc.Functions
}

func TestFunctionsMeetResources(t *testing.T) {
	t.Parallel()
	var names, queues, timers []string
	for _, f := range catalog(t) {
		names = append(names, f.Name)
		require.Regexp(t, functionName, f.Name)
		require.Equal(t, f.Trigger == "queue", f.Queue != "", f.Name)
		require.Equal(t, f.Trigger == "blob", f.Name == All.PackageUploads.Function, f.Name)
		switch f.Trigger {
		case "queue":
			queues = append(queues, f.Queue)
		case "timer":
			timers = append(timers, f.Name)
		}
	}
	requireUnique(t, names)
	var all []string
	for _, q := range All.Queues {
		all = append(all, q.Name)
	}
	require.ElementsMatch(t, all, queues, "one consumer for every queue")
	slices.Sort(timers)
	require.Equal(t, All.TimerFunctions(), timers)
}

func TestFunctionsAreTheFoldersOfTheBundle(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("../functions/*/function.json")
	require.NoError(t, err)
	if len(found) == 0 {
		require.Empty(t, os.Getenv("STOA_TEST_ALL"), "no function.json found")
		t.Skip("no function.json found")
	}
	var folders, names []string
	for _, file := range found {
		folders = append(folders, filepath.Base(filepath.Dir(file)))
	}
	for _, f := range catalog(t) {
		names = append(names, f.Name)
	}
	require.ElementsMatch(t, folders, names, "infra/functions.json lists the folders of functions/")
}

func requireUnique(t *testing.T, names []string) {
	t.Helper()
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	require.Len(t, slices.Compact(sorted), len(names))
}
