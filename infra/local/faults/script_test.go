package faults

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlans(t *testing.T) {
	t.Parallel()
	writes := func(o Operation) bool { return o.Method != "GET" }
	for name, c := range map[string]struct {
		plan Plan
		want []Fault
	}{
		"none":              {nil, []Fault{Pass, Pass, Pass, Pass}},
		"at the second":     {At(2, Kill), []Fault{Pass, Kill, Pass, Pass}},
		"every second":      {Every(2, Refuse, Lose), []Fault{Pass, Refuse, Pass, Lose}},
		"every one":         {Every(1, Refuse, Lose, TimeOut), []Fault{Refuse, Lose, TimeOut, Refuse}},
		"the second write":  {Where(writes, At(2, KillLate)), []Fault{Pass, Pass, KillLate, Pass}},
		"every one, twice":  {Most(2, Every(1, Kill)), []Fault{Kill, Kill, Pass, Pass}},
		"beyond the last":   {At(5, Kill), []Fault{Pass, Pass, Pass, Pass}},
		"writes, every one": {Where(writes, Every(1, Lose)), []Fault{Lose, Pass, Lose, Lose}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Script{}
			s.Arm(c.plan)
			for i, method := range []string{"PUT", "GET", "POST", "DELETE"} {
				require.Equal(t, c.want[i], s.next(Operation{Method: method}), "operation %d", i+1)
			}
			require.Equal(t, 4, s.Operations())
			harmed := 0
			for _, f := range c.want {
				if f != Pass {
					harmed++
				}
			}
			require.Len(t, s.Harms(), harmed)
			s.Arm(nil)
			require.Zero(t, s.Operations())
			require.Empty(t, s.Harms())
		})
	}
}
