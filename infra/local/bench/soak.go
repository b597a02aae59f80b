package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"stoa/infra/local/demo"
	"stoa/infra/local/trade"
)

// SoakOptions say how long metering is under load. Zero values take the defaults.
type SoakOptions struct {
	For       time.Duration // 3 minutes
	Callers   int           // 16
	Resources int           // of each caller; 25
	Kills     int           // of the handler, spread evenly; 2
	Hour      time.Duration // the least time in which the callers send an hour's events; 6 seconds
}

const (
	soakTime      = 3 * time.Minute
	soakResources = 25
	soakKills     = 2
	soakHour      = 6 * time.Second // charges of events take longer than their acceptance, and are to be awaited
	repeatEvery   = 10              // batches, of which one is sent a second time
	textPack      = 50              // texts that cost as much as one e-mail
)

// Soak keeps metering under load on a stack of its own: callers send batches of 25 events, hour by hour on the moved
// clock, while the handler is killed. Then the accepted events must be those that are kept, and the charges of the
// closed month must be their sum.
func Soak(ctx context.Context, r *Report, o SoakOptions) error {
	if o.For == 0 {
		o.For = soakTime
	}
	if o.Kills == 0 {
		o.Kills = soakKills
	}
	if o.Callers == 0 {
		o.Callers = callers
	}
	if o.Resources == 0 {
		o.Resources = soakResources
	}
	if o.Hour == 0 {
		o.Hour = soakHour
	}
	return alone(ctx, r, KillOptions{Kills: o.Kills, Writers: o.Callers}, func(k *killRun) error {
		s := &soak{killRun: k, SoakOptions: o, accepted: map[string]bool{}}
		if err := s.prepare(ctx); err != nil {
			return fmt.Errorf("soak: %w", err)
		}
		if err := s.load(ctx); err != nil {
			return fmt.Errorf("soak: %w", err)
		}
		return s.compare(ctx, r)
	})
}

// soak is one run.
type soak struct {
	*killRun
	SoakOptions

	mu        sync.Mutex
	began     time.Time       // on the clock
	times     []time.Duration // of batches that no kill disturbed
	disturbed time.Time       // until when a kill is felt
	batches   int
	accepted  map[string]bool // ids of events
	repeated  int             // events that were sent a second time
	wrong     []string        // answers
}

// prepare sells the resources, on the second day of a month: the month is long enough for the hours to come.
func (s *soak) prepare(ctx context.Context) error {
	now := s.stack.Clock.Now()
	if err := s.client.Pass(ctx, time.Date(now.Year(), now.Month()+1, 2, 12, 0, 0, 0, time.UTC).Sub(now)); err != nil {
		return err
	}
	if err := demo.New(s.stack, io.Discard).Live(ctx); err != nil {
		return err
	}
	s.deals = make([]deal, s.Callers*s.SoakOptions.Resources)
	_, err := rate(ctx, len(s.deals), func(ctx context.Context, i int) error {
		d := &s.deals[i]
		d.key = fmt.Sprintf("soak %d", i)
		var err error
		if d.id, err = s.client.Purchase(ctx, trade.Order{OfferID: soldOffer, PlanID: soldPlan, Key: d.key}); err != nil {
			return err
		}
		d.activated = true
		return s.client.Activate(ctx, d.id, soldPlan)
	})
	if err != nil {
		return err
	}
	s.began = s.stack.Clock.Now()
	return s.client.Pass(ctx, time.Hour) // to an hour in which all of it is theirs
}

// load sends every hour's events of all resources, and then moves the clock by an hour, until the time is over.
func (s *soak) load(ctx context.Context) error {
	began, hours, kills := time.Now(), 0, 0
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for time.Since(began) < s.For || kills < s.SoakOptions.Kills {
		next := time.After(s.Hour)
		var group sync.WaitGroup
		for c := range s.Callers {
			group.Go(func() {
				if err := s.hour(ctx, c); err != nil {
					cancel(err)
				}
			})
		}
		if kills < s.SoakOptions.Kills && time.Since(began) > s.For*time.Duration(kills+1)/time.Duration(s.SoakOptions.Kills+1) {
			kills++
			if err := s.strike(ctx); err != nil {
				cancel(err)
			}
		}
		group.Wait()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if hours++; hours >= 24*20 { // the month must not end before the books are compared
			break
		}
		<-next
		if err := s.client.Pass(ctx, time.Hour); err != nil {
			return err
		}
	}
	took := time.Since(began).Seconds()
	fmt.Fprintf(s.out, "       %d callers, %.0f s, %d hours on the clock, %d kills: %d events accepted (%.0f a second), %d sent twice\n",
		s.Callers, took, hours, kills, len(s.accepted), float64(len(s.accepted))/took, s.repeated)
	return nil
}

// strike kills the handler while batches are under way, and waits until it answers again.
func (s *soak) strike(ctx context.Context) error {
	s.mark(time.Now().Add(time.Minute))
	time.Sleep(earliestKill)
	s.stack.Host.KillHandler()
	err := s.client.Pass(ctx, 0)
	s.mark(time.Now().Add(time.Second))
	return err
}

func (s *soak) mark(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturbed = until
}

// item is an event of a batch, and where its resource's use of the dimension is added up.
type item struct {
	event trade.Usage
	used  *usage
}

// hour sends the events of one caller's resources in the hour of the clock.
func (s *soak) hour(ctx context.Context, caller int) error {
	mine := s.deals[caller*s.SoakOptions.Resources : (caller+1)*s.SoakOptions.Resources]
	now := s.stack.Clock.Now()
	var items []item
	for i := range mine {
		event := trade.Usage{ResourceID: mine[i].id, PlanID: soldPlan, Dimension: "email", Quantity: 1, At: now}
		items = append(items, item{event, &mine[i].email})
		event.Dimension, event.Quantity = "text", textPack
		items = append(items, item{event, &mine[i].text})
	}
	for batch := range slices.Chunk(items, batchSize) {
		if err := s.send(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// send reports a batch and adds up what was accepted. Now and then it is sent again, when all of it is a duplicate.
func (s *soak) send(ctx context.Context, batch []item) error {
	var events []trade.Usage
	for _, it := range batch {
		events = append(events, it.event)
	}
	began := time.Now()
	ids, refused, err := s.client.ReportBatch(ctx, events)
	if err != nil {
		return err
	}
	if !s.accept(batch, ids, refused, began) {
		return nil
	}
	again, refused, err := s.client.ReportBatch(ctx, events)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, why := range refused {
		if s.repeated++; why != "Duplicate" && why != "" || again[i] != ids[i] {
			s.wrong = append(s.wrong, fmt.Sprintf("%v again: %s of %s, the first was %s", events[i], why, again[i], ids[i]))
		}
	}
	return nil
}

// accept adds up a batch that was answered, and reports whether it is one to send again.
func (s *soak) accept(batch []item, ids, refused []string, began time.Time) (again bool) {
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	if began.After(s.disturbed) {
		s.times = append(s.times, took)
	}
	for i, it := range batch {
		if refused[i] != "" {
			s.wrong = append(s.wrong, fmt.Sprintf("%v: %s", it.event, refused[i]))
			continue
		}
		s.accepted[ids[i]] = true
		it.used.quantity += it.event.Quantity
	}
	s.batches++
	return s.batches%repeatEvery == 0
}
