package metering

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Pace is how fast one caller may send requests.
type Pace struct {
	PerSecond int // in the long run
	Burst     int // at once
}

// DefaultPace is far above what one reporter needs: an event for each of 1,000 resources and 30 dimensions takes
// 1,200 batches.
var DefaultPace = Pace{PerSecond: 5_000, Burst: 10_000}

// ParsePace reads a pace such as "5000/10000": requests per second, and at once. Empty is the default.
func ParsePace(text string) (Pace, error) {
	if text == "" {
		return DefaultPace, nil
	}
	perSecond, burst, _ := strings.Cut(text, "/")
	var p Pace
	var err error
	if p.PerSecond, err = strconv.Atoi(perSecond); err == nil {
		p.Burst, err = strconv.Atoi(burst)
	}
	if err != nil || p.PerSecond < 1 || p.Burst < 1 || p.PerSecond > int(time.Second) {
		return p, fmt.Errorf("pace %q: must be two numbers above 0 such as 5000/10000: requests per second, and at once", text)
	}
	return p, nil
}

const throttled = 10_000 // callers that are watched at the same time

// Throttle keeps each caller to a pace (MTR-25), in this process. Safe for concurrent use.
type Throttle struct {
	interval time.Duration // between two requests of the pace
	room     time.Duration // what may be sent at once, in time
	now      func() time.Time

	mu   sync.Mutex
	full *lru.Cache[string, time.Time] // when all that a caller has sent is worked off
}

// NewThrottle makes a throttle.
func NewThrottle(p Pace, now func() time.Time) (*Throttle, error) {
	if p.PerSecond < 1 || p.Burst < 1 || now == nil {
		return nil, fmt.Errorf("metering throttle: a pace and a clock are required")
	}
	full, err := lru.New[string, time.Time](throttled)
	if err != nil {
		return nil, fmt.Errorf("metering throttle: %w", err)
	}
	interval := time.Second / time.Duration(p.PerSecond)
	return &Throttle{interval: interval, room: interval * time.Duration(p.Burst), now: now, full: full}, nil
}

// Take lets a request of the caller through, or is Throttled and says when the next one may come.
func (t *Throttle) Take(c account.Caller) error {
	who, now := c.TenantID+"|"+c.AppID+"|"+c.ObjectID, t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	until, _ := t.full.Get(who)
	if until.Before(now) || until.Sub(now) > t.room { // the clock was set back
		until = now
	}
	if wait := until.Add(t.interval).Sub(now) - t.room; wait > 0 {
		f := fault.New(fault.Throttled, "TooManyRequests", "", "There are too many requests. Try again after %s.", wait)
		f.RetryAfter = wait
		return f
	}
	t.full.Add(who, until.Add(t.interval))
	return nil
}
