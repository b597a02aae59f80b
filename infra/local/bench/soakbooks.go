package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"stoa/infra/local/trade"
)

// compare looks whether exactly the accepted events are kept, closes the month, and compares the charges and what the
// publisher reads back with what was accepted.
func (s *soak) compare(ctx context.Context, r *Report) error {
	v := verdict{lost: s.wrong}
	if err := s.client.Pass(ctx, afterSweep); err != nil {
		return err
	}
	if err := s.compareEvents(ctx, &v); err != nil {
		return err
	}
	if err := s.compareLedger(ctx, &v); err != nil {
		return err
	}
	if err := s.compareDays(ctx, &v); err != nil {
		return err
	}
	v.figures(r, fmt.Sprintf("metering for %s with %d × SIGKILL: ", s.For, s.SoakOptions.Kills))
	slices.Sort(s.times) // of a machine on which the same handler also counts and charges; meteringFigures judges it alone
	r.times(s.times)
	return nil
}

// compareEvents looks whether exactly the accepted events are kept.
func (s *soak) compareEvents(ctx context.Context, v *verdict) error {
	kept, err := s.acceptedUsage(ctx)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for at, ids := range kept {
		for _, id := range ids {
			if !s.accepted[id] || found[id] {
				v.doubled = append(v.doubled, fmt.Sprintf("usage %s of %s", id, at))
			}
			found[id] = true
		}
	}
	for id := range s.accepted {
		if !found[id] {
			v.lost = append(v.lost, "usage "+id)
		}
	}
	return nil
}

// compareDays adds up the days that the publisher reads back, of which each must be processed as it was submitted.
func (s *soak) compareDays(ctx context.Context, v *verdict) error {
	type key struct{ resource, dimension string }
	sums := map[key]int64{}
	a, err := s.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodGet,
		Path: "/api/usageEvents" + version + "&usageStartDate=" + s.began.Format(time.DateOnly)}, http.StatusOK)
	if err != nil {
		return err
	}
	var days []struct {
		UsageDate, UsageResourceID, Dimension, ReconStatus string
		SubmittedQuantity, ProcessedQuantity               json.Number
	}
	if err := a.Decode(&days); err != nil {
		return err
	}
	for _, d := range days {
		if d.ReconStatus != "Accepted" || d.SubmittedQuantity != d.ProcessedQuantity {
			v.lost = append(v.lost, fmt.Sprintf("day %s", d))
		}
		n, err := json.Number(strings.TrimSuffix(d.SubmittedQuantity.String(), ".0")).Int64()
		if err != nil {
			return fmt.Errorf("read day %s: %w", d, err)
		}
		sums[key{strings.ToLower(d.UsageResourceID), d.Dimension}] += n
	}
	for _, d := range s.deals {
		for dimension, u := range map[string]usage{"email": d.email, "text": d.text} {
			switch got, want := sums[key{d.id, dimension}], int64(u.quantity); {
			case got < want:
				v.lost = append(v.lost, fmt.Sprintf("the days of %s of %s are %d, want %d", dimension, d.id, got, want))
			case got > want:
				v.doubled = append(v.doubled, fmt.Sprintf("the days of %s of %s are %d, want %d", dimension, d.id, got, want))
			}
		}
	}
	return nil
}
