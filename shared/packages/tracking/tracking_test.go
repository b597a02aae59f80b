package tracking_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/packages/tracking"
)

const (
	id    = "pid-contoso-myoffer-partnercenter"
	known = "eb7927c8-dd66-43e1-b0cf-a0c346a42206"
)

func never(string) bool { return false }

func TestID(t *testing.T) {
	t.Parallel()
	require.Equal(t, id, tracking.ID("contoso", "myoffer", never), "CUA-3")
	long := tracking.ID("contoso", strings.Repeat("o", 39), never) // 4 + 7 + 1 + 39 + 14 = 65
	require.Regexp(t, `^pid-[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-partnercenter$`, long, "CUA-3")
	require.Len(t, tracking.ID("contoso", strings.Repeat("o", 38), never), 64, "CUA-3")
	require.LessOrEqual(t, len(long), 64)
	taken := func(s string) bool { return s == "pid-a-b-c-partnercenter" }
	require.NotEqual(t, tracking.ID("a-b", "c", taken), tracking.ID("a", "b-c", taken), "CUA-3: hyphens collide")
	require.Equal(t, long, tracking.ID("contoso", strings.Repeat("o", 39), never), "CUA-11: the same again")
}

func carrier(name string) string {
	return fmt.Sprintf(`{"type":"Microsoft.Resources/deployments","apiVersion":"2020-06-01","name":%q,"properties":{"mode":"Incremental","template":{"resources":[]}}}`, name)
}

func template(resources ...string) string {
	return `{"resources":[` + strings.Join(resources, ",") + `]}`
}

const nested = `{"type":"microsoft.resources/DEPLOYMENTS","name":"inner","properties":{"mode":"Incremental","template":{"resources":[%s]}}}`

func TestCheck(t *testing.T) {
	t.Parallel()
	work := fmt.Sprintf(nested, `{"type":"a/b","name":"x"}`)
	fold := func(s string) (string, bool) {
		v, ok := map[string]string{"[variables('pid')]": id, "[variables('other')]": "pid-x"}[s]
		return v, ok
	}
	for _, row := range []struct {
		name   string
		main   string
		linked string
		want   []string
		stamp  bool
	}{
		{"CUA-4 nothing of the kind", template(`{"type":"a/b","name":"x"}`), "", []string{}, true},
		{"CUA-4 there already", template(carrier(id)), "", []string{}, false},
		{"CUA-16 letter case", template(carrier(strings.ToUpper(id))), "", []string{}, false},
		{"CUA-4 a symbolic template", `{"languageVersion":"2.0","resources":{"t":` + carrier(id) + `}}`, "", []string{}, false},
		{"CUA-5 a variable", template(carrier("[variables('unknown')]")), "", []string{"APP_TRACKING_ID_VARIABLE mainTemplate.json /resources/0/name"}, true},
		{"CUA-5 an expression that is the ID", template(carrier("[variables('pid')]")), "", []string{"APP_TRACKING_ID_VARIABLE mainTemplate.json /resources/0/name"}, false},
		{"CUA-5 the singular type", template(strings.Replace(carrier(id), "deployments", "deployment", 1)), "", []string{"APP_TRACKING_TYPE mainTemplate.json /resources/0/type"}, true},
		{"CUA-6 deployments for other purposes", template(work), "", []string{"APP_TRACKING_ID_MISSING mainTemplate.json /resources"}, false},
		{"CUA-6 with the ID", template(work, carrier(id)), "", []string{}, false},
		{"CUA-7 another offer's", template(carrier("pid-contoso-other-partnercenter")), "", []string{"APP_TRACKING_ID_FOREIGN mainTemplate.json /resources/0/name"}, true},
		{"CUA-8 nested", template(fmt.Sprintf(nested, carrier(id)), carrier(id)), "", []string{"APP_TRACKING_ID_NESTED mainTemplate.json /resources/0/properties/template/resources/0/name"}, false},
		{"CUA-8 linked", template(carrier(id)), template(carrier("pid-" + known)), []string{"APP_TRACKING_ID_NESTED linked.json /resources/0/name"}, false},
		{"CUA-6 linked ones have purposes of their own", template(carrier(id)), template(work), []string{}, false},
		{"CUA-9 a registered GUID beside it", template(carrier(id), carrier("pid-"+known)), "", []string{}, false},
		{"CUA-9 a GUID alone is no other purpose", template(carrier("pid-" + known)), "", []string{}, true},
		{"CUA-9 not registered", template(carrier(id), carrier("pid-11111111-1111-4111-8111-111111111111")), "", []string{"APP_TRACKING_GUID_UNREGISTERED mainTemplate.json /resources/1/name"}, false},
		{"CUA-9 31 digits", template(carrier(id), carrier("pid-eb7927c8-dd66-43e1-b0cf-c346a422063")), "", []string{"APP_TRACKING_GUID_FORMAT mainTemplate.json /resources/1/name"}, false},
		{"CUA-9 31 digits in front", template(carrier(id), carrier("pid-b6add8f-5ff4-4fc0-a2b5-0ec7861106c4")), "", []string{"APP_TRACKING_GUID_FORMAT mainTemplate.json /resources/1/name"}, false},
	} {
		report := finding.New("AzureApplication")
		main := content.Parse("mainTemplate.json", []byte(row.main), report)
		var others []*content.Document
		if row.linked != "" {
			others = append(others, content.Parse("linked.json", []byte(row.linked), report))
		}
		stamp := tracking.Check(main, others, tracking.Options{ID: id, Fold: fold, Registered: func(g string) bool { return g == known }}, report)
		require.Equal(t, row.want, packagestest.Described(report), row.name)
		require.Equal(t, row.stamp, stamp, row.name)
		require.Equal(t, strings.Contains(row.name, "CUA-5 an expression that is"), len(report.Findings) > 0 && report.Findings[0].Code == "APP_TRACKING_ID_VARIABLE" && !report.Blocking, row.name)
	}
}

