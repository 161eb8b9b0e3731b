package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/fleet/model"
)

func TestSamples(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		a := w.must("GET", "/fleet/samples?maxResults=2", nil)
		if got := a.names("samples", "sampleName"); got != "first another" {
			t.Error(got)
		}
		if got := fmt.Sprint(a.at("samples", 0, "settings", 1, "secret"), a.at("samples", 0, "settings", 2, "default"), a.at("samples", 0, "minIterations")); got != "trueus-east-15" {
			t.Error(got)
		}
		a = w.must("GET", "/fleet/samples?nextToken="+a.text("nextToken"), nil)
		if got := a.names("samples", "sampleName"); got != "third" || a["nextToken"] != nil {
			t.Error(got, a["nextToken"])
		}
		a = w.must("GET", "/fleet/samples/first", nil)
		if _, err := model.Parse([]byte(a.text("modelDocument"))); err != nil || a.text("policyDocument") != `{"Version":"2012-10-17"}` {
			t.Error(err, a)
		}
		w.refused("GET", "/fleet/samples/nope", nil, "ResourceNotFoundException", "Sample nope not found")
	})
}

func TestTests(t *testing.T) {
	each(t, func(s *Service) { s.Limits.Tests = 3 }, func(t *testing.T, w *world) {
		a := w.must("POST", "/fleet/tests/one", m{"modelDocument": document(nil), "settings": m{"open": "o", "token": "s3cr3t-token"}})
		arn := "arn:aws:fleet:us-east-1:123456789012:test/one"
		if a.text("testArn") != arn || a["version"] != 1.0 || w.guard.last() != "fleet:CreateTest "+arn {
			t.Error(a, w.guard.last())
		}
		w.refused("POST", "/fleet/tests/one", m{"modelDocument": document(nil)}, "ResourceAlreadyExistsException", "Test one already exists")
		w.refused("POST", "/fleet/tests/two", m{}, "InvalidRequestException", "Exactly one of sampleName and modelDocument")
		w.refused("POST", "/fleet/tests/two", m{"sampleName": "first", "modelDocument": document(nil)}, "InvalidRequestException", "Exactly one of")
		w.refused("POST", "/fleet/tests/two", m{"sampleName": "nope"}, "ResourceNotFoundException", "Sample nope not found")
		w.refused("POST", "/fleet/tests/two", m{"modelDocument": "{}"}, "InvalidRequestException", "modelDocument: name: is missing")
		w.refused("POST", "/fleet/tests/two", m{"sampleName": "first", "settings": m{"unknown": "x"}}, "InvalidRequestException", "has no setting unknown")
		w.refused("POST", "/fleet/tests/a%20b", m{"sampleName": "first"}, "InvalidRequestException", "testName")

		// Secrets are not given back, whatever the model says later.
		a = w.must("GET", "/fleet/tests/one", nil)
		if got := fmt.Sprint(a["settings"], a["secretSettings"], a.text("test", "description")); got != "map[open:o] [token]A model." {
			t.Error(got)
		}
		open := document(func(m *model.Model) { m.Settings[1].Secret = false })
		w.must("PATCH", "/fleet/tests/one", m{"modelDocument": open, "expectedVersion": 1})
		a = w.must("GET", "/fleet/tests/one", nil)
		if got := fmt.Sprint(a["settings"], a["secretSettings"], a.at("test", "version")); got != "map[open:o] [token] 2" {
			t.Error(got)
		}
		w.must("PATCH", "/fleet/tests/one", m{"settings": m{"token": "public now"}})
		if a = w.must("GET", "/fleet/tests/one", nil); a.text("settings", "token") != "public now" {
			t.Error(a)
		}
		w.must("PATCH", "/fleet/tests/one", m{"removeSettings": []string{"token", "open"}})
		if a = w.must("GET", "/fleet/tests/one", nil); fmt.Sprint(a["settings"], a["secretSettings"]) != "map[] []" {
			t.Error(a)
		}
		// What the model does not know any more is not shown either.
		w.must("PATCH", "/fleet/tests/one", m{"settings": m{"open": "was"}})
		w.must("PATCH", "/fleet/tests/one", m{"modelDocument": document(func(m *model.Model) { m.Settings = nil })})
		if a = w.must("GET", "/fleet/tests/one", nil); fmt.Sprint(a["settings"], a["secretSettings"]) != "map[] [open]" {
			t.Error(a)
		}
		w.refused("PATCH", "/fleet/tests/one", m{"expectedVersion": 1}, "ConflictException", "The version of test one is 6")
		w.refused("PATCH", "/fleet/tests/nope", m{}, "ResourceNotFoundException", "Test nope not found")
		w.refused("PATCH", "/fleet/tests/one", m{"settings": m{"open": "x"}}, "InvalidRequestException", "has no setting open")

		w.must("POST", "/fleet/tests/three", m{"sampleName": "first"})
		w.must("POST", "/fleet/tests/two", m{"sampleName": "another"})
		w.refused("POST", "/fleet/tests/four", m{"sampleName": "another"}, "LimitExceededException", "at most 3 tests")
		a = w.must("GET", "/fleet/tests?maxResults=2", nil)
		if a.names("tests", "testName") != "one three" || a.text("tests", 1, "sampleName") != "first" {
			t.Error(a)
		}
		if a = w.must("GET", "/fleet/tests?nextToken="+a.text("nextToken"), nil); a.names("tests", "testName") != "two" || a["nextToken"] != nil {
			t.Error(a)
		}
		if a = w.must("GET", "/fleet/tests?prefix=t", nil); a.names("tests", "testName") != "three two" {
			t.Error(a)
		}
		w.refused("GET", "/fleet/tests?nextToken=bm9wZQ", nil, "InvalidRequestException", "Invalid nextToken")

		// Another account, or the same in another region, has none of it.
		for _, strange := range []*world{w.as(other, region), w.as(account, "eu-west-1")} {
			strange.refused("GET", "/fleet/tests/one", nil, "ResourceNotFoundException", "")
			if a := strange.must("GET", "/fleet/tests", nil); a.names("tests", "testName") != "" {
				t.Error(a)
			}
			strange.must("DELETE", "/fleet/tests/one", nil)
			if strange.account == other {
				strange.must("POST", "/fleet/tests/one", m{"sampleName": "another"})
			} else { // but all regions have one limit
				strange.refused("POST", "/fleet/tests/one", m{"sampleName": "another"}, "LimitExceededException", "An account has at most 3 tests")
			}
		}
		w.refused("DELETE", "/fleet/tests/one?expectedVersion=2", nil, "ConflictException", "The version")
		w.must("DELETE", "/fleet/tests/one?expectedVersion=6", nil)
		w.must("DELETE", "/fleet/tests/one", nil)
		w.refused("GET", "/fleet/tests/one", nil, "ResourceNotFoundException", "")
		w.as(other, region).must("GET", "/fleet/tests/one", nil)
	})
}

