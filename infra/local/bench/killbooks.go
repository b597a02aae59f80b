package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"stoa/infra/local/trade"
)

// stillTime is how long the ledger must look the same to be taken for complete.
const stillTime = 3 * time.Second

// verdict counts what is wrong, and keeps the first cases of each kind.
type verdict struct {
	lost, doubled, open, traces, unbalanced []string
	failures                                []trade.Failure
}

// report lets the time pass that everything needs, compares the books with what was acknowledged, and reports.
func (k *killRun) report(ctx context.Context, r *Report) error {
	var v verdict
	acts, err := k.compareActs(ctx, &v)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.out, "       acknowledged: %s\n", acts)
	if err := k.compareLedger(ctx, &v); err != nil {
		return err
	}
	v.figures(r, fmt.Sprintf("%d × SIGKILL: ", k.Kills))
	return nil
}

// figures reports what is wrong, with the first cases of each kind.
func (v *verdict) figures(r *Report, name string) {
	var failures []string
	for _, f := range v.failures {
		failures = append(failures, f.String())
	}
	for _, f := range []struct {
		what, unit string
		found      []string
	}{
		{"acknowledged acts lost", "acts", v.lost}, {"acts doubled", "acts", v.doubled}, {"operations not final", "ops", v.open},
		{"outbox rows and markers left", "rows", v.traces}, {"dead letters, which staff replays", "letters", failures},
		{"accounts that are not the journal's", "accounts", v.unbalanced},
	} {
		r.atMost(name+f.what, float64(len(f.found)), f.unit, 0, 0)
		for _, text := range f.found[:min(len(f.found), 8)] {
			fmt.Fprintf(r.Out, "         %.600s\n", text)
		}
	}
}

