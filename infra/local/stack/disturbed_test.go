package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/bench"
	"stoa/infra/local/demo"
	"stoa/infra/local/faults"
	"stoa/infra/local/stack"
	"stoa/infra/local/trade"
)

// scenario is something clients do, which must come to the same end however often the handler dies under it.
type scenario struct {
	name string
	// prepare makes, undisturbed, what the act needs. May be nil.
	prepare func(ctx context.Context, d *disturbed, s *subject) error
	// act is disturbed. It repeats what gets no answer.
	act func(ctx context.Context, d *disturbed, s *subject) error
	// until is the time that is to come afterwards, still disturbed. May be nil.
	until func(now time.Time) time.Time
	// look reads what has become of it, undisturbed.
	look func(ctx context.Context, d *disturbed, s *subject) (state, error)
}

// subject is what one run of a scenario is about.
type subject struct {
	key    string // tells runs apart
	id     string // the subscription
	leads  [2]string
	usages []string
	begun  time.Time
}

// state is what a run comes to: what has to be the same in each.
type state struct {
	Facts  []string
	Repeat int // deliveries that may happen more than once where a fault hides their outcome
}

// reaches reports whether a state is as good as the undisturbed one after a number of faults.
func (got state) reaches(want state, harms int) bool {
	return reflect.DeepEqual(got.Facts, want.Facts) && got.Repeat >= want.Repeat && got.Repeat <= want.Repeat+harms
}

// disturbed is a stack whose handler has a script of faults before its storage and bus. Its timers run by hand.
type disturbed struct {
	stack  *stack.Stack
	script *faults.Script
	client *trade.Client // through the host
	reader *trade.Client // through a handler that is never harmed
	tables *trade.Tables
	runs   int
	agenda sync.WaitGroup
	past   []finished
}

// finished is a run that has come to its end, to be looked at again when all are over.
type finished struct {
	scenario scenario
	subject  *subject
	ended    state
}

// startDisturbed starts a stack of its own, with the offers that are bought and asked about.
func startDisturbed(t *testing.T) *disturbed {
	t.Helper()
	d := &disturbed{script: &faults.Script{Hold: 20 * time.Millisecond}}
	settings := map[string]string{}
	for _, timer := range []string{"agenda", "conversions", "payouts"} {
		settings["AzureWebJobs."+timer+".Disabled"] = "true"
	}
	d.stack = startStack(t, stack.Options{MaxRestarts: 100_000, Faults: d.script, Settings: settings})
	t.Cleanup(func() {
		d.script.Arm(nil)
		d.agenda.Wait()
	})
	d.client = trade.New(d.stack, 4)
	var err error
	d.tables, err = trade.OpenTables(d.stack.Storage.ConnectionString())
	require.NoError(t, err)
	d.addReader(t)
	walk := demo.New(d.stack, io.Discard)
	require.NoError(t, walk.Live(t.Context()))
	require.NoError(t, d.contactOffer(t.Context()))
	return d
}

// addReader starts a second handler, past the script.
func (d *disturbed) addReader(t *testing.T) {
	t.Helper()
	settings := map[string]string{}
	for name, value := range d.stack.Settings {
		settings[name] = value
	}
	settings["STOA_STORAGE"], settings["STOA_BUS"] = d.stack.Storage.ConnectionString(), d.stack.Bus.ConnectionString()
	handler, _, err := bench.StartHandler(t.Context(), d.stack.Root, settings)
	require.NoError(t, err)
	t.Cleanup(handler.Stop)
	d.reader = d.client.Through(handler.URL)
}

const (
	runTime    = 90 * time.Second       // a run that has not come to its end by then never will
	firstLook  = 250 * time.Millisecond // before time is moved on
	laterLook  = 2 * time.Second
	calmLook   = 10 * time.Second // of an undisturbed run, which is over when nothing changes any more
	lookAgain  = 30 * time.Millisecond
	timePasses = 6 * time.Minute // more than the sweep waits for the traces of a dead process
)

