package anomaly_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/anomaly"
)

// monday is a Monday, as a day number.
const monday = 20_514 // 2026-03-02

func points(n int, value func(day int) float64) []anomaly.Point {
	list := make([]anomaly.Point, n)
	for i := range list {
		list[i] = anomaly.Point{Day: monday + i, Value: value(i)}
	}
	return list
}

// wave is a bounded noise without a pattern of weeks.
func wave(i int) float64 { return 5 * math.Sin(float64(i)*2.399) }

func without(list []anomaly.Point, gone func(i int) bool) []anomaly.Point {
	var kept []anomaly.Point
	for i, p := range list {
		if !gone(i) {
			kept = append(kept, p)
		}
	}
	return kept
}

func TestFit(t *testing.T) {
	t.Parallel()
	weekly := func(i int) float64 { return []float64{100, 110, 120, 110, 100, 20, 10}[i%7] }
	for _, c := range []struct {
		name           string
		points         []anomaly.Point
		day            int
		want, wantHalf float64 // expected usage and half the width of the band
		within         float64
	}{
		{"constant", points(90, func(int) float64 { return 7 }), 90, 7, 0.7, 1e-9},
		{"at least ten percent", points(90, func(i int) float64 { return 1000 + wave(i) }), 90, 1000, 100, 3},
		{"MTR-72 trend", points(90, func(i int) float64 { return 50 + 2*float64(i) }), 95, 240, 24, 1e-6},
		{"MTR-72 a Saturday", points(84, weekly), 89, 20, 2, 1e-9},
		{"MTR-72 a Sunday", points(84, weekly), 90, 10, 1, 1e-9},
		{"MTR-72 weekdays and trend", points(84, func(i int) float64 { return weekly(i) + float64(i) }), 84, 184, 18.4, 1e-6},
		{"MTR-72 missing days are gaps and not zeros",
			without(points(90, func(int) float64 { return 100 }), func(i int) bool { return i%3 == 1 }), 91, 100, 10, 1e-9},
		{"a weekday that was never seen stands at the level of all",
			without(points(90, func(int) float64 { return 100 }), func(i int) bool { return i%7 == 6 }), 90, 100, 10, 1e-9},
		{"one outlier is left out of the second fit", points(90, func(i int) float64 {
			if i == 40 {
				return 1e5
			}
			return weekly(i)
		}), 89, 20, 2, 1e-6},
		{"an outlier on the last day", points(90, func(i int) float64 {
			if i == 89 {
				return 1e5
			}
			return weekly(i)
		}), 89, 20, 2, 1e-6},
		{"no usage is below zero", points(90, func(i int) float64 { return math.Max(0, 89-float64(i)) }), 200, 0, 0, 1e-6},
		{"a value that is none is a gap", append(points(90, func(int) float64 { return 5 }),
			anomaly.Point{Day: monday + 90, Value: math.NaN()}, anomaly.Point{Day: monday + 91, Value: math.Inf(1)}), 92, 5, 0.5, 1e-9},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, ok := anomaly.Fit(c.points)
			require.True(t, ok)
			band := m.Band(monday + c.day)
			require.InDelta(t, c.want, band.Expected, c.within)
			if c.wantHalf > 0 {
				require.InDelta(t, c.wantHalf, band.High-band.Expected, max(c.within, c.wantHalf*0.01))
			}
			require.GreaterOrEqual(t, band.Low, 0.0)
		})
	}
}

// The band is 2.58 x 1.4826 x the median deviation where that is more than ten percent.
func TestBandOfNoise(t *testing.T) {
	t.Parallel()
	list := points(84, func(i int) float64 {
		if (i/7)%2 == 0 {
			return 100 + 50
		}
		return 100 - 50
	})
	m, ok := anomaly.Fit(list)
	require.True(t, ok)
	band := m.Band(monday + 84)
	require.InDelta(t, 2.58*1.4826*50, band.High-band.Expected, 6)
	require.Zero(t, m.Band(monday+84).Low, "the lower edge is cut at 0")
}

