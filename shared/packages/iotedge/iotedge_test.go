package iotedge_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/iotedge"
	"stoa/shared/packages/packagestest"
)

func named(n int, value string) []iotedge.Setting {
	out := make([]iotedge.Setting, n)
	for i := range out {
		out[i] = iotedge.Setting{Name: "n" + strconv.Itoa(i), Value: value}
	}
	return out
}

func route(text string) iotedge.Settings {
	return iotedge.Settings{Routes: []iotedge.Setting{{Name: "r", Value: text}}, ModuleNames: []string{iotedge.ModuleName("My Plan 1")}}
}

func twin(name, value string) iotedge.Settings {
	return iotedge.Settings{Twin: []iotedge.Setting{{Name: name, Value: value}}}
}

func options(text string) iotedge.Settings { return iotedge.Settings{CreateOptions: text} }

func TestSettings(t *testing.T) {
	covered := map[string]bool{}
	long := func(n int) string { return strings.Repeat("x", n) }
	const upstream = "FROM /messages/* INTO $upstream"
	for _, row := range []struct {
		name     string
		settings iotedge.Settings
		want     []string
	}{
		{"IOT-22 none", iotedge.Settings{}, []string{}},
		{"IOT-22 five routes", iotedge.Settings{Routes: named(5, upstream)}, []string{}},
		{"IOT-22 six routes", iotedge.Settings{Routes: named(6, upstream)}, []string{"IOT_SETTING_COUNT"}},
		{"IOT-22 a name twice", iotedge.Settings{Routes: []iotedge.Setting{{"a", upstream}, {"a", upstream}}}, []string{"IOT_SETTING_NAME"}},
		{"IOT-22 a value of 512", route("FROM /* WHERE " + long(512-len("FROM /* WHERE  INTO $upstream")) + " INTO $upstream"), []string{}},
		{"IOT-22 a value of 513", route("FROM /* WHERE " + long(513-len("FROM /* WHERE  INTO $upstream")) + " INTO $upstream"), []string{"IOT_SETTING_LENGTH"}},
		{"IOT-22 a name of 513", iotedge.Settings{Routes: []iotedge.Setting{{long(513), upstream}}}, []string{"IOT_SETTING_LENGTH"}},
		{"IOT-22 small letters", route("from /messages/* where temperature > 3 into $upstream"), []string{}},
		{"IOT-22 every module", route("FROM /messages/modules/* INTO $upstream"), []string{}},
		{"IOT-22 an output", route("FROM /messages/modules/MyPlan1/outputs/o INTO BrokeredEndpoint(\"/modules/MyPlan1/inputs/i\")"), []string{}},
		{"IOT-22 no sink", route("FROM /messages/*"), []string{"IOT_ROUTE_FORMAT"}},
		{"IOT-22 another source", route("FROM /twins/* INTO $upstream"), []string{"IOT_ROUTE_FORMAT"}},
		{"IOT-22 another sink", route("FROM /* INTO upstream"), []string{"IOT_ROUTE_FORMAT"}},
		{"IOT-23 a placeholder", route("FROM /messages/modules/<FROM_MODULE_NAME>/* INTO $upstream"), []string{}},
		{"IOT-23 another module", route("FROM /messages/modules/other/* INTO $upstream"), []string{"IOT_ROUTE_MODULE"}},
		{"IOT-24 the name without blanks", route("FROM /messages/modules/myplan1/* INTO $upstream"), []string{}},
		{"IOT-29 a placeholder in small letters", route("FROM /messages/modules/<from>/* INTO $upstream"), []string{"IOT_PLACEHOLDER"}},
		{"IOT-25 a number", twin("interval", "60"), []string{}},
		{"IOT-25 an object of four levels", twin("a", `{"a":{"b":{"c":{"d":1}}}}`), []string{}},
		{"IOT-25 five levels", twin("a", `{"a":{"b":{"c":{"d":{"e":1}}}}}`), []string{"IOT_TWIN_VALUE"}},
		{"IOT-25 a list inside", twin("a", `{"a":[1]}`), []string{"IOT_TWIN_VALUE"}},
		{"IOT-25 no JSON", twin("a", `sixty`), []string{"IOT_TWIN_VALUE"}},
		{"IOT-25 escaped", twin("a", `"{\"b\":1}"`), []string{"IOT_TWIN_VALUE"}},
		{"IOT-25 only a placeholder", twin("a", "<MY_VALUE>"), []string{}},
		{"IOT-25 a name with a dot", twin("a.b", "1"), []string{"IOT_TWIN_NAME"}},
		{"IOT-25 a name of 64 bytes", twin(long(64), "1"), []string{}},
		{"IOT-25 a name of 65 bytes", twin(long(65), "1"), []string{"IOT_TWIN_NAME"}},
		{"IOT-25 a value of 511", twin("a", `"`+long(509)+`"`), []string{}},
		{"IOT-25 a value of 512", twin("a", `"`+long(510)+`"`), []string{"IOT_SETTING_LENGTH"}},
		{"IOT-25 six properties", iotedge.Settings{Twin: named(6, "1")}, []string{"IOT_SETTING_COUNT"}},
		{"IOT-26 511 characters", iotedge.Settings{Environment: []iotedge.Setting{{long(511), long(511)}}}, []string{}},
		{"IOT-26 512 characters", iotedge.Settings{Environment: []iotedge.Setting{{long(512), long(512)}}}, []string{"IOT_SETTING_LENGTH", "IOT_SETTING_LENGTH"}},
		{"IOT-26 no value", iotedge.Settings{Environment: []iotedge.Setting{{"A", ""}}}, []string{"IOT_SETTING_LENGTH"}},
		{"IOT-29 a variable", iotedge.Settings{Environment: []iotedge.Setting{{"A", "http://<my_ip>/"}}}, []string{"IOT_PLACEHOLDER"}},
		{"IOT-27 an object", options(`{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}}`), []string{}},
		{"IOT-27 a bare list of members", options(`"HostConfig":{"PortBindings":{}}`), []string{}},
		{"IOT-27 a list", options(`[]`), []string{"IOT_CREATE_OPTIONS"}},
		{"IOT-27 escaped", options(`{\"HostConfig\":{}}`), []string{"IOT_CREATE_OPTIONS"}},
		{"IOT-27 512 characters", options(`{"a":"` + long(504) + `"}`), []string{"IOT_SETTING_LENGTH"}},
		{"IOT-28 privileged", options(`{"HostConfig":{"Privileged":true}}`), []string{"IOT_PRIVILEGED"}},
		{"IOT-28 not privileged", options(`{"HostConfig":{"Privileged":false}}`), []string{}},
		{"IOT-28 capabilities", options(`{"HostConfig":{"CapAdd":["NET_ADMIN"]}}`), []string{"IOT_HOST_ACCESS"}},
		{"IOT-28 network", options(`{"HostConfig":{"NetworkMode":"host"}}`), []string{"IOT_HOST_ACCESS"}},
		{"IOT-28 processes", options(`{"HostConfig":{"PidMode":"host"}}`), []string{"IOT_HOST_ACCESS"}},
		{"IOT-28 the root", options(`{"HostConfig":{"Binds":["/:/host","/data:/data"]}}`), []string{"IOT_HOST_ACCESS"}},
	} {
		report := finding.New("IoTEdgeModule")
		row.settings.Validate(report)
		got := []string{}
		for _, f := range report.Findings {
			got = append(got, f.Code)
			covered[f.Code] = true
		}
		require.Equal(t, row.want, got, "%s: %+v", row.name, report.Findings)
	}
	packagestest.Covers(t, []packagestest.Case{{}}, func(c finding.Code) bool { return strings.HasPrefix(c.Code, "IOT_") }, slices.Collect(maps.Keys(covered))...)
}

func TestStoredOptions(t *testing.T) {
	t.Parallel()
	require.Equal(t, `{"HostConfig":{}}`, iotedge.CreateOptions(` "HostConfig":{} `), "IOT-27")
	require.Equal(t, `{"a":1}`, iotedge.CreateOptions(`{"a":1}`))
}

func FuzzSettings(f *testing.F) {
	f.Add("FROM /* INTO $upstream", `{"a":1}`, `"HostConfig":{}`)
	f.Fuzz(func(t *testing.T, route, value, options string) {
		s := iotedge.Settings{Routes: []iotedge.Setting{{"r", route}}, Twin: []iotedge.Setting{{"t", value}}, CreateOptions: options}
		s.Validate(finding.New(""))
	})
}
