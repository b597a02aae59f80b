package selftest

import (
	_ "embed"
	"encoding/json"
)

// OS is the family of a machine's operating system, as requests write it.
type OS string

// The families.
const (
	Linux   OS = "Linux"
	Windows OS = "Windows"
)

// Check is a test as the report names it (VMO-91).
type Check struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Required    string `json:"requiredValue"`
	Severity    string `json:"severity"` // error or warning: what it is when the machine does not meet it
}

//go:embed checks.json
var checksJSON []byte

// checks are the tests by family, in the order of the report.
var checks = func() map[OS][]Check {
	var file struct{ Linux, Windows []Check }
	mustRead(checksJSON, &file)
	return map[OS][]Check{Linux: file.Linux, Windows: file.Windows}
}()

// Checks are the tests of a family, in the order of the report.
func Checks(family OS) []Check { return append([]Check(nil), checks[family]...) }

// mustRead reads an embedded table; one that cannot be read is a broken program.
func mustRead(data []byte, v any) {
	if err := json.Unmarshal(data, v); err != nil {
		panic("selftest: embedded table: " + err.Error())
	}
}
