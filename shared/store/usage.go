package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// The usage of a resource is one partition: a row per dimension and hour, whose insert is the duplicate check
// (MTR-53). A further partition per metering identity names its offers, for reading back; such a row is written
// before the first usage it leads to. What is summed up of the usage is in usageseries.go.
//
// A request that reports for 25 resources would need 25 outbox rows. Instead it writes one intent into the agenda
// first, as the marker of its act: the usages it is about to add. After the inserts one message per resource goes to
// the ledger, another announces the whole request, and the intent goes away; when the process dies in between,
// SweepUsage looks which of the usages are there and sends for those.
const (
	usageTable    = "usage"
	usagePrefix   = "u|"   // apart from other rows of a partition
	dryPrefix     = "dry|" // of dry runs, which are no usage and take no hour
	intentPrefix  = "usage|"
	intentsOfRow  = 16 // each up to 25 usages, some 4 kB
	usageWidth    = 8  // resources written at the same time
	usageTries    = 8  // times a transaction loses rows to earlier usage
	maxCallerList = 100_000
)

// Usage keeps accepted usage: metering.Store. Safe for concurrent use.
type Usage struct {
	db       *DB
	journal  *journal[intentData]
	send     *batcher[usageIntent]
	announce []string  // queues that are told of accepted usage besides ledger-events
	counting keyedLock // partitions of series that this process writes to

	mu    sync.Mutex
	known map[string]bool // list rows that are certainly there
}

// NewUsage makes the repository. Accepted usage is announced on the given queues, besides what ledger-events hears
// of it.
func NewUsage(db *DB, announce ...string) *Usage {
	u := &Usage{db: db, journal: newJournal[intentData](db, intentPrefix, intentsOfRow), announce: announce, known: map[string]bool{}}
	u.send = newBatcher(table.MaxOps, 2, u.deliver)
	return u
}

var _ metering.Store = (*Usage)(nil)

// usageIntent is what a request is about to add, and afterwards what it has added.
type usageIntent struct {
	intentData
	marker marker
}

// intentData is the document of an intent.
type intentData struct {
	ID            string     `json:"id"`
	RequestID     string     `json:"requestId,omitempty"`
	CorrelationID string     `json:"correlationId,omitempty"`
	Usages        []intended `json:"usages"`
}

// intended is one usage of an intent.
type intended struct {
	metering.Ref
	EventID string `json:"eventId"`
}

// usageMessage tells the ledger what was accepted for one resource.
type usageMessage struct {
	Kind       string       `json:"kind"`
	ResourceID string       `json:"resourceId"`
	Events     []usageEvent `json:"events"`
}

type usageEvent struct {
	Dimension string `json:"dimension"`
	Hour      string `json:"hour"`
}

func usagePartition(resourceID string) string { return table.Join(strings.ToLower(resourceID)) }

func usageKey(r metering.Ref) string {
	prefix := usagePrefix
	if r.Session == metering.DryRun {
		prefix = dryPrefix
	}
	return prefix + table.Join(r.Dimension, r.Hour)
}

// Add implements metering.Store.
func (s *Usage) Add(ctx context.Context, usages []metering.Usage) []metering.Outcome {
	outcomes := make([]metering.Outcome, len(usages))
	intent, err := s.prepare(ctx, usages)
	if err != nil {
		for i := range outcomes {
			outcomes[i].Err = fmt.Errorf("add usage: %w", err)
		}
		return outcomes
	}
	// The caller who hangs up now does not leave half an act.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	var group sync.WaitGroup
	turns := make(chan struct{}, usageWidth)
	for _, indexes := range byResource(usages) {
		turns <- struct{}{}
		group.Go(func() {
			s.addOfResource(ctx, usages, indexes, outcomes)
			<-turns
		})
	}
	group.Wait()
	s.settle(ctx, intent, outcomes)
	return outcomes
}

// prepare makes the list rows and the intent durable and takes a slot.
func (s *Usage) prepare(ctx context.Context, usages []metering.Usage) (usageIntent, error) {
	if err := s.list(ctx, usages); err != nil {
		return usageIntent{}, err
	}
	if err := s.db.admit(ctx); err != nil {
		return usageIntent{}, err
	}
	cause := message.CauseOf(ctx)
	intent := usageIntent{intentData: intentData{ID: s.db.deps.NewID(), RequestID: cause.RequestID, CorrelationID: cause.CorrelationID}}
	for _, u := range usages {
		intent.Usages = append(intent.Usages, intended{u.Ref(), u.EventID})
	}
	var err error
	if intent.marker, err = s.journal.mark(ctx, intent.intentData); err != nil {
		s.db.leave()
		return usageIntent{}, fmt.Errorf("write intent: %w", err)
	}
	return intent, nil
}

