package subscription

// What the tests look at from inside.
var (
	TermDates = termDates
	WithToken = withToken
	Step      = step
)

// Cells are the cells of the table.
func Cells() map[Event][]Status {
	all := map[Event][]Status{}
	for c := range lifecycle {
		all[c.Event] = append(all[c.Event], c.From)
	}
	return all
}
