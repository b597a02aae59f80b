package stack_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/faults"
	"stoa/infra/local/trade"
)

const (
	boughtOffer = "walk-saas" // leads of it go to an HTTPS endpoint
	askedOffer  = "crash-contact"
	boughtPlan  = "metered"
)

// The accounts a charge and its payment reach (BIL-94).
var chargedAccounts = []string{
	"customer:adadadad-0000-4000-8000-000000000003:unbilled", "customer:adadadad-0000-4000-8000-000000000003:receivable",
	"publisher:contoso:accrued", "platform:revenue:storeFee", "platform:cash",
}

var scenarios = []scenario{
	{name: "purchase", act: buyAndActivate, until: freeWindowOver, look: lookAtPurchase},
	{name: "usage", prepare: buyAndActivate, act: reportUsage, until: cycleOver, look: lookAtUsage},
	{name: "lead", act: askForContact, look: lookAtLeads},
}

func buyAndActivate(ctx context.Context, d *disturbed, s *subject) (err error) {
	if s.id, err = d.client.Purchase(ctx, trade.Order{OfferID: boughtOffer, PlanID: boughtPlan, Key: s.key}); err != nil {
		return err
	}
	resolved, err := d.client.Resolve(ctx, s.id)
	if err != nil {
		return err
	}
	if resolved != s.id {
		return fmt.Errorf("the token of %s resolves to %s", s.id, resolved)
	}
	return d.client.Activate(ctx, s.id, boughtPlan)
}

// freeWindowOver is when the first term is captured (BIL-32).
func freeWindowOver(begun time.Time) time.Time { return begun.Add(25 * time.Hour) }

// lookAtPurchase sees the subscription and its charge.
func lookAtPurchase(ctx context.Context, d *disturbed, s *subject) (state, error) {
	sub, err := d.reader.Subscription(ctx, s.id)
	if err != nil {
		return state{}, err
	}
	start := sub.Term.StartDate == s.begun.Format(time.DateOnly)
	posted, err := d.posted(ctx, s)
	return state{Facts: append([]string{fmt.Sprint(sub.Status, " ", sub.PlanID, " ", sub.Term.TermUnit, " ", start, " ", sub.Trial)}, posted...)}, err
}

// reportUsage sends an event alone, and three more at once of which one is its duplicate and one names nothing.
func reportUsage(ctx context.Context, d *disturbed, s *subject) error {
	event := func(dimension string, quantity int) trade.Usage {
		return trade.Usage{ResourceID: s.id, PlanID: boughtPlan, Dimension: dimension, Quantity: quantity, At: s.begun}
	}
	alone, err := d.client.Report(ctx, event("email", 200))
	if err != nil {
		return err
	}
	ids, refused, err := d.client.ReportBatch(ctx, []trade.Usage{event("email", 1), event("text", 300), event("fax", 1)})
	if err != nil {
		return err
	}
	s.usages = []string{alone, ids[1]}
	if ids[0] != alone || refused[1] != "" || refused[2] != "InvalidDimension" {
		return fmt.Errorf("%s was accepted; the batch says %q, %q", alone, ids, refused)
	}
	return nil
}

// cycleOver is when the term has ended, without a further one, and the cycle is closed (BIL-24, BIL-26).
func cycleOver(begun time.Time) time.Time { return begun.AddDate(0, 0, 40) }

// lookAtUsage sees the cycles, which hold each accepted event once, and the charges they came to.
func lookAtUsage(ctx context.Context, d *disturbed, s *subject) (state, error) {
	cycles, err := d.reader.Cycles(ctx, s.id)
	if err != nil {
		return state{}, err
	}
	var facts []string
	for _, c := range cycles {
		facts = append(facts, fmt.Sprint(c.Dimension, " ", c.State, " ", c.Quantities))
	}
	stored, err := d.tables.Rows(ctx, "usage", s.id, "u|")
	if err != nil {
		return state{}, err
	}
	for _, r := range stored {
		known := slices.ContainsFunc(s.usages, func(id string) bool { return strings.Contains(string(r.Data), id) })
		facts = append(facts, fmt.Sprint(strings.Split(r.Key, "|")[1], " is the one that was acknowledged: ", known))
	}
	sub, err := d.reader.Subscription(ctx, s.id)
	if err != nil {
		return state{}, err
	}
	posted, err := d.posted(ctx, s)
	return state{Facts: append(append(facts, sub.Status), posted...)}, err
}

func askForContact(ctx context.Context, d *disturbed, s *subject) (err error) {
	for i, offer := range []string{boughtOffer, askedOffer} {
		if s.leads[i], err = d.client.Lead(ctx, offer, s.key); err != nil {
			return err
		}
		again, err := d.client.Lead(ctx, offer, s.key)
		if err != nil || again != s.leads[i] {
			return fmt.Errorf("the same event again made lead %s, want %s: %w", again, s.leads[i], err)
		}
	}
	return nil
}

