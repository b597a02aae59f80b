package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// The sums of accepted usage are in partitions of their own, several for an offer by customer, so that no offer is
// held up by the 2,000 entities a second of one partition. In each:
//
//	s|month|dimension|customer|resource  the daily sums of a series
//	t|month|dimension                    the daily sums of the customers that are in the partition
//	p|month|dimension|customer|resource  that the month of the series is open: to be reconciled
//
// The three change in one transaction, so that the sums of an offer are exact whatever comes twice. The partition
// "days" names them all; such a row is written before the first sum it leads to.
const (
	daysIndex     = "days"
	seriesPrefix  = "s|"
	trendPrefix   = "t|"
	pendingPrefix = "p|"
	daysShards    = 16
	countChunk    = 30 // series of a transaction, three rows each
	countTries    = 10 // times a transaction loses to another process
)

// daysPlace is a partition of sums.
type daysPlace struct {
	metering.OfferRef
	Shard string `json:"shard"`
}

func (p daysPlace) partition() string {
	return table.Join("days", p.PublisherID, p.OfferID, p.Shard)
}

func (p daysPlace) indexKey() string { return table.Join(p.PublisherID, p.OfferID, p.Shard) }

func placeOf(u metering.Usage) daysPlace {
	h := fnv.New32a()
	h.Write([]byte(u.CustomerID))
	return daysPlace{metering.OfferRef{PublisherID: u.PublisherID, OfferID: u.OfferID}, fmt.Sprintf("%02d", h.Sum32()%daysShards)}
}

// seriesKey is where a series stands within its month.
func seriesKey(s metering.Series) string { return table.Join(s.Dimension, s.CustomerID, s.ResourceID) }

var (
	_ metering.Aggregates = (*Usage)(nil)
	_ metering.ReconStore = (*Usage)(nil)
)

// Count implements metering.Aggregates.
func (s *Usage) Count(ctx context.Context, usages []metering.Usage) error {
	groups := map[daysPlace][]metering.Usage{}
	var order []daysPlace
	for _, u := range usages {
		at := placeOf(u)
		if groups[at] == nil {
			order = append(order, at)
		}
		groups[at] = append(groups[at], u)
	}
	index := make([]table.Row, len(order))
	for i, at := range order {
		index[i] = table.Row{Partition: daysIndex, Key: at.indexKey(), Data: encode(at)}
	}
	if err := s.ensure(ctx, index); err != nil {
		return fmt.Errorf("list series: %w", err)
	}
	return parallel(order, func(at daysPlace) error {
		unlock := s.counting.lock(at.partition())
		defer unlock()
		for part := range slices.Chunk(groups[at], countChunk) {
			if err := s.countPart(ctx, at, part); err != nil {
				return fmt.Errorf("count usage of %s: %w", at.OfferID, err)
			}
		}
		return nil
	})
}

// countPart adds usage of one partition to its sums, in one transaction.
func (s *Usage) countPart(ctx context.Context, at daysPlace, usages []metering.Usage) error {
	var err error
	for range countTries {
		sums := newSums(s.db.Table(usageTable), at.partition())
		if err = sums.read(ctx, usages); err != nil {
			return err
		}
		for _, u := range usages {
			if err = sums.add(u); err != nil {
				return err
			}
		}
		if len(sums.changed) == 0 {
			return nil
		}
		_, err = s.db.Table(usageTable).Apply(ctx, sums.changed...)
		if !fault.Is(err, fault.StaleETag) && !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "StorageBusy", "", "The sums are busy. Try again.").Because(err)
}

// sums are rows of a partition under change.
type sums struct {
	table     table.Table
	partition string

	mu      sync.Mutex
	rows    map[string]table.Row // by key, as read; without ETag when it is not there
	months  map[string]*metering.Month
	trends  map[string]*metering.TrendMonth
	ops     map[string]int // in changed, by key
	changed []table.Op
}

func newSums(t table.Table, partition string) *sums {
	return &sums{
		table: t, partition: partition, rows: map[string]table.Row{}, months: map[string]*metering.Month{},
		trends: map[string]*metering.TrendMonth{}, ops: map[string]int{},
	}
}

func keysOf(u metering.Usage) (series, trend, open string) {
	month := u.Effective.UTC().Format(metering.MonthLayout)
	at := month + "|" + seriesKey(metering.SeriesOf(u))
	return seriesPrefix + at, trendPrefix + month + "|" + table.Join(u.Dimension), pendingPrefix + at
}

// read reads the rows that the usage will change.
func (m *sums) read(ctx context.Context, usages []metering.Usage) error {
	wanted := map[string]bool{}
	for _, u := range usages {
		series, trend, _ := keysOf(u)
		wanted[series] = true
		if u.Session == "" {
			wanted[trend] = true
		}
	}
	keys := make([]string, 0, len(wanted))
	for key := range wanted {
		keys = append(keys, key)
	}
	return parallel(keys, func(key string) error {
		row, err := m.table.Get(ctx, m.partition, key)
		if fault.Is(err, fault.NotFound) {
			row, err = table.Row{Partition: m.partition, Key: key}, nil
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.rows[key] = row
		return err
	})
}

// add counts usage that is not counted yet.
func (m *sums) add(u metering.Usage) error {
	seriesAt, trendAt, openAt := keysOf(u)
	month := m.months[seriesAt]
	if month == nil {
		month = &metering.Month{Series: metering.SeriesOf(u), Month: u.Effective.UTC().Format(metering.MonthLayout)}
		if err := m.load(seriesAt, month); err != nil {
			return err
		}
		m.months[seriesAt] = month
	}
	added, err := month.Add(u)
	if err != nil || !added {
		return err
	}
	m.put(seriesAt, month)
	if u.Session != "" {
		return nil // analytics does not have it
	}
	trend := m.trends[trendAt]
	if trend == nil {
		trend = &metering.TrendMonth{Dimension: u.Dimension, Month: month.Month}
		if err := m.load(trendAt, trend); err != nil {
			return err
		}
		m.trends[trendAt] = trend
	}
	if err := trend.Add(u); err != nil {
		return err
	}
	m.put(trendAt, trend)
	m.change(openAt, table.Op{Action: table.Upsert, Row: table.Row{Partition: m.partition, Key: openAt, Data: []byte("{}")}})
	return nil
}

func (m *sums) load(key string, v any) error {
	if row := m.rows[key]; row.ETag != "" {
		return decode(row, v)
	}
	return nil
}

// put writes a row that was read, or is new.
func (m *sums) put(key string, v any) {
	row := m.rows[key]
	row.Data = encode(v)
	action := table.Replace
	if row.ETag == "" {
		action = table.Insert
	}
	m.change(key, table.Op{Action: action, Row: row})
}

func (m *sums) change(key string, op table.Op) {
	if i, ok := m.ops[key]; ok {
		m.changed[i] = op
		return
	}
	m.ops[key] = len(m.changed)
	m.changed = append(m.changed, op)
}

// keyedLock lets one at a time work on what has the same name.
type keyedLock struct {
	mu    sync.Mutex
	locks map[string]*namedLock
}

type namedLock struct {
	sync.Mutex
	users int
}

// lock returns when nobody else holds the name, and how to give it back.
func (k *keyedLock) lock(name string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*namedLock{}
	}
	l := k.locks[name]
	if l == nil {
		l = &namedLock{}
		k.locks[name] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, name)
		}
	}
}
