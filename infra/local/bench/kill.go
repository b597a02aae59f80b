package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"stoa/infra/local/demo"
	"stoa/infra/local/stack"
	"stoa/infra/local/trade"
)

// KillOptions say how the handler is killed. Zero values take the defaults.
type KillOptions struct {
	Kills   int    // 200
	Writers int    // 16
	Seed    uint64 // of all that is random; 0 takes one from the clock
}

const (
	defaultKills = 200
	earliestKill = 50 * time.Millisecond // after the handler answers again
	latestKill   = 400 * time.Millisecond
	sweepEvery   = 25               // kills after which the clock is moved
	sweepAfter   = 40 * time.Second // by this, so that the sweep works under the kills as well
	settleTime   = 10 * time.Minute // for what is left when the kills are over
	afterSweep   = 6 * time.Minute  // on the clock: the traces of a dead process are swept
)

// soldPlan is what the writers buy: 100 USD a month, 1 USD an e-mail, 2 cents a text.
const (
	soldOffer = "walk-saas"
	soldPlan  = "metered"
	fee       = 10_000 // cents
)

// Kill kills the handler again and again, at random moments, under writers that buy, activate, report usage and
// cancel, and then asks the books of a stack of its own: is everything that was acknowledged there, and once?
func Kill(ctx context.Context, r *Report, o KillOptions) error {
	if o.Kills == 0 {
		o.Kills = defaultKills
	}
	if o.Writers == 0 {
		o.Writers = callers
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	return alone(ctx, r, o, func(k *killRun) error {
		if err := k.run(ctx); err != nil {
			return fmt.Errorf("kill, seed %d: %w", o.Seed, err)
		}
		return k.report(ctx, r)
	})
}

// alone gives a run a stack of its own.
func alone(ctx context.Context, r *Report, o KillOptions, run func(*killRun) error) error {
	dir, err := os.MkdirTemp("", "stoa-kill-*")
	if err != nil {
		return fmt.Errorf("make room for a stack: %w", err)
	}
	defer os.RemoveAll(dir)
	log, err := os.Create(filepath.Join(dir, "stack.log"))
	if err != nil {
		return fmt.Errorf("make room for a stack: %w", err)
	}
	defer log.Close()
	s, err := stack.Start(ctx, stack.Options{Dir: dir, Log: log, MaxRestarts: 1 << 20})
	if err != nil {
		return fmt.Errorf("start a stack: %w", err)
	}
	defer s.Stop()
	k := &killRun{KillOptions: o, stack: s, client: trade.New(s, o.Writers), out: r.Out}
	if k.tables, err = trade.OpenTables(s.Storage.ConnectionString()); err != nil {
		return fmt.Errorf("open the tables: %w", err)
	}
	return run(k)
}

// killRun is one run, with what was acknowledged in it.
type killRun struct {
	KillOptions
	stack  *stack.Stack
	client *trade.Client
	tables *trade.Tables
	out    io.Writer

	mu    sync.Mutex
	deals []deal
}

// deal is what one writer did with one subscription, as far as it was acknowledged.
type deal struct {
	key                  string
	id                   string
	activated, cancelled bool
	email, text          usage
}

// usage is an accepted event.
type usage struct {
	eventID  string
	quantity int
}

// run lets the writers write until the last kill, and what they have begun come to its end.
func (k *killRun) run(ctx context.Context) error {
	if err := k.client.Pass(ctx, untilMidMonth(k.stack.Clock.Now())); err != nil {
		return err
	}
	if err := demo.New(k.stack, io.Discard).Live(ctx); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := make(chan struct{})
	var group sync.WaitGroup
	for n := range k.Writers {
		group.Go(func() {
			if err := k.write(ctx, n, over); err != nil {
				cancel(err)
			}
		})
	}
	err := k.kill(ctx)
	close(over)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	fmt.Fprintf(k.out, "       %d × SIGKILL in %.0f s, seed %d\n", k.Kills, time.Since(began).Seconds(), k.Seed)
	return err
}

// untilMidMonth is the time to the 20th: the month's usage is closed before a term ends or a purchase runs out.
func untilMidMonth(now time.Time) time.Duration {
	to := time.Date(now.Year(), now.Month(), 20, 12, 0, 0, 0, time.UTC)
	if !to.After(now) {
		to = to.AddDate(0, 1, 0)
	}
	return to.Sub(now)
}

// random makes numbers that depend on the seed and who asks only.
func (k *killRun) random(who int) *rand.Rand { return rand.New(rand.NewPCG(k.Seed, uint64(who))) }

// kill kills the handler, each time some moments after it has answered again.
func (k *killRun) kill(ctx context.Context) error {
	random := k.random(-1)
	for i := range k.Kills {
		if err := k.client.Pass(ctx, 0); err != nil { // it answers
			return err
		}
		wait := earliestKill + time.Duration(random.Int64N(int64(latestKill-earliestKill)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		k.stack.Host.KillHandler()
		if i%sweepEvery == sweepEvery-1 {
			if _, err := k.stack.Clock.Advance(sweepAfter); err != nil {
				return err
			}
		}
	}
	return nil
}

// write makes deals until the kills are over. A deal that was begun is brought to its end.
func (k *killRun) write(ctx context.Context, writer int, over <-chan struct{}) error {
	random := k.random(writer)
	for n := 0; ; n++ {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return nil
		default:
		}
		d := deal{key: fmt.Sprintf("kill %d-%d", writer, n)}
		if err := k.trade(ctx, random, &d); err != nil {
			return fmt.Errorf("%s: %w", d.key, err)
		}
		k.mu.Lock()
		k.deals = append(k.deals, d)
		k.mu.Unlock()
	}
}

// trade makes one deal: always a purchase, mostly an activation and usage, seldom a cancellation.
func (k *killRun) trade(ctx context.Context, random *rand.Rand, d *deal) (err error) {
	order := trade.Order{OfferID: soldOffer, PlanID: soldPlan, Key: d.key}
	if d.id, err = k.client.Purchase(ctx, order); err != nil {
		return err
	}
	if random.IntN(8) == 0 { // a second click
		again, err := k.client.Purchase(ctx, order)
		if err != nil || again != d.id {
			return fmt.Errorf("the same order again made %s, want %s: %w", again, d.id, err)
		}
	}
	if random.IntN(8) == 0 {
		return nil
	}
	if err := k.client.Activate(ctx, d.id, soldPlan); err != nil {
		return err
	}
	d.activated = true
	if d.email, err = k.use(ctx, random, d.id, "email", 1); err != nil {
		return err
	}
	if d.text, err = k.use(ctx, random, d.id, "text", 50); err != nil {
		return err
	}
	if random.IntN(8) == 0 {
		err = k.client.Unsubscribe(ctx, d.id)
		d.cancelled = err == nil
	}
	return err
}

// use reports a number of packs that cost 1 USD each, or by chance nothing.
func (k *killRun) use(ctx context.Context, random *rand.Rand, id, dimension string, pack int) (u usage, err error) {
	packs := random.IntN(6)
	if packs == 0 {
		return u, nil
	}
	u.quantity = packs * pack
	u.eventID, err = k.client.Report(ctx, trade.Usage{
		ResourceID: id, PlanID: soldPlan, Dimension: dimension, Quantity: u.quantity, At: k.stack.Clock.Now(),
	})
	return u, err
}

// settle waits until nothing is under way any more and enough answers yes.
func (k *killRun) settle(ctx context.Context, what string, enough func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	var pending []string
	for {
		began := time.Now()
		var err error
		if pending, err = k.tables.Pending(ctx, k.stack.Clock.Now()); err == nil && len(pending) == 0 {
			if done, err := enough(ctx); err != nil || done {
				return err
			}
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(k.out, "       not settled: %s; %d traces in the agenda, such as %.5q\n", what, len(pending), pending)
			return nil // what is missing shows in the figures
		case <-time.After(max(200*time.Millisecond, 3*time.Since(began))): // looking must not be most of the work
		}
	}
}
