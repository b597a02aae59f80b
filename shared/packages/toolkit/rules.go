package toolkit

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed data/rules.json
var rulesJSON []byte

// parameters are the parameters of the tests, such as their exemption lists, by test name.
var parameters = func() map[string]json.RawMessage {
	var table struct {
		Rules []struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"rules"`
	}
	if err := json.Unmarshal(rulesJSON, &table); err != nil {
		panic(fmt.Sprintf("rules.json: %v", err))
	}
	out := map[string]json.RawMessage{}
	for _, r := range table.Rules {
		out[r.Name] = r.Parameters
	}
	return out
}()

// parameterOf reads one parameter of a test.
func parameterOf[T any](test, name string) T {
	var all map[string]json.RawMessage
	var out T
	if err := json.Unmarshal(parameters[test], &all); err != nil {
		panic(fmt.Sprintf("rules.json: %s: %v", test, err))
	}
	if err := json.Unmarshal(all[name], &out); err != nil {
		panic(fmt.Sprintf("rules.json: %s: %s: %v", test, name, err))
	}
	return out
}

// lowered are words in lower case.
func lowered(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(w)
	}
	return out
}

// containsFold reports whether a text holds a word that is written in lower case, case aside.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		at := indexFold(text[i:], word[0])
		if at < 0 || i+at+len(word) > len(text) {
			return false
		}
		if i += at; strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// indexFold is the first place of an ASCII letter, case aside.
func indexFold(text string, letter byte) int {
	low := strings.IndexByte(text, letter)
	if letter < 'a' || letter > 'z' {
		return low
	}
	if low < 0 {
		return strings.IndexByte(text, letter-'a'+'A')
	}
	if up := strings.IndexByte(text[:low], letter-'a'+'A'); up >= 0 {
		return up
	}
	return low
}