// lookAtLeads sees the leads and where they have arrived. A table knows a lead it has; an HTTPS endpoint may get one
// again when it is not known whether it has it (LED-41).
func lookAtLeads(ctx context.Context, d *disturbed, s *subject) (state, error) {
	var got state
	for _, id := range s.leads {
		found, err := d.reader.LeadState(ctx, id)
		if err != nil {
			return got, err
		}
		got.Facts = append(got.Facts, found)
	}
	for _, r := range d.stack.Sample.Received("/lead") {
		if r.Headers["X-Ms-Lead-Id"] == s.leads[0] && r.Status/100 == 2 {
			got.Repeat++
		}
	}
	rows, err := d.leadRows(ctx, s.leads[1])
	got.Facts = append(got.Facts, fmt.Sprint(rows, " rows"))
	return got, err
}

// posted are the charges of the subject's subscription, and each of their postings; and whether the sums of the
// accounts are those of all postings.
func (d *disturbed) posted(ctx context.Context, s *subject) ([]string, error) {
	lines, err := d.tables.Lines(ctx, s.id)
	if err != nil {
		return nil, err
	}
	var facts []string
	kinds := map[string]string{}
	for _, l := range lines {
		kinds[l.ID] = fmt.Sprint(l.Kind, " ", l.Dimension)
		facts = append(facts, fmt.Sprint(kinds[l.ID], " ", l.State, " ", l.Net))
	}
	for _, name := range chargedAccounts {
		a, err := d.reader.Account(ctx, name)
		if err != nil {
			return nil, err
		}
		var debit, credit int64
		for _, p := range a.Postings {
			if p.Side == "debit" {
				debit += p.Amount
			} else {
				credit += p.Amount
			}
			if kind := kinds[p.LineID]; kind != "" {
				facts = append(facts, fmt.Sprint(name, " ", kind, " ", p.Event, " ", p.Side, " ", p.Amount))
			}
		}
		if debit != a.Debit || credit != a.Credit {
			facts = append(facts, fmt.Sprintf("%s: the sums %d and %d are not those of its postings, %d and %d", name, a.Debit, a.Credit, debit, credit))
		}
	}
	sort.Strings(facts)
	return facts, nil
}

// A scenario comes to the same end when the handler is killed at any of its operations, before or after it happened
// (design, principle 2). STOA_CRASH_SWEEP=full kills at every one.
func TestCrashSweep(t *testing.T) {
	t.Parallel()
	d := startDisturbed(t)
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { d.sweep(t, sc) })
	}
	t.Run("afterwards", d.afterwards)
}

const (
	quickKills = 3  // operations of a scenario that are killed at in a quick run
	mostKills  = 6  // in one run; a message that meets ten is given up and waits for staff
	harmEvery  = 5  // operations
	killEvery  = 23 // operations
)

// namedPlan is a plan of a sweep.
type namedPlan struct {
	name string
	plan faults.Plan
}

// sweepPlans kill at one operation after the other, or in a quick run at a few; harm each fifth; and kill again and again.
func sweepPlans(operations int, full bool) []namedPlan {
	var all []namedPlan
	kill := func(k int, f faults.Fault) {
		all = append(all, namedPlan{fmt.Sprintf("%s %d", f, k), faults.At(k, f)})
	}
	if full {
		for k := 1; k <= operations; k++ {
			kill(k, faults.Kill)
			kill(k, faults.KillLate)
		}
	} else {
		for i := range quickKills {
			kill(1+(2*i+1)*operations/(2*quickKills), []faults.Fault{faults.Kill, faults.KillLate}[i%2])
		}
	}
	for _, f := range []faults.Fault{faults.Refuse, faults.TimeOut, faults.Lose} {
		all = append(all, namedPlan{fmt.Sprintf("%s every %dth", f, harmEvery), faults.Every(harmEvery, f)})
	}
	return append(all, namedPlan{"kill again and again", faults.Most(mostKills, faults.Every(killEvery, faults.Kill, faults.KillLate))})
}

func (d *disturbed) sweep(t *testing.T, sc scenario) {
	first, err := d.run(t.Context(), sc, nil, nil)
	require.NoError(t, err)
	calm, err := d.run(t.Context(), sc, nil, nil)
	require.NoError(t, err)
	require.Equal(t, first.state, calm.state, "undisturbed it always comes to the same end")
	t.Logf("%d operations, ends as %+v", calm.operations, calm.state)
	full := os.Getenv("STOA_CRASH_SWEEP") == "full"
	for _, p := range sweepPlans(calm.operations, full) {
		began := time.Now()
		got, err := d.run(t.Context(), sc, p.plan, &calm.state)
		if err != nil {
			t.Errorf("%s: %v\nfaults %.2000v\nwant   %+v", p.name, err, got.harms, calm.state)
			continue
		}
		t.Logf("%-24s %5d ms, %d rounds, %d operations, faults %.100v", p.name, time.Since(began).Milliseconds(), got.rounds, got.operations, got.harms)
	}
}

// onceEach checks that each purchase made one subscription.
func (d *disturbed) onceEach(ctx context.Context) error {
	all, err := d.reader.Subscriptions(ctx)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, s := range all {
		count[s.Name]++
	}
	for _, f := range d.past {
		if want := 1; f.subject.id != "" && count[f.subject.key] != want {
			return fmt.Errorf("%d subscriptions of %q", count[f.subject.key], f.subject.key)
		}
		if f.scenario.name == "lead" {
			again, err := f.scenario.look(ctx, d, f.subject)
			if err != nil {
				return err
			}
			if again.Repeat != f.ended.Repeat {
				return fmt.Errorf("%s was delivered again afterwards", f.subject.key)
			}
		}
	}
	return nil
}
