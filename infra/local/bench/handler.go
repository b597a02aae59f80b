package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"stoa/infra/local/stack"
)

// handlerFigures measures start, memory and size of the handler binary (design numbers, first row).
func handlerFigures(ctx context.Context, s *session, r *Report) error {
	const starts = 7
	var times []time.Duration
	var idle int64
	for range starts {
		h, took, err := StartHandler(ctx, s.Root, s.Settings)
		if err != nil {
			return err
		}
		times = append(times, took)
		time.Sleep(300 * time.Millisecond) // idle: the wiring is done and nothing has been asked
		idle, err = h.RSS()
		h.Stop()
		if err != nil {
			return err
		}
	}
	slices.Sort(times)
	info, err := os.Stat(filepath.Join(s.Root, "handler"))
	if err != nil {
		return fmt.Errorf("measure the handler: %w", err)
	}
	const mb = 1 << 20
	r.atMost("handler: process start to first answer on /", float64(times[starts/2].Microseconds())/1000, "ms", 60, 25)
	r.atMost("handler: idle resident memory", float64(idle)/mb, "MB", 40, 24)
	r.atMost("handler: binary", float64(info.Size())/mb, "MB", 40, 30)
	return nil
}

// session is one run against a stack, with what several parts of it use.
type session struct {
	*stack.Stack
	subject *subject // nil until a part asks for it
}

// parts are what can be measured alone, in the order of a whole run; from the first one on that has a subject the host
// rests. Kill and Soak have a stack of their own.
var parts = []struct {
	name    string
	measure func(context.Context, *session, *Report) error
}{
	{"handler", handlerFigures}, {"certification", certificationFigures}, {"anomalies", anomalyFigures}, {"webhooks", webhookFigures},
	{"subscriptions", subscriptionFigures}, {"metering", meteringFigures},
}

// PartNames are the names that Run takes.
func PartNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// Run measures a part against the stack, or with an empty name all of them. A part that fails does not stop the
// others.
func Run(ctx context.Context, s *stack.Stack, r *Report, only string) error {
	var errs []error
	run := &session{Stack: s}
	defer func() {
		if run.subject != nil {
			run.subject.handler.Stop()
		}
	}()
	for _, p := range parts {
		if only == "" || only == p.name {
			if err := p.measure(ctx, run, r); err != nil {
				errs = append(errs, fmt.Errorf("measure %s: %w", p.name, err))
			}
		}
	}
	return errors.Join(errs...)
}