// The change is an insertion: what stands around it is what was there (CUA-4).
func TestStamp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, before, want string }{
		{"an empty list", `{"resources":[]}`, `{"resources":[@]}`},
		{"an empty list with a blank", "{\"resources\": [ \n ]}", "{\"resources\": [@ \n ]}"},
		{"one line", `{"resources":[{"a":1}],"x":1e400}`, `{"resources":[{"a":1}, @],"x":1e400}`},
		{"indented", "{\n  \"resources\": [\n    {\"a\": \"]\"}\n  ]\n}\n", "{\n  \"resources\": [\n    {\"a\": \"]\"},\n    @\n  ]\n}\n"},
		{"with carriage returns", "{\"resources\":[\r\n\t{}\r\n]}", "{\"resources\":[\r\n\t{},\r\n\t@\r\n]}"},
		{"a byte-order mark", "\xef\xbb\xbf{\"resources\":[]}", "\xef\xbb\xbf{\"resources\":[@]}"},
		{"brackets in texts", `{"a":"[\"]","resources":[{"n":"}]\\"}]}`, `{"a":"[\"]","resources":[{"n":"}]\\"}, @]}`},
		{"symbolic", `{"resources":{"a":{}}}`, `{"resources":{"a":{}, "partnerTracking": @}}`},
		{"symbolic, the key is taken", `{"resources":{"PartnerTracking":{}}}`, `{"resources":{"PartnerTracking":{}, "partnerTracking2": @}}`},
	} {
		after, err := tracking.Stamp([]byte(row.before), id)
		require.NoError(t, err, row.name)
		head, tail, _ := strings.Cut(row.want, "@")
		text := string(after)
		require.True(t, strings.HasPrefix(text, head) && strings.HasSuffix(text, tail), "CUA-4 %s: %s", row.name, text)
		var inserted map[string]any
		require.NoError(t, json.Unmarshal([]byte(text[len(head):len(text)-len(tail)]), &inserted), row.name)
		require.Equal(t, id, inserted["name"])

		report := finding.New("")
		main := content.Parse("mainTemplate.json", after, report)
		require.False(t, tracking.Check(main, nil, tracking.Options{ID: id}, report), "CUA-4: again, nothing is added")
		require.Empty(t, report.Findings)
	}
	for _, broken := range []string{``, `[]`, `{}`, `{"resources":1}`, `{"resources":[ /* c */ ]}`} {
		_, err := tracking.Stamp([]byte(broken), id)
		require.Error(t, err, broken)
	}
}

func FuzzStamp(f *testing.F) {
	f.Add([]byte(`{"resources":[{"a":"]"}]}`))
	f.Add([]byte(`{"resources":{}}`))
	f.Fuzz(func(t *testing.T, before []byte) {
		after, err := tracking.Stamp(before, id)
		if err != nil {
			return
		}
		report := finding.New("")
		main := content.Parse("m", after, report)
		require.NotNil(t, main, "%s", after)
		require.False(t, tracking.Check(main, nil, tracking.Options{ID: id}, report), "%s", after)
	})
}
