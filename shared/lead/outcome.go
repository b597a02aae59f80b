package lead

import (
	"crypto/x509"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
)

// The codes of an attempt's outcome (6.6).
const (
	AuthFailed  = "DestinationAuthFailed"
	Timeout     = "DestinationTimeout"
	Unavailable = "DestinationUnavailable"
	Rejected    = "DestinationRejected"
)

// outcome is what an attempt came to.
type outcome struct {
	delivered bool
	permanent bool // trying again is useless (LED-43)
	unrouted  bool // there is no destination that takes the lead
	code      string
	status    int
	after     time.Duration // the destination's own wish for the next attempt
}

// ofReply judges an answer (LED-42, LED-43, LED-49, LED-57).
func ofReply(r call.Reply, now time.Time) outcome {
	o := outcome{status: r.Status, after: retryAfter(r.Header, now)}
	switch {
	case r.Status >= 200 && r.Status < 300:
		o.delivered = true
	case r.Status == 408, r.Status == 425, r.Status == 429, r.Status >= 500:
		o.code = Unavailable
	case r.Status == 401, r.Status == 403:
		o.code, o.permanent = AuthFailed, true
	default: // redirects included: the publisher's flow has moved, and only the publisher knows where (LED-49)
		o.code, o.permanent = Rejected, true
	}
	return o
}

// ofError judges an attempt without an answer.
func ofError(err error) outcome {
	var f *fault.Error
	if !errors.As(err, &f) {
		return outcome{code: Unavailable}
	}
	switch {
	case f.Code == "CallTimeout":
		return outcome{code: Timeout}
	case f.Code == "AddressNotAllowed":
		return outcome{code: "EndpointNotPublic", permanent: true}
	case badCertificate(err):
		return outcome{code: Rejected, permanent: true}
	case f.Kind.Transient():
		return outcome{code: Unavailable}
	}
	return outcome{code: f.Code, permanent: true}
}

func badCertificate(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// retryAfter reads the header in both its forms; zero when it is absent or in the past.
func retryAfter(header map[string]string, now time.Time) time.Duration {
	for name, value := range header {
		if !strings.EqualFold(name, "Retry-After") {
			continue
		}
		if seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32); err == nil {
			return max(0, time.Duration(seconds)*time.Second)
		}
		if at, err := time.Parse(time.RFC1123, strings.TrimSpace(value)); err == nil {
			return max(0, at.Sub(now))
		}
	}
	return 0
}

// delays stand between the attempts of a round; the last one repeats (LED-42).
var delays = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// giveUp is how long a round goes on.
const giveUp = 72 * time.Hour

// nextDue is when a lead is tried again after its tries so far, or false when the round is over. The jitter of
// 10 % comes from the lead, so that a repeat finds the same time.
func nextDue(l *Lead, now time.Time, wish time.Duration) (time.Time, bool) {
	delay := delays[min(max(l.Tries, 1), len(delays))-1]
	h := fnv.New32a()
	h.Write([]byte(l.ID + "#" + strconv.Itoa(l.Next)))
	delay = delay / 10_000 * time.Duration(9_000+h.Sum32()%2_001)
	due := now.Add(max(delay, wish))
	return due, !due.After(l.Round.Add(giveUp))
}
