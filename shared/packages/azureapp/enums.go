package azureapp

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed data/templates.json
var templatesJSON []byte

// enums are the facts that the rules of templates need.
var enums = func() (out struct {
	Forbidden struct {
		Prefixes     []string `json:"prefixes"`
		WarnPrefixes []string `json:"warnPrefixes"`
	} `json:"solutionTemplateForbiddenResourceTypes"`
	UnderReported struct {
		Types []string `json:"types"`
	} `json:"cuaUnderReportedResourceTypes"`
	Limits templateLimits `json:"templateLimits"`
}) {
	if err := json.Unmarshal(templatesJSON, &out); err != nil {
		panic(fmt.Sprintf("templates.json: %v", err))
	}
	return out
}()

// templateLimits are Resource Manager's limits of one template (AZA-122).
type templateLimits struct {
	Parameters    int `json:"parameters"`
	VariablesNear int `json:"variables"`
	Variables     int `json:"variablesHard"`
	Resources     int `json:"resources"`
	Outputs       int `json:"outputs"`
	TemplateBytes int `json:"templateBytes"`
	Expression    int `json:"expressionCharacters"`
}

var limits = enums.Limits
