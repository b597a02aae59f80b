package dev

import (
	"regexp"
	"strconv"
	"time"

	"stoa/shared/fault"
)

var duration = regexp.MustCompile(`^P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$`)

// most is the farthest the clock goes in one move.
const most = 100 * 366 * 24 * time.Hour

// add is the time after an ISO 8601 duration such as P31D, PT1H, P2W or P1M: years and months by the calendar,
// the day clamped to the end of the month, then the rest. Anything else, a negative one included, is Invalid.
func add(t time.Time, text string) (time.Time, error) {
	bad := fault.New(fault.Invalid, "InvalidValue", "advance", "must be an ISO 8601 duration such as P31D, PT1H, P2W or P1M; the clock goes ahead only")
	parts := duration.FindStringSubmatch(text)
	if parts == nil || text[len(text)-1] == 'P' || text[len(text)-1] == 'T' {
		return time.Time{}, bad
	}
	var n [9]int
	for i, part := range parts {
		if i == 0 || i == 5 || part == "" {
			continue
		}
		value, err := strconv.Atoi(part)
		if err != nil {
			return time.Time{}, bad.Because(err)
		}
		n[i] = value
	}
	to := months(t, 12*n[1]+n[2]).AddDate(0, 0, 7*n[3]+n[4])
	to = to.Add(time.Duration(n[6])*time.Hour + time.Duration(n[7])*time.Minute + time.Duration(n[8])*time.Second)
	if to.Sub(t) > most {
		return time.Time{}, bad
	}
	return to, nil
}

// months goes ahead by months; the 31st becomes the last day of a shorter month.
func months(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	h, m, s := t.Clock()
	return time.Date(first.Year(), first.Month(), min(t.Day(), last), h, m, s, t.Nanosecond(), t.Location())
}
