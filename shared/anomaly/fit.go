package anomaly

import (
	"math"
	"slices"
)

// Point is the usage of one day, counted in days since 1970-01-01.
type Point struct {
	Day   int
	Value float64
}

const (
	// LeastDays is how many observed days a model needs.
	LeastDays = 28
	// leastOfWeekday is how many observed days a weekday needs for a term of its own: one that is seen once or
	// twice would explain an outlier on it away.
	leastOfWeekday = 3

	terms       = 8      // intercept, trend, and six of seven weekdays
	toSigma     = 1.4826 // from the median absolute deviation to a standard deviation
	outlier     = 3.0    // sigmas from which on a day is left out of the second fit
	confidence  = 2.58   // sigmas of the band
	leastBand   = 0.1    // of the expected usage
	noise       = 1e-9   // of the largest value: what rounding may do
	firstSunday = 3      // 1970-01-04
)

// Model is what usage of a meter by a customer is expected to be: a level, a linear trend and the day of the week
// (MTR-72).
type Model struct {
	scale, middle, span float64
	beta                [terms]float64
	column              [7]int // of a weekday with a term; 0 for one without
	last                int    // weekday whose term is minus the sum of the others; -1: there is none
	sigma               float64
}

// Band is what a day is held against.
type Band struct{ Expected, Low, High float64 }

// Outside reports whether the value is flagged. The edges belong to the band.
func (b Band) Outside(value float64) bool { return value < b.Low || value > b.High }

// Fit makes a model of observed days by least squares, once, and again without those whose residual is over three
// robust sigmas. Days that are missing are gaps and not zeros. It is false for fewer than LeastDays days; a value
// that is no finite number counts as missing.
func Fit(points []Point) (Model, bool) {
	kept := make([]Point, 0, len(points))
	scale := 0.0
	for _, p := range points {
		if !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
			kept = append(kept, p)
			scale = max(scale, math.Abs(p.Value))
		}
	}
	if len(kept) < LeastDays {
		return Model{}, false
	}
	if scale == 0 {
		scale = 1
	}
	for i := range kept {
		kept[i].Value /= scale // 1e12 and 1e-12 are the same problem
	}
	m := solve(kept)
	kept = m.withoutOutliers(kept)
	m = solve(kept)
	m.scale = scale
	residuals := m.residuals(kept)
	m.sigma = toSigma * deviation(residuals, median(slices.Clone(residuals)))
	return m, true
}

// Band is the expected usage of a day and how far it may lie off. No usage is below zero.
func (m Model) Band(day int) Band {
	expected := max(0, m.at(day))
	half := max(confidence*m.sigma, leastBand*expected)
	return Band{
		Expected: finite(expected * m.scale), Low: finite(max(0, expected-half) * m.scale), High: finite((expected + half) * m.scale),
	}
}

func finite(v float64) float64 { return min(v, math.MaxFloat64) }

// at is the fit of a day, in the model's own scale.
func (m *Model) at(day int) float64 {
	row := m.row(day)
	sum := 0.0
	for i, v := range row {
		sum += v * m.beta[i]
	}
	return sum
}

func weekday(day int) int { return ((day-firstSunday)%7 + 7) % 7 }

// row is the line of a day in the design. The terms of weekdays add up to zero, so that a weekday without a term
// of its own stands at the level of all.
func (m *Model) row(day int) [terms]float64 {
	row := [terms]float64{1, (float64(day) - m.middle) / m.span}
	w := weekday(day)
	switch {
	case w == m.last:
		for _, c := range m.column {
			if c > 0 {
				row[c] = -1
			}
		}
	case m.column[w] > 0:
		row[m.column[w]] = 1
	}
	return row
}

// solve is the least squares fit of the points.
func solve(points []Point) Model {
	m := design(points)
	var a [terms][terms]float64
	var b [terms]float64
	for _, p := range points {
		row := m.row(p.Day)
		for i, v := range row {
			if v == 0 {
				continue
			}
			b[i] += v * p.Value
			for j := 0; j <= i; j++ {
				a[i][j] += v * row[j]
			}
		}
	}
	m.beta = cholesky(a, b)
	return m
}

// design chooses the terms that the points can tell.
func design(points []Point) Model {
	m := Model{last: -1}
	var seen [7]int
	first, latest := points[0].Day, points[0].Day
	for _, p := range points {
		seen[weekday(p.Day)]++
		first, latest = min(first, p.Day), max(latest, p.Day)
	}
	m.middle, m.span = (float64(first)+float64(latest))/2, max(1, float64(latest)-float64(first))
	next := 2
	for w, n := range seen {
		if n < leastOfWeekday {
			continue
		}
		if m.last >= 0 {
			m.column[m.last], next = next, next+1
		}
		m.last = w
	}
	if next == 2 { // a single weekday is the level itself
		m.last = -1
	}
	return m
}

// cholesky solves the normal equations, of which the lower half is given. A term that the points do not tell is 0.
func cholesky(a [terms][terms]float64, b [terms]float64) (x [terms]float64) {
	const singular = 1e-10
	var l [terms][terms]float64
	for i := range terms {
		for j := range i + 1 {
			sum := a[i][j]
			for k := range j {
				sum -= l[i][k] * l[j][k]
			}
			switch {
			case i != j && l[j][j] != 0:
				l[i][j] = sum / l[j][j]
			case i == j && sum > singular*a[i][i]:
				l[i][i] = math.Sqrt(sum)
			}
		}
	}
	for i := range terms {
		if l[i][i] == 0 {
			continue
		}
		x[i] = b[i]
		for k := range i {
			x[i] -= l[i][k] * x[k]
		}
		x[i] /= l[i][i]
	}
	for i := terms - 1; i >= 0; i-- {
		if l[i][i] == 0 {
			continue
		}
		for k := i + 1; k < terms; k++ {
			x[i] -= l[k][i] * x[k]
		}
		x[i] /= l[i][i]
	}
	return x
}

func (m *Model) residuals(points []Point) []float64 {
	all := make([]float64, len(points))
	for i, p := range points {
		all[i] = p.Value - m.at(p.Day)
	}
	return all
}

// withoutOutliers leaves out the days whose residual is over three robust sigmas. An outlier pulls the term of its
// weekday and with it all days of that weekday; so each residual counts from the median of its weekday, and only
// the outlier goes.
func (m *Model) withoutOutliers(points []Point) []Point {
	residuals := m.residuals(points)
	var byWeekday [7][]float64
	for i, p := range points {
		w := weekday(p.Day)
		byWeekday[w] = append(byWeekday[w], residuals[i])
	}
	level := median(slices.Clone(residuals))
	var levels [7]float64
	for w, some := range byWeekday {
		if levels[w] = level; len(some) >= leastOfWeekday {
			levels[w] = median(some)
		}
	}
	for i, p := range points {
		residuals[i] -= levels[weekday(p.Day)]
	}
	most := max(noise, outlier*toSigma*deviation(residuals, 0))
	kept := points[:0]
	for i, p := range points {
		if math.Abs(residuals[i]) <= most {
			kept = append(kept, p)
		}
	}
	return kept
}

// median sorts the values.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return values[n/2-1]/2 + values[n/2]/2
}

// deviation is the median distance of values from a centre.
func deviation(values []float64, centre float64) float64 {
	distances := make([]float64, len(values))
	for i, v := range values {
		distances[i] = math.Abs(v - centre)
	}
	return median(distances)
}