func byResource(usages []metering.Usage) [][]int {
	order := map[string]int{}
	var groups [][]int
	for i, u := range usages {
		n, ok := order[u.ResourceID]
		if !ok {
			n = len(groups)
			order[u.ResourceID] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	return groups
}

// addOfResource adds usages of one resource together. Those that are there already are taken out, so that they
// do not harm the others (MTR-58).
func (s *Usage) addOfResource(ctx context.Context, usages []metering.Usage, indexes []int, outcomes []metering.Outcome) {
	left := append([]int(nil), indexes...)
	for range usageTries {
		if len(left) == 0 {
			return
		}
		ops := make([]table.Op, len(left))
		for n, i := range left {
			ops[n] = insertUsage(usages[i])
		}
		_, err := s.db.Table(usageTable).Apply(ctx, ops...)
		if err == nil {
			for _, i := range left {
				outcomes[i] = metering.Outcome{Added: true}
			}
			return
		}
		n := table.FailedOp(err)
		if len(left) == 1 {
			n = 0
		}
		if n < 0 || !fault.Is(err, fault.Conflict) {
			for _, i := range left {
				outcomes[i].Err = fmt.Errorf("add usage of %s: %w", usages[i].ResourceID, err)
			}
			return
		}
		outcomes[left[n]] = s.existing(ctx, usages[left[n]])
		left = append(left[:n], left[n+1:]...)
	}
	// Many were there already: one by one, all at the same time.
	_ = parallel(left, func(i int) error {
		s.addOfResource(ctx, usages, []int{i}, outcomes)
		return nil
	})
}

func insertUsage(u metering.Usage) table.Op {
	return table.Op{Action: table.Insert, Row: table.Row{
		Partition: usagePartition(u.ResourceID), Key: usageKey(u.Ref()), Data: encode(u),
	}}
}

// existing reads the usage that stands where another was to be inserted.
func (s *Usage) existing(ctx context.Context, u metering.Usage) metering.Outcome {
	there, err := s.Accepted(ctx, u.Ref())
	switch {
	case err != nil:
		return metering.Outcome{Err: fmt.Errorf("add usage of %s: %w", u.ResourceID, err)}
	case there.EventID == u.EventID: // our own, whose answer was lost
		return metering.Outcome{Added: true}
	}
	return metering.Outcome{Existing: there}
}

// Accepted implements metering.Aggregates.
func (s *Usage) Accepted(ctx context.Context, r metering.Ref) (metering.Usage, error) {
	row, err := s.db.Table(usageTable).Get(ctx, usagePartition(r.ResourceID), usageKey(r))
	if err != nil {
		return metering.Usage{}, err
	}
	var u metering.Usage
	return u, decode(row, &u)
}

// settle hands over the delivery of what was added, and gives the slot back by it. A request of which something
// is in doubt is left to the sweep, which looks at the rows.
func (s *Usage) settle(ctx context.Context, intent usageIntent, outcomes []metering.Outcome) {
	var added []intended
	for i, o := range outcomes {
		if o.Err != nil {
			s.db.deps.Log.Warn("usage is in doubt and left to the sweep", "request", intent.ID, "error", o.Err)
			s.db.leave()
			return
		}
		if o.Added {
			added = append(added, intent.Usages[i])
		}
	}
	intent.Usages = added
	if len(added) > 0 {
		intent.marker = s.journal.renew(ctx, intent.intentData, intent.marker)
	}
	s.send.add(intent)
}

// messages are one message per resource for the ledger, and one for the request on each further queue. Their ids
// come from the request and how much of it is told, so that a second sending meets the first, but not one that
// knew of less.
func (i usageIntent) messages(announce []string) []message.Message {
	events := map[string][]usageEvent{}
	var order []string
	refs := make([]metering.Ref, len(i.Usages))
	for n, u := range i.Usages {
		refs[n] = u.Ref
		if u.Session != "" {
			continue // never billed
		}
		if events[u.ResourceID] == nil {
			order = append(order, u.ResourceID)
		}
		events[u.ResourceID] = append(events[u.ResourceID], usageEvent{u.Dimension, u.Hour})
	}
	var msgs []message.Message
	for _, resource := range order {
		id := fmt.Sprintf("usage:%s:%s:%d", i.ID, resource, len(events[resource]))
		msgs = append(msgs, message.New(id, message.LedgerEvents, usageMessage{Kind: "usage", ResourceID: resource, Events: events[resource]}))
	}
	if len(refs) > 0 {
		for _, queue := range announce {
			msgs = append(msgs, message.New(fmt.Sprintf("usage:%s:%d", i.ID, len(refs)), queue, metering.Announced{Events: refs}))
		}
	}
	cause := message.Cause{RequestID: i.RequestID, CorrelationID: i.CorrelationID}
	for n := range msgs {
		msgs[n] = msgs[n].Caused(cause)
	}
	return msgs
}

// deliver sends the messages of requests and removes their intents. What fails stays for the sweep.
func (s *Usage) deliver(batch []usageIntent) {
	ctx, cancel := context.WithTimeout(context.Background(), deliverTime)
	defer cancel()
	defer func() {
		for range batch {
			s.db.leave()
		}
	}()
	var msgs []message.Message
	for _, intent := range batch {
		msgs = append(msgs, intent.messages(s.announce)...)
	}
	for queue, err := range s.db.sendAll(ctx, msgs) {
		s.db.deps.Log.Warn("messages of usage stay for the sweep", "queue", queue, "error", err)
		return
	}
	for _, intent := range batch {
		s.db.done(intent.marker)
	}
}

// Flush waits until the messages of the usage added so far are sent or left to the sweep.
func (s *Usage) Flush(ctx context.Context) error {
	if err := s.send.wait(ctx); err != nil {
		return fmt.Errorf("flush usage: %w", err)
	}
	return s.db.Flush(ctx)
}

// SweepUsage sends the messages of requests whose process died: those with an intent older than 30 s. It returns
// how many intents it found and finished. A failed one does not stop the others.
func (s *Usage) SweepUsage(ctx context.Context) (int, error) {
	now := s.db.deps.Now()
	query := table.Query{
		Partition: intentPrefix, PartitionEnd: table.PrefixEnd(intentPrefix), Until: markerKey(now.Add(-sweepAge)),
		Limit: sweepPage,
	}
	done := 0
	var errs []error
	for range sweepMost {
		page, err := s.db.Table(agendaTable).Query(ctx, query)
		if err != nil {
			return done, fmt.Errorf("sweep usage: %w", errors.Join(append(errs, err)...))
		}
		sheets, err := decodeSheets[intentData](page.Rows)
		errs = append(errs, err)
		for _, sheet := range sheets {
			n, err := s.sweepIntents(ctx, now, sheet)
			done += n
			errs = append(errs, err)
		}
		if page.Next == "" {
			break
		}
		query.After = page.Next
	}
	if err := errors.Join(errs...); err != nil {
		return done, fmt.Errorf("sweep usage: %w", err)
	}
	return done, nil
}

// sweepIntents sends for those usages of intents that are there, and tells of how many intents that was all. The
// row goes when they all are finished, or when it is so old that no writer is at work on them any more.
func (s *Usage) sweepIntents(ctx context.Context, now time.Time, sheet writtenSheet[intentData]) (int, error) {
	complete := make([]bool, len(sheet.markers))
	indexes := make([]int, len(sheet.markers))
	for i := range indexes {
		indexes[i] = i
	}
	if err := parallel(indexes, func(i int) (err error) {
		complete[i], err = s.sweepIntent(ctx, sheet.markers[i])
		return err
	}); err != nil {
		return 0, err
	}
	done := 0
	orphaned := now.Sub(sheet.written) > orphanAge
	for _, c := range complete {
		if c || orphaned {
			done++
		}
	}
	if done < len(complete) {
		return done, nil
	}
	return done, s.db.remove(ctx, []position{sheet.at})
}

// sweepIntent sends for those usages of an intent that are there and reports whether that was all of them.
func (s *Usage) sweepIntent(ctx context.Context, intent intentData) (bool, error) {
	there := usageIntent{intentData: intentData{ID: intent.ID, RequestID: intent.RequestID, CorrelationID: intent.CorrelationID}}
	for _, u := range intent.Usages {
		stands, err := s.Accepted(ctx, u.Ref)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return false, err
		}
		if err == nil && stands.EventID == u.EventID {
			there.Usages = append(there.Usages, u)
		}
	}
	for queue, err := range s.db.sendAll(ctx, there.messages(s.announce)) {
		return false, fmt.Errorf("send to %s: %w", queue, err)
	}
	return len(there.Usages) == len(intent.Usages), nil
}
