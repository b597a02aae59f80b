// Package bench measures the handler against the bare storage SDK on the same Azurite, interleaved in one run.
//
// Ratios are what counts: both sides share one machine and one storage stand-in, so a slow machine slows both.
// Each comparison runs in rounds, ours and the bare SDK's in turn, and the median round is reported. Tokens are
// verified, every answer is checked, nothing is answered before the store has.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result is one figure.
type Result struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target string  `json:"target"` // floor; aim
	OK     bool    `json:"ok"`     // the floor is reached
}

// Report collects figures and prints each as it comes.
type Report struct {
	Out     io.Writer
	Results []Result
}

// atLeast adds a figure that should be high, atMost one that should be low.
func (r *Report) atLeast(name string, value float64, unit string, floor, aim float64) {
	r.add(Result{name, value, unit, fmt.Sprintf("≥ %g; aim %g", floor, aim), value >= floor})
}

func (r *Report) atMost(name string, value float64, unit string, floor, aim float64) {
	r.add(Result{name, value, unit, fmt.Sprintf("≤ %g; aim %g", floor, aim), value <= floor})
}

func (r *Report) add(result Result) {
	r.Results = append(r.Results, result)
	mark := "ok   "
	if !result.OK {
		mark = "SHORT"
	}
	fmt.Fprintf(r.Out, "%s  %-58s %10.3f %-8s %s\n", mark, result.Name, result.Value, result.Unit, result.Target)
}

// The p99 of a request over its median: what a caller waits for at worst, against what it is used to.
const (
	mostSpread = 3
	goodSpread = 2
)

// spread adds the p99 of some requests over their median, and prints both. It puts the times in order.
func (r *Report) spread(name string, times []time.Duration) error {
	n := len(times)
	if n == 0 {
		return fmt.Errorf("%s: nothing was measured", name)
	}
	slices.Sort(times)
	r.atMost(name, float64(times[n*99/100])/float64(times[n/2]), "ratio", mostSpread, goodSpread)
	r.times(times)
	return nil
}

// times prints what some requests took, in order.
func (r *Report) times(sorted []time.Duration) {
	if n := len(sorted); n > 0 {
		fmt.Fprintf(r.Out, "       median %s, p99 %s, most %s of %d\n",
			sorted[n/2].Round(time.Millisecond), sorted[n*99/100].Round(time.Millisecond), sorted[n-1].Round(time.Millisecond), n)
	}
}

// JSON is the report as bench.json holds it.
func (r *Report) JSON() ([]byte, error) {
	raw, err := json.MarshalIndent(r.Results, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return append(raw, '\n'), nil
}

const (
	callers     = 16
	manyCallers = 64
	rounds      = 3
)

// rate runs work from several callers until n pieces are done, and returns pieces a second. A piece that fails
// ends the measurement.
func rate(ctx context.Context, n int, work func(ctx context.Context, i int) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for range callers {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := work(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// side is one side of a comparison: it makes n pieces of work ready and returns the work.
type side func(ctx context.Context, round, n int) (func(ctx context.Context, i int) error, error)

// compare measures ours against the bare SDK in turn and returns the median of the rounds' ratios. Before each turn
// the handler comes to rest, so that neither side pays for what came before.
func (u *subject) compare(ctx context.Context, n int, ours, bare side) (float64, error) {
	var ratios []float64
	for round := range rounds {
		var rates [2]float64
		for k, s := range []side{ours, bare} {
			work, err := s(ctx, round, n)
			if err != nil {
				return 0, err
			}
			if err := u.handler.Rest(ctx); err != nil {
				return 0, err
			}
			if rates[k], err = rate(ctx, n, work); err != nil {
				return 0, err
			}
		}
		ratios = append(ratios, rates[0]/rates[1])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2], nil
}

// client keeps enough connections for all callers.
func client() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = manyCallers
	return &http.Client{Transport: t, Timeout: 30 * time.Second}
}