func TestLeastDays(t *testing.T) {
	t.Parallel()
	one := func(int) float64 { return 1 }
	_, ok := anomaly.Fit(points(27, one))
	require.False(t, ok)
	_, ok = anomaly.Fit(points(28, one))
	require.True(t, ok)
	_, ok = anomaly.Fit(append(points(27, one), anomaly.Point{Day: monday + 27, Value: math.NaN()}))
	require.False(t, ok, "28 days of which one has no value")
	_, ok = anomaly.Fit(nil)
	require.False(t, ok)
}

func TestOutside(t *testing.T) {
	t.Parallel()
	b := anomaly.Band{Expected: 100, Low: 90, High: 110}
	for value, want := range map[float64]bool{90: false, 110: false, 89.999: true, 110.001: true, 100: false} { // MTR-73
		require.Equal(t, want, b.Outside(value), value)
	}
}

func sane(t require.TestingT, list []anomaly.Point) {
	m, ok := anomaly.Fit(list)
	if !ok {
		return
	}
	for _, p := range list {
		b := m.Band(p.Day)
		for _, v := range []float64{b.Expected, b.Low, b.High} {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%+v of %v", b, list)
		}
		require.True(t, 0 <= b.Low && b.Low <= b.Expected && b.Expected <= b.High, "%+v", b)
	}
}

func TestFitIsAlwaysFinite(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{0, 1, 1e12, 1e-12, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e308} {
		sane(t, points(90, func(int) float64 { return v }))
		sane(t, points(90, func(i int) float64 { return v * float64(i%2) }))
		sane(t, points(28, func(i int) float64 { return v / float64(i+1) }))
	}
	sane(t, points(28, func(int) float64 { return 3 })[:28])
	same := make([]anomaly.Point, 40) // all on one day
	for i := range same {
		same[i] = anomaly.Point{Day: monday, Value: float64(i)}
	}
	sane(t, same)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Float64(), rapid.Float64Range(0, 1e12), rapid.Float64Range(0, 1e-12), rapid.SampledFrom([]float64{0, 1, 1e12, 1e-12}),
		)
		gap := rapid.SampledFrom([]int{1, 1, 1, 2, 7, 30})
		day := rapid.IntRange(-100_000, 100_000).Draw(t, "first")
		list := make([]anomaly.Point, rapid.IntRange(20, 90).Draw(t, "days"))
		for i := range list {
			day += gap.Draw(t, "gap")
			list[i] = anomaly.Point{Day: day, Value: value.Draw(t, "value")}
		}
		sane(t, list)
	})
}

// Scale does not matter: the fit of a million times the usage is a million times the fit.
func TestFitKeepsScale(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		list := points(60, func(int) float64 { return 100 + 30*random.Float64() })
		scale := math.Pow(10, float64(rapid.IntRange(-14, 12).Draw(t, "power")))
		scaled := make([]anomaly.Point, len(list))
		for i, p := range list {
			scaled[i] = anomaly.Point{Day: p.Day, Value: p.Value * scale}
		}
		a, _ := anomaly.Fit(list)
		b, _ := anomaly.Fit(scaled)
		for d := monday; d < monday+90; d++ {
			require.InEpsilon(t, a.Band(d).Expected*scale, b.Band(d).Expected, 1e-6)
			require.InEpsilon(t, a.Band(d).High*scale, b.Band(d).High, 1e-6)
		}
	})
}

func FuzzFit(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 1.0, uint16(28))
	f.Add([]byte{0}, 1e12, uint16(90))
	f.Add([]byte{255, 0, 7}, 1e-12, uint16(61))
	f.Add([]byte{255}, math.Inf(1), uint16(61))
	f.Fuzz(func(t *testing.T, steps []byte, scale float64, n uint16) {
		if len(steps) == 0 {
			return
		}
		day := monday
		list := make([]anomaly.Point, n%200)
		for i := range list {
			s := steps[i%len(steps)]
			day += int(s % 4)
			list[i] = anomaly.Point{Day: day, Value: scale * float64(s) * float64(i%5)}
		}
		sane(t, list)
	})
}
