package subscription

// Profile is the version of the wire contract that is spoken (6.1).
type Profile string

// The profiles.
const (
	Guide   Profile = "guide"   // as of 2021, the default
	Current Profile = "current" // numeric quantity, Reinstate notifies only, 72 h to cancel, 4xx rejects a change
)

// Valid reports whether the profile is known.
func (p Profile) Valid() bool { return p == Guide || p == Current }