// What a model may have the API takes: names, numbers and lengths of settings, thresholds.
func TestLimitsAgree(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t), nil)
	var many []model.Setting
	values := m{}
	for i := range 64 {
		name := fmt.Sprintf("$_%02d", i) + strings.Repeat("Z", 60)
		many = append(many, model.Setting{Name: name, Label: "l", Default: strings.Repeat("d", 32<<10>>min(i, 5))})
		values[name] = "v"
	}
	thresholds := slices.Repeat([]string{"errors rate < 0.01"}, 64)
	create := func(name string, settings []model.Setting, thresholds []string) (answer, error) {
		return w.do("POST", "/fleet/tests/"+name, m{"settings": values, "modelDocument": document(func(d *model.Model) {
			d.Settings, d.Run = settings, &model.RunSettings{Thresholds: thresholds}
		})})
	}
	if _, err := create("full", many, thresholds); err != nil {
		t.Error(err)
	}
	w.must("PATCH", "/fleet/tests/full", m{"settings": m{many[0].Name: many[0].Default}})
	w.must("PUT", "/fleet/run-settings/full", m{"runSettings": m{"thresholds": thresholds}})
	if _, err := create("over", append(many, model.Setting{Name: "a"}), nil); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Error(err)
	}
	if _, err := create("over", many, append(thresholds, thresholds[0])); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Error(err)
	}
	w.refused("PUT", "/fleet/run-settings/over", m{"runSettings": m{"thresholds": append(thresholds, thresholds[0])}}, "InvalidRequestException", "64")
	w.refused("PATCH", "/fleet/tests/full", m{"settings": m{many[0].Name: many[0].Default + "d"}}, "InvalidRequestException", "32768")
}