// restart lets a fresh handler begin, so that each run of a scenario meets the same one.
func (d *disturbed) restart(ctx context.Context) error {
	old := d.stack.Host.HandlerPID()
	d.stack.Host.KillHandler()
	for d.stack.Host.HandlerPID() == old {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return d.client.Pass(ctx, 0) // answered by the new one
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// outcome is what a disturbed run came to.
type outcome struct {
	state      state
	operations int
	harms      []faults.Harm
	rounds     int // how often time had to be moved on
}

// run lets a scenario happen under a plan until it has come to the wanted state and has left no trace, or for good.
func (d *disturbed) run(ctx context.Context, sc scenario, plan faults.Plan, want *state) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	d.script.Arm(nil)
	d.runs++
	s := &subject{key: fmt.Sprintf("%s %d", sc.name, d.runs)}
	if sc.prepare != nil {
		if err := sc.prepare(ctx, d, s); err != nil {
			return o, fmt.Errorf("prepare: %w", err)
		}
	}
	if err := errors.Join(d.quiet(ctx), d.restart(ctx)); err != nil {
		return o, fmt.Errorf("prepare: %w", err)
	}
	s.begun = d.stack.Clock.Now()
	d.script.Arm(plan)
	defer func() {
		o.harms = d.script.Harms()
		d.script.Arm(nil)
	}()
	if err := sc.act(ctx, d, s); err != nil {
		return o, fmt.Errorf("act: %w", err)
	}
	err = d.end(ctx, sc, s, &o, want)
	d.past = append(d.past, finished{sc, s, o.state})
	return o, err
}

// end lets time pass, with what is due, until the scenario has come to its end. Without a wanted state that is when
// a further round changes nothing any more.
func (d *disturbed) end(ctx context.Context, sc scenario, s *subject, o *outcome, want *state) (err error) {
	patience := firstLook
	if want == nil {
		patience = calmLook
	}
	if sc.until != nil {
		if o.state, err = d.await(ctx, sc, s, patience, nil); err != nil {
			return err
		}
		if err := d.client.Pass(ctx, sc.until(s.begun).Sub(d.stack.Clock.Now())); err != nil {
			return err
		}
		d.work(ctx)
	}
	for ; ; o.rounds++ {
		o.state, err = d.await(ctx, sc, s, patience, want)
		if o.rounds == 0 {
			o.operations = d.script.Operations()
		}
		over, stuck := d.over(ctx, o, want, err)
		if over || stuck != nil {
			return stuck
		}
		patience = max(patience, laterLook)
		if err := d.client.Pass(ctx, timePasses); err != nil {
			return err
		}
		d.work(ctx)
	}
}

// over reports whether the run has come to its end. The error says what it was like when it can go no further.
func (d *disturbed) over(ctx context.Context, o *outcome, want *state, err error) (bool, error) {
	pending, pendingErr := d.tables.Pending(context.WithoutCancel(ctx), d.stack.Clock.Now())
	if err = errors.Join(err, pendingErr, context.Cause(ctx)); err != nil {
		return false, fmt.Errorf("after %d rounds: %w\nstate  %+v\ntraces %s", o.rounds, err, o.state, strings.Join(pending, "\n       "))
	}
	if want == nil {
		return o.rounds > 0, nil
	}
	return len(pending) == 0 && o.state.reaches(*want, len(d.script.Harms())), nil
}

// await looks until the state is the wanted one and the agenda is clean, and returns it or, when the patience ends,
// what there is. Without a wanted state it waits until nothing changes any more.
func (d *disturbed) await(ctx context.Context, sc scenario, s *subject, patience time.Duration, want *state) (got state, err error) {
	deadline := time.Now().Add(patience)
	var last state
	for since := time.Now(); ; {
		if got, err = sc.look(ctx, d, s); err != nil {
			return got, err
		}
		pending, err := d.tables.Pending(ctx, d.stack.Clock.Now())
		if err != nil {
			return got, err
		}
		switch {
		case want != nil && len(pending) == 0 && got.reaches(*want, len(d.script.Harms())):
			return got, nil
		case !reflect.DeepEqual(got, last) || len(pending) > 0:
			last, since = got, time.Now()
		case want == nil && time.Since(since) > firstLook:
			return got, nil
		}
		if time.Now().After(deadline) {
			return got, nil
		}
		if err := pause(ctx, lookAgain); err != nil {
			return got, nil // the caller tells what is missing
		}
	}
}

// work does what the agenda's timer would do now. Its last part waits for dead letters; nobody waits for that here.
func (d *disturbed) work(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	d.agenda.Go(func() { _ = d.stack.Host.Run(ctx, "agenda") }) // a killed run is what is tested
}

// quiet waits until nothing is under way, and lets time pass for what a killed handler has left.
func (d *disturbed) quiet(ctx context.Context) error {
	since := time.Now()
	for {
		pending, err := d.tables.Pending(ctx, d.stack.Clock.Now())
		if err != nil || len(pending) == 0 {
			return err
		}
		if time.Since(since) > firstLook {
			if err := d.client.Pass(ctx, timePasses); err != nil {
				return err
			}
			d.work(ctx)
			since = time.Now()
		}
		if err := pause(ctx, lookAgain); err != nil {
			return fmt.Errorf("%w: still %s", err, strings.Join(pending, "\n"))
		}
	}
}

// afterwards checks, when all runs are over and all that is due was done, that no run has been doubled since, that nothing
// waits for staff, and that no trace is left anywhere.
func (d *disturbed) afterwards(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	require.NoError(t, d.client.Pass(ctx, timePasses))
	require.NoError(t, d.stack.Host.Run(ctx, "agenda"))
	require.NoError(t, d.quiet(ctx))
	traces, err := d.tables.Traces(ctx, d.stack.Clock.Now())
	require.NoError(t, err)
	require.Empty(t, traces)
	failures, err := d.reader.Failures(ctx)
	require.NoError(t, err)
	require.Empty(t, failures)
	require.NoError(t, d.onceEach(ctx))
}
