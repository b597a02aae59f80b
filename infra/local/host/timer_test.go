package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, from, want string }{
		{"HST-23 every two seconds", "*/2 * * * * *", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"},
		{"HST-23 strictly after", "0 */5 * * * *", "2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"},
		{"HST-23 monthly", "0 0 6 15 * *", "2026-01-15T06:00:00Z", "2026-02-15T06:00:00Z"},
		{"HST-23 day and day of week must both fit", "0 0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00Z"},
		{"HST-23 names", "0 0 0 * JUN MON", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"},
	} {
		s, err := parseSchedule(row.text)
		require.NoError(t, err, row.name)
		from, err := time.Parse(time.RFC3339, row.from)
		require.NoError(t, err)
		require.Equal(t, row.want, s.next(from).Format(time.RFC3339), row.name)
	}
}

// timerApp is an app with one timer; the clock stands until it is moved.
func timerApp(t *testing.T, properties string) (*app, *clock) {
	a := newApp(t, "", map[string]string{"tick": `{"bindings":[{"type":"timerTrigger","name":"timer",` + properties + `}]}`})
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC)}
	a.opts.Now = c.Now
	return a, c
}

func timerInfo(t *testing.T, s seen) map[string]any {
	data, _ := envelopeOf(t, s)
	return data["timer"].(map[string]any)
}

func TestTimer(t *testing.T) {
	t.Parallel()
	a, c := timerApp(t, `"schedule":"0 */5 * * * *"`)
	a.start()
	c.advance(4*time.Minute + 30*time.Second)
	info := timerInfo(t, a.awaitCalls(1)[0])
	require.Equal(t, map[string]any{"AdjustForDST": true}, info["Schedule"], "HST-23")
	require.Equal(t, false, info["IsPastDue"], "HST-23: on time")
	require.Equal(t, "2026-01-01T00:05:00Z", info["ScheduleStatus"].(map[string]any)["Next"])
	a.awaitLog(Information, "(Succeeded")

	c.advance(17 * time.Minute) // 00:22: 00:10, 00:15 and 00:20 have passed
	info = timerInfo(t, a.awaitCalls(2)[1])
	require.Equal(t, true, info["IsPastDue"], "HST-23: missed runs fire once, late")
	status := info["ScheduleStatus"].(map[string]any)
	require.Equal(t, "2026-01-01T00:05:00Z", status["Last"])
	require.Equal(t, "2026-01-01T00:10:00Z", status["Next"])
	c.advance(2*time.Minute + 59*time.Second)
	c.advance(time.Second)
	info = timerInfo(t, a.awaitCalls(3)[2])
	require.Equal(t, false, info["IsPastDue"])
	require.Equal(t, "2026-01-01T00:25:00Z", info["ScheduleStatus"].(map[string]any)["Next"])
	require.Len(t, a.seen(), 3)
}

func TestTimerLateByOne(t *testing.T) {
	t.Parallel()
	a, c := timerApp(t, `"schedule":"0 0 6 15 * *"`)
	a.start()
	c.advance(20 * 24 * time.Hour)
	require.Equal(t, true, timerInfo(t, a.awaitCalls(1)[0])["IsPastDue"], "HST-23: five days late")
}

func TestTimerWithoutStatus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, properties string }{
		{"HST-23 under a minute", `"schedule":"*/30 * * * * *"`},
		{"HST-23 useMonitor off", `"schedule":"0 * * * * *","useMonitor":false`},
		{"HST-23 runOnStartup", `"schedule":"0 * * * * *","useMonitor":false,"runOnStartup":true`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, c := timerApp(t, row.properties)
			a.start()
			if row.name != "HST-23 runOnStartup" {
				c.advance(30 * time.Second)
			}
			info := timerInfo(t, a.awaitCalls(1)[0])
			require.Contains(t, info, "ScheduleStatus")
			require.Nil(t, info["ScheduleStatus"])
		})
	}
}

func TestTimerRunsDoNotOverlap(t *testing.T) {
	t.Parallel()
	a, c := timerApp(t, `"schedule":"*/2 * * * * *"`)
	release := make(chan struct{})
	a.onCall = func(seen) answer { <-release; return jsonAnswer(`{}`) }
	a.start()
	c.advance(2 * time.Second)
	a.awaitCalls(1)
	c.advance(10 * time.Second)
	require.Never(t, func() bool { return len(a.seen()) > 1 }, 50*time.Millisecond, 5*time.Millisecond)
	close(release)
	require.Equal(t, true, timerInfo(t, a.awaitCalls(2)[1])["IsPastDue"])
}

func TestTimerByHand(t *testing.T) {
	t.Parallel()
	a, _ := timerApp(t, `"schedule":"0 0 6 15 * *"`)
	a.start()
	reply, _ := a.do("POST", "/admin/functions/tick", `{}`)
	require.Equal(t, 202, reply.StatusCode)
	require.Equal(t, false, timerInfo(t, a.awaitCalls(1)[0])["IsPastDue"])
}

func TestTimeZone(t *testing.T) {
	t.Parallel()
	a, c := timerApp(t, `"schedule":"0 30 9 * * *"`)
	a.opts.Settings["WEBSITE_TIME_ZONE"] = "Asia/Tokyo"
	a.start()
	c.advance(30*time.Minute - 30*time.Second) // 00:30 UTC is 09:30 there
	require.Equal(t, false, timerInfo(t, a.awaitCalls(1)[0])["IsPastDue"])
}