func TestRunSettings(t *testing.T) {
	each(t, func(s *Service) { s.Limits.RunSettings = 3; s.Limits.Clients = 1000 }, func(t *testing.T, w *world) {
		a := w.must("GET", "/fleet/run-settings/default", nil)
		if got := fmt.Sprint(a.at("runSetting", "runSettings"), a.at("runSetting", "createdAt")); got != "map[clients:1 interval:1s iterations:5] <nil>" {
			t.Error(got)
		}
		all := m{
			"clients": 5, "iterations": 7, "interval": "1.5s", "jitter": "10ms", "rampUp": "1m", "offset": 3, "connectLimit": 4, "requestLimit": 2, "duration": "10m", "seed": 9007199254740991,
			"time": "virtual", "network": m{"latency": "5ms", "jitter": "1ms", "loss": 0.25, "disconnectEvery": "30s"}, "thresholds": []string{"errors rate < 0.01"}, "keepState": true,
		}
		a = w.must("PUT", "/fleet/run-settings/default", m{"runSettings": all})
		if a.text("runSettingArn") != "arn:aws:fleet:us-east-1:123456789012:run-setting/default" || w.guard.last() != "fleet:PutRunSetting "+a.text("runSettingArn") {
			t.Error(a, w.guard.last())
		}
		a = w.must("GET", "/fleet/run-settings/default", nil)
		if got, want := fmt.Sprint(a.at("runSetting", "runSettings")), "map[clients:5 connectLimit:4 duration:10m0s interval:1.5s iterations:7 jitter:10ms keepState:true network:map[disconnectEvery:30s jitter:1ms latency:5ms loss:0.25] "+
			"offset:3 rampUp:1m0s requestLimit:2 seed:9.007199254740991e+15 thresholds:[errors rate < 0.01] time:virtual]"; got != want {
			t.Errorf("%s\n%s", got, want)
		}
		for want, settings := range map[string]m{
			`runSettings.interval: "1" is not a time`: {"interval": "1"}, "runSettings.gap: \"9y\"": {"gap": "9y"}, "at most 1000 clients": {"clients": 1001}, "clients": {"clients": 0},
			"rampUp says already": {"gap": "1s", "rampUp": "1s"}, "at most 1h0m0s on this server (--fleet-time)": {"duration": "61m"}, "enum value set: [real, virtual]": {"time": "past"},
			"runSettings.network.loss": {"network": m{"loss": 1.5}}, "no condition": {"thresholds": []string{" "}},
		} {
			w.refused("PUT", "/fleet/run-settings/x", m{"runSettings": settings}, "InvalidRequestException", want)
		}
		w.refused("GET", "/fleet/run-settings/x", nil, "ResourceNotFoundException", "Run setting x not found")
		w.must("PUT", "/fleet/run-settings/big", m{"runSettings": m{"clients": 100}})
		w.must("PUT", "/fleet/run-settings/again", m{"runSettings": m{}})
		w.refused("PUT", "/fleet/run-settings/fourth", m{"runSettings": m{}}, "LimitExceededException", "at most 3 run settings")
		var names []string
		for token := ""; ; {
			a := w.must("GET", "/fleet/run-settings?maxResults=1"+token, nil)
			names = append(names, a.names("runSettings", "runSettingName"))
			if a["nextToken"] == nil {
				break
			}
			token = "&nextToken=" + a.text("nextToken")
		}
		if got := strings.Join(names, " "); got != "default again big" {
			t.Error(got)
		}
		if a := w.as(other, region).must("GET", "/fleet/run-settings", nil); a.names("runSettings", "runSettingName") != "default" {
			t.Error(a)
		}
		w.must("DELETE", "/fleet/run-settings/default", nil)
		w.must("DELETE", "/fleet/run-settings/nope", nil)
		if a := w.must("GET", "/fleet/run-settings/default", nil); fmt.Sprint(a.at("runSetting", "runSettings", "clients")) != "1" {
			t.Error(a)
		}
	})
}
