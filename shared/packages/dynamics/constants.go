package dynamics

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed dynamics.json
var constantsJSON []byte

var constants = loadConstants()

// table is what dynamics.json holds.
type table struct {
	Countries   []string `json:"supportedCountries"` // that input.xml may name
	LCSSections []struct {
		Key      string `json:"key"`
		Required bool   `json:"required"`
	} `json:"lcsScreenshots"`
}

func loadConstants() table {
	var t table
	if err := json.Unmarshal(constantsJSON, &t); err != nil {
		panic(fmt.Sprintf("dynamics.json: %v", err))
	}
	return t
}