// compareActs compares subscriptions, usage and operations, once what the dead have left is swept.
func (k *killRun) compareActs(ctx context.Context, v *verdict) (acts string, err error) {
	if err := k.client.Pass(ctx, afterSweep); err != nil {
		return "", err
	}
	finals := func(ctx context.Context) (bool, error) {
		v.open, err = k.openOperations(ctx)
		return len(v.open) == 0, err
	}
	if err := k.settle(ctx, "operations", finals); err != nil {
		return "", err
	}
	all, err := k.client.Subscriptions(ctx)
	if err != nil {
		return "", err
	}
	byName := map[string][]trade.Subscription{}
	for _, s := range all {
		byName[s.Name] = append(byName[s.Name], s)
	}
	used, err := k.acceptedUsage(ctx)
	if err != nil {
		return "", err
	}
	var activated, cancelled, events int
	for _, d := range k.deals {
		found := byName[d.key]
		if len(found) == 0 || found[0].ID != d.id {
			v.lost = append(v.lost, fmt.Sprintf("purchase %q, %s: %v", d.key, d.id, found))
			continue
		}
		if len(found) > 1 {
			v.doubled = append(v.doubled, fmt.Sprintf("purchase %q: %v", d.key, found))
		}
		if want := d.status(); found[0].Status != want {
			v.lost = append(v.lost, fmt.Sprintf("%s is %s, want %s", d.id, found[0].Status, want))
		}
		activated, cancelled = activated+count(d.activated), cancelled+count(d.cancelled)
		for dimension, u := range map[string]usage{"email": d.email, "text": d.text} {
			events += count(u.quantity > 0)
			ids := used[d.id+" "+dimension]
			switch {
			case u.quantity > 0 && (len(ids) == 0 || ids[0] != u.eventID):
				v.lost = append(v.lost, fmt.Sprintf("usage %s of %s: %q, acknowledged %q", dimension, d.id, ids, u.eventID))
			case len(ids) > count(u.quantity > 0):
				v.doubled = append(v.doubled, fmt.Sprintf("usage %s of %s: %q", dimension, d.id, ids))
			}
		}
	}
	return fmt.Sprintf("%d purchases, %d activations, %d usage events, %d cancellations", len(k.deals), activated, events, cancelled), nil
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// status is what a deal's subscription must be.
func (d *deal) status() string {
	switch {
	case d.cancelled:
		return "Unsubscribed"
	case d.activated:
		return "Subscribed"
	}
	return "PendingFulfillmentStart"
}

// acceptedUsage are the ids of accepted events by resource and dimension.
func (k *killRun) acceptedUsage(ctx context.Context) (map[string][]string, error) {
	rows, err := k.tables.Rows(ctx, "usage", "", "u|")
	if err != nil {
		return nil, err
	}
	ids := map[string][]string{}
	for _, r := range rows {
		var u struct{ ResourceID, Dimension, UsageEventID string }
		if err := json.Unmarshal(r.Data, &u); err != nil {
			return nil, fmt.Errorf("read usage %s: %w", r.Key, err)
		}
		at := strings.ToLower(u.ResourceID) + " " + u.Dimension
		ids[at] = append(ids[at], u.UsageEventID)
	}
	return ids, nil
}

// openOperations are the operations that have no outcome.
func (k *killRun) openOperations(ctx context.Context) ([]string, error) {
	rows, err := k.tables.Rows(ctx, "subscriptions", "", "op|")
	if err != nil {
		return nil, err
	}
	var open []string
	for _, r := range rows {
		var o struct{ Action, Status string }
		if err := json.Unmarshal(r.Data, &o); err != nil {
			return nil, fmt.Errorf("read operation %s: %w", r.Key, err)
		}
		if o.Status == "InProgress" || o.Status == "NotStarted" {
			open = append(open, fmt.Sprintf("%s %s of %s is %s", o.Action, r.Key, r.Partition, o.Status))
		}
	}
	return open, nil
}

// compareLedger closes the month, replays what the bus has given up, and compares the charges with what was
// acknowledged, and the accounts with the journal they are derived from. Then nothing may be left anywhere.
func (k *killRun) compareLedger(ctx context.Context, v *verdict) (err error) {
	now := k.stack.Clock.Now()
	closed := time.Date(now.Year(), now.Month()+1, 3, 0, 0, 0, 0, time.UTC)
	for _, to := range []time.Time{now.Add(25 * time.Hour), closed} {
		if err := k.pass(ctx, to.Sub(k.stack.Clock.Now()), v); err != nil {
			return err
		}
	}
	lines, err := k.tables.Lines(ctx, "")
	if err != nil {
		return err
	}
	posted, err := k.balances(ctx, v)
	if err != nil {
		return err
	}
	k.compareCharges(v, lines, posted)
	v.traces, err = k.tables.Traces(ctx, k.stack.Clock.Now())
	return err
}

// pass moves the clock and waits for the work that brings; dead letters are noted and replayed.
func (k *killRun) pass(ctx context.Context, by time.Duration, v *verdict) error {
	if err := k.client.Pass(ctx, by); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, f := range v.failures {
		known[f.ID] = true
	}
	for {
		if err := k.settle(ctx, "the ledger", k.still()); err != nil {
			return err
		}
		failures, err := k.client.Failures(ctx)
		if err != nil {
			return err
		}
		again := false
		for _, f := range failures {
			if known[f.ID] {
				continue
			}
			known[f.ID], again, v.failures = true, true, append(v.failures, f)
			if err := k.client.Replay(ctx, f); err != nil {
				return err
			}
		}
		if !again {
			return nil
		}
	}
}

// still reports whether the ledger has stopped to grow: messages on the queues leave no trace in the agenda.
func (k *killRun) still() func(context.Context) (bool, error) {
	last, since := -1, time.Now()
	return func(ctx context.Context) (bool, error) {
		began := time.Now()
		rows, err := k.tables.Rows(ctx, "ledger", "", "")
		if len(rows) != last {
			last, since = len(rows), began
		}
		return began.Sub(since) >= stillTime, err
	}
}

// compareCharges looks for one charge of each activated term and of each event, with one posting for the customer.
func (k *killRun) compareCharges(v *verdict, lines []trade.Line, posted map[string][]int64) {
	found := map[string][]trade.Line{}
	for _, l := range lines {
		at := l.SubscriptionID + " " + l.Kind + l.Dimension
		found[at] = append(found[at], l)
	}
	check := func(at string, net int64) {
		of := found[at]
		delete(found, at)
		switch {
		case net == 0:
		case len(of) == 0 || of[0].Net != net:
			v.lost = append(v.lost, fmt.Sprintf("charge %s: %v, want %d", at, of, net))
			return
		}
		if len(of) > count(net > 0) {
			v.doubled = append(v.doubled, fmt.Sprintf("charge %s: %v", at, of))
		}
		for _, l := range of {
			switch n := posted[l.ID]; {
			case len(n) == 0 && l.State == "voided": // cancelled before it was charged
			case len(n) == 0:
				v.lost = append(v.lost, fmt.Sprintf("posting of charge %s", at))
			case len(n) > 1 || n[0] != l.Net:
				v.doubled = append(v.doubled, fmt.Sprintf("posting of charge %s: %v", at, n))
			}
		}
	}
	for _, d := range k.deals {
		for _, l := range found[d.id+" term"] {
			if (l.State == "voided") != d.cancelled { // cancelled inside the free window, so never paid
				v.lost = append(v.lost, fmt.Sprintf("the term of %s is %s, cancelled: %t", d.id, l.State, d.cancelled))
			}
		}
		check(d.id+" term", int64(count(d.activated)*fee))
		check(d.id+" meteredemail", int64(d.email.quantity*100))
		check(d.id+" meteredtext", int64(d.text.quantity*2))
	}
	for at, of := range found {
		v.doubled = append(v.doubled, fmt.Sprintf("charge %s of nothing: %v", at, of))
	}
}

// balances compares each account with the postings of the journal, and returns what customers were charged by line.
func (k *killRun) balances(ctx context.Context, v *verdict) (map[string][]int64, error) {
	rows, err := k.tables.Rows(ctx, "ledger", "journal|"+trade.PublisherID, "tx|")
	if err != nil {
		return nil, err
	}
	type sums struct{ debit, credit int64 }
	want := map[string]sums{}
	for _, r := range rows {
		var t struct {
			Postings []struct {
				Account, Side string
				Amount        int64
			}
		}
		if err := json.Unmarshal(r.Data, &t); err != nil {
			return nil, fmt.Errorf("read transaction %s: %w", r.Key, err)
		}
		var balance int64
		for _, p := range t.Postings {
			sum := want[p.Account]
			if p.Side == "debit" {
				sum.debit += p.Amount
				balance += p.Amount
			} else {
				sum.credit += p.Amount
				balance -= p.Amount
			}
			want[p.Account] = sum
		}
		if balance != 0 || len(t.Postings) == 0 {
			v.unbalanced = append(v.unbalanced, fmt.Sprintf("transaction %s is out of balance by %d", r.Key, balance))
		}
	}
	posted := map[string][]int64{}
	for name, sum := range want {
		a, err := k.client.Account(ctx, name)
		if err != nil {
			return nil, err
		}
		got := sums{}
		for _, p := range a.Postings {
			if p.Side == "debit" {
				got.debit += p.Amount
			} else {
				got.credit += p.Amount
			}
			if strings.HasSuffix(name, ":unbilled") && p.Event == "charge.posted" {
				posted[p.LineID] = append(posted[p.LineID], p.Amount)
			}
		}
		if got != sum || a.Debit != sum.debit || a.Credit != sum.credit {
			v.unbalanced = append(v.unbalanced, fmt.Sprintf("%s: postings %v, sums %d %d, the journal has %v", name, got, a.Debit, a.Credit, sum))
		}
	}
	return posted, nil
}
