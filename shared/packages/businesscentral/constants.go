package businesscentral

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed businesscentral.json
var constantsJSON []byte

// baseApplications are the applications that every extension may depend on: name by id.
var baseApplications = loadBaseApplications()

func loadBaseApplications() map[string]string {
	var file struct {
		BaseApplications []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"baseApplications"`
	}
	if err := json.Unmarshal(constantsJSON, &file); err != nil {
		panic(fmt.Sprintf("businesscentral.json: %v", err))
	}
	out := map[string]string{}
	for _, a := range file.BaseApplications {
		out[a.ID] = a.Name
	}
	return out
}
