package host

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// schedule is an NCRONTAB expression in its time zone.
type schedule struct {
	spec     *cron.SpecSchedule
	location *time.Location
}

var ncrontab = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// andDays is the library's mark of a starred day field. With it a day must fit day and day-of-week, as
// in NCRONTAB, where cron would be content with one of the two.
const andDays = 1 << 63

func parseSchedule(text string) (schedule, error) {
	if n := len(strings.Fields(text)); n != 6 || strings.ContainsAny(text, "@=?") {
		return schedule{}, fmt.Errorf("schedule %q is no six-field NCRONTAB expression", text)
	}
	parsed, err := ncrontab.Parse(text)
	if err != nil {
		return schedule{}, fmt.Errorf("schedule %q: %w", text, err)
	}
	spec := parsed.(*cron.SpecSchedule)
	spec.Dom |= andDays
	return schedule{spec: spec, location: time.UTC}, nil
}

// next returns the first occurrence after t, in UTC.
func (s schedule) next(t time.Time) time.Time { return s.spec.Next(t.In(s.location)).UTC() }

// underMinute tells whether two of the next occurrences lie less than a minute apart.
func (s schedule) underMinute(from time.Time) bool {
	last := s.next(from)
	for range 5 {
		next := s.next(last)
		if next.Sub(last) < time.Minute {
			return true
		}
		last = next
	}
	return false
}

// scheduleStatus is what the monitor keeps of a timer (HST-23).
type scheduleStatus struct {
	Last        time.Time
	Next        time.Time
	LastUpdated time.Time
}

// timer is one timerTrigger function.
type timer struct {
	function *function
	schedule schedule
	monitor  bool // keeps a status: not for schedules under a minute

	mu      sync.Mutex
	next    time.Time
	late    bool // the next run was missed while the host was down
	running bool
	status  scheduleStatus
}

// startTimers prepares every timer and starts the goroutine that compares the moved clock with them.
func (h *Host) startTimers(ctx context.Context) {
	h.schedules = map[string]*timer{}
	location := h.timeZone()
	var active []*timer
	for i := range h.functions {
		f := &h.functions[i]
		if f.trigger.kind() != triggerTimer {
			continue
		}
		parsed, err := parseSchedule(f.trigger.Schedule)
		if err != nil {
			h.logFunction(Error, f.name, "%v", err)
			continue
		}
		parsed.location = location
		t := &timer{function: f, schedule: parsed}
		h.schedules[f.name] = t
		now := h.opts.Now()
		t.monitor = (f.trigger.UseMonitor == nil || *f.trigger.UseMonitor) && !parsed.underMinute(now)
		t.begin(now, h.savedStatus(ctx, t))
		if !f.disabled {
			active = append(active, t)
		}
	}
	if len(active) == 0 {
		return
	}
	for _, t := range active {
		if t.function.trigger.RunOnStartup {
			h.fire(t, h.opts.Now(), t.late)
		}
	}
	h.triggers.Add(1)
	go func() {
		defer h.triggers.Done()
		h.tickTimers(ctx, active)
	}()
}

// begin sets the first run: the one after now, or, when the saved status says that a run was missed, now.
func (t *timer) begin(now time.Time, saved *scheduleStatus) {
	t.next = t.schedule.next(now)
	t.status = scheduleStatus{Next: t.next, LastUpdated: now}
	if saved == nil {
		return
	}
	t.status = *saved
	due := saved.Next
	if !saved.Last.IsZero() {
		due = t.schedule.next(saved.Last) // the schedule may have changed since
	}
	if due.Before(now) {
		t.next, t.late = due, true
	}
}

func (h *Host) timeZone() *time.Location {
	name, ok := setting(h.opts.Settings, "WEBSITE_TIME_ZONE")
	if !ok || name == "" {
		return time.UTC
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		h.logf(Error, "WEBSITE_TIME_ZONE: %v, UTC is used", err)
		return time.UTC
	}
	return location
}

func (h *Host) tickTimers(ctx context.Context, timers []*timer) {
	tick := time.NewTicker(h.opts.TimerTick)
	defer tick.Stop()
	for {
		now := h.opts.Now()
		for _, t := range timers {
			if late, due := t.due(now, h.opts.TimerTick); due {
				h.fire(t, now, late)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// due tells whether the timer must run now, and whether it is late: more than one occurrence has passed,
// or one so long ago that it was missed and not merely noticed at the next tick.
func (t *timer) due(now time.Time, tick time.Duration) (late, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running || now.Before(t.next) {
		return false, false
	}
	missed := !t.schedule.next(t.next).After(now) || now.Sub(t.next) > time.Second+2*tick
	return t.late || missed, true
}

// fire runs a timer in the background. Runs of one timer never overlap; occurrences that pass meanwhile
// make one late run.
func (h *Host) fire(t *timer, now time.Time, late bool) {
	t.mu.Lock()
	if t.running {
		t.mu.Unlock()
		return
	}
	t.running, t.late = true, false
	t.mu.Unlock()
	if !h.work.begin() {
		return
	}
	h.triggers.Add(1)
	go func() {
		defer h.triggers.Done()
		defer h.work.end()
		_, _ = h.invoke(h.running, t.function, h.timerCall(t, late)) // a failed run is not repeated
		h.ran(t, now)
	}()
}

// ran notes a run that began at the given time and sets the next one.
func (h *Host) ran(t *timer, began time.Time) {
	t.mu.Lock()
	t.next = t.schedule.next(began)
	t.status = scheduleStatus{Last: began, Next: t.next, LastUpdated: h.opts.Now()}
	t.running = false
	status := t.status
	t.mu.Unlock()
	if t.monitor && h.storage != nil {
		if err := h.storage.saveTimer(h.running, t.function.name, status); err != nil {
			h.logFunction(Warning, t.function.name, "save schedule status: %v", err)
		}
	}
}

// timerCall is the TimerInfo a timer function gets (HST-23).
func (h *Host) timerCall(t *timer, late bool) call {
	info := map[string]any{
		"Schedule":       map[string]any{"AdjustForDST": true},
		"ScheduleStatus": nil,
		"IsPastDue":      late,
	}
	if t != nil && t.monitor {
		t.mu.Lock()
		info["ScheduleStatus"] = map[string]any{
			"Last": isoTime(t.status.Last), "LastUpdated": isoTime(t.status.LastUpdated), "Next": isoTime(t.status.Next),
		}
		t.mu.Unlock()
	}
	return call{value: info, data: bindingData{}}
}

func (h *Host) savedStatus(ctx context.Context, t *timer) *scheduleStatus {
	if !t.monitor || h.storage == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	status, err := h.storage.loadTimer(ctx, t.function.name)
	if err != nil {
		h.logFunction(Warning, t.function.name, "load schedule status: %v", err)
	}
	return status
}
