package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/anomaly"
)

const (
	trainedSeries = 10_000
	trainedDays   = 90
)

// anomalyFigures times what the weekly run computes for its series on one core; reading their days is not in it.
func anomalyFigures(_ context.Context, _ *session, r *Report) error {
	random := rand.New(rand.NewPCG(1, 2))
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	list := make([]anomaly.Series, trainedSeries)
	for i := range list {
		list[i].Key = anomaly.Key{PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: fmt.Sprint(i)}
		for d := range trainedDays {
			list[i].Days = append(list[i].Days, anomaly.Day{Date: first.AddDate(0, 0, d), Part: anomaly.Part{
				ResourceID: "r", PlanID: "p", Quantity: decimal.New(10_000+random.Int64N(1_000), -2),
			}})
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	until := first.AddDate(0, 0, trainedDays)
	began := time.Now()
	for _, s := range list {
		s.Judge(until.AddDate(0, 0, -7), until, func(time.Time) bool { return false })
	}
	r.atMost(fmt.Sprintf("anomalies: %d series of %d days on one core", trainedSeries, trainedDays), time.Since(began).Seconds(), "s", 3, 1)
	return nil
}
