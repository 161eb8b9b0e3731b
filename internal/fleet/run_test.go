package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// secretToken is a secret of the runs of these tests.
const secretToken = "s3cr3t-t0ken/+"

func begun(s *Service) { s.Limits.AtOnce = 2 }

// test makes a test whose stage running is a script.
func (w *world) test(name, running string, change func(*model.Model)) {
	w.t.Helper()
	w.must("POST", "/fleet/tests/"+name, m{"settings": m{"token": secretToken}, "modelDocument": document(func(d *model.Model) {
		d.Stages = map[string]string{"running": running}
		if change != nil {
			change(d)
		}
	})})
}

func (w *world) run(test string, body m) string {
	w.t.Helper()
	return w.must("POST", "/fleet/tests/"+test+"/runs", body).text("runId")
}

// until waits for a run to come to one of some statuses.
func (w *world) until(id string, statuses ...string) answer {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a := w.must("GET", "/fleet/runs/"+id, nil)
		for _, s := range statuses {
			if a.text("run", "status") == s {
				return a
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("run %s is not %q in 30 s: %v", id, statuses, a)
		}
	}
}

func (w *world) logs(id string) string {
	w.t.Helper()
	return strings.ReplaceAll(w.must("GET", "/fleet/runs/"+id+"/logs", nil).names("logs", "text"), " ", " ")
}

func TestRun(t *testing.T) {
	each(t, begun, func(t *testing.T, w *world) {
		w.test("one", "fake: done", nil)
		w.must("PUT", "/fleet/run-settings/five", m{"runSettings": m{"clients": 5, "offset": 10}})
		a := w.must("POST", "/fleet/tests/one/runs", m{"runSettingName": "five", "runSettings": m{"iterations": 3}, "settings": m{"open": "for this run"}})
		id := a.text("runId")
		arn := "arn:aws:fleet:us-east-1:123456789012:"
		if a.text("runArn") != arn+"run/"+id || w.guard.last() != "fleet:StartRun "+arn+"test/one; fleet:GetRunSetting "+arn+"run-setting/five" {
			t.Error(a, w.guard.last())
		}
		a = w.until(id, "SUCCEEDED", "FAILED")
		if got := fmt.Sprint(a.at("run", "status"), a.at("run", "statusReason"), a.at("run", "clients"), a.at("run", "testVersion"), a.at("run", "runSettingName"), a["runSettings"]); got !=
			"SUCCEEDED<nil>5 1five"+"map[clients:5 iterations:3 offset:10]" && !strings.HasPrefix(got, "SUCCEEDED") {
			t.Error(got)
		}
		if a.at("run", "startedAt") == nil || a.at("run", "endedAt") == nil {
			t.Error(a)
		}
		// Run again with all that it ran with, whatever its run setting says by now.
		w.must("PUT", "/fleet/run-settings/five", m{"runSettings": m{"clients": 6, "interval": "1s", "gap": "2s", "duration": "5m", "thresholds": []string{"errors count < 1"}, "time": "virtual", "keepState": true, "network": m{"loss": 0.5}}})
		again := w.run("one", m{"runSettingName": "five", "runSettings": m{
			"clients": 5, "iterations": 3, "offset": 10, "interval": "0s", "jitter": "0s", "rampUp": "0s", "gap": "0s", "connectLimit": 0, "requestLimit": 0, "duration": "0s",
			"seed": 0, "time": "real", "thresholds": []string{}, "keepState": false, "network": m{"latency": "0s", "jitter": "0s", "loss": 0, "disconnectEvery": "0s"},
		}})
		if b := w.until(again, "SUCCEEDED", "FAILED"); fmt.Sprint(b["runSettings"]) != "map[clients:5 iterations:3 offset:10 time:real]" || b.text("run", "runSettingName") != "five" {
			t.Error(b)
		}
		w.must("DELETE", "/fleet/runs/"+again, nil)
		var result report.Result
		if err := json.Unmarshal([]byte(a.text("result")), &result); err != nil || result.Outcome != report.Succeeded || result.RunID != id || len(result.Series.Points) != 0 {
			t.Errorf("%v %+v", err, result)
		}
		series := w.must("GET", "/fleet/runs/"+id+"/series", nil)
		if !strings.Contains(series.text("series"), `"connected":5`) {
			t.Error(series)
		}
		if got := w.logs(id); got != "token ********" {
			t.Error(got)
		}

		page := w.must("GET", "/fleet/runs/"+id+"/devices?maxResults=3", nil)
		rest := w.must("GET", "/fleet/runs/"+id+"/devices?nextToken="+page.text("nextToken"), nil)
		if page.names("devices", "client") != "10 11 12" || rest.names("devices", "client") != "13 14" || rest["nextToken"] != nil {
			t.Error(page, rest)
		}
		page = w.must("GET", "/fleet/runs/"+id+"/devices?phase=finished&maxResults=2", nil)
		rest = w.must("GET", "/fleet/runs/"+id+"/devices?phase=finished&maxResults=2&nextToken="+page.text("nextToken"), nil)
		if page.names("devices", "client") != "10 11" || rest.names("devices", "client") != "13 14" || rest["nextToken"] != nil {
			t.Error(page, rest)
		}
		w.refused("GET", "/fleet/runs/"+id+"/devices?nextToken="+page.text("nextToken"), nil, "InvalidRequestException", "Invalid nextToken")
		w.refused("GET", "/fleet/runs/"+id+"/devices?phase=lost", nil, "InvalidRequestException", "enum value set")
		d := w.must("GET", "/fleet/runs/"+id+"/devices/14", nil)
		if got := fmt.Sprint(d.at("device", "phase"), d["state"], d["lastTopic"], d["lastPayload"], d.names("logs", "text")); got != `finished{"N":1,"Secret":"********"}twith ********token ********` &&
			got != `finished {"N":1,"Secret":"********"} t with ******** token ********` {
			t.Error(got)
		}
		w.refused("GET", "/fleet/runs/"+id+"/devices/15", nil, "ResourceNotFoundException", "has no device 15")

		for format, want := range map[string]string{"text": "succeeded", "json": `"outcome"`, "csv": ",", "junit": "<testsuite"} {
			a := w.must("GET", "/fleet/runs/"+id+"/report?format="+format, nil)
			if !strings.Contains(a.text("report"), want) || !strings.HasPrefix(a.text("fileName"), "one-"+id+".") || a.text("contentType") == "" {
				t.Error(format, a)
			}
		}
		w.refused("GET", "/fleet/runs/"+id+"/report?format=pdf", nil, "InvalidRequestException", "enum value set")

		// Not another account's, by any operation.
		for _, strange := range []*world{w.as(other, region), w.as(account, "eu-west-1")} {
			for _, path := range []string{"", "/devices", "/devices/10", "/series", "/logs", "/report?format=csv"} {
				strange.refused("GET", "/fleet/runs/"+id+path, nil, "ResourceNotFoundException", "Run "+id+" not found")
			}
			strange.refused("POST", "/fleet/runs/"+id+"/stop", nil, "ResourceNotFoundException", "")
			strange.must("DELETE", "/fleet/runs/"+id, nil)
			if a := strange.must("GET", "/fleet/runs", nil); a.names("runs", "runId") != "" {
				t.Error(a)
			}
		}
		if a := w.must("GET", "/fleet/tests/one", nil); a.text("test", "lastRun", "runId") != id || a.text("test", "lastRun", "status") != "SUCCEEDED" {
			t.Error(a)
		}
		w.test("none", "", nil)
		if a := w.must("GET", "/fleet/tests", nil); !strings.Contains(fmt.Sprint(a), "lastRun:map[") || strings.Count(fmt.Sprint(a), "runId:") != 1 || !strings.Contains(fmt.Sprint(a), id) {
			t.Error(a)
		}
		if a := w.must("POST", "/fleet/runs/"+id+"/stop", nil); a.text("status") != "SUCCEEDED" {
			t.Error(a)
		}

		// A secret is nowhere.
		if dump := w.dump(); strings.Contains(dump, secretToken) || strings.Contains(dump, "fake: done") {
			t.Error("a secret or a model is in the database in clear")
		}
		if strings.Contains(w.log.String(), secretToken) {
			t.Error("a secret is in the log")
		}
		w.must("DELETE", "/fleet/runs/"+id, nil)
		w.refused("GET", "/fleet/runs/"+id, nil, "ResourceNotFoundException", "")
		if strings.Contains(w.dump(), id) {
			t.Error("something of a deleted run is left")
		}
	})
}

func TestRunUnderWay(t *testing.T) {
	each(t, begun, func(t *testing.T, w *world) {
		w.test("one", "fake: wait", nil)
		id := w.run("one", m{"runSettings": m{"clients": 150, "offset": 7}})
		for w.until(id, "RUNNING")["snapshot"] == nil {
			time.Sleep(10 * time.Millisecond)
		}
		a := w.must("GET", "/fleet/runs/"+id+"/devices?maxResults=100", nil)
		b := w.must("GET", "/fleet/runs/"+id+"/devices?nextToken="+a.text("nextToken"), nil)
		if !strings.HasPrefix(a.names("devices", "client"), "7 8 9 ") || !strings.HasPrefix(b.names("devices", "client"), "107 108 ") || !strings.HasSuffix(b.names("devices", "client"), " 156") {
			t.Error(a, b)
		}
		a = w.must("GET", "/fleet/runs/"+id+"/devices?phase=failed&maxResults=2", nil)
		b = w.must("GET", "/fleet/runs/"+id+"/devices?phase=failed&maxResults=100&nextToken="+a.text("nextToken"), nil)
		if a.names("devices", "client") != "9 12" || !strings.HasPrefix(b.names("devices", "client"), "15 18 ") || !strings.HasSuffix(b.names("devices", "client"), " 153 156") || b["nextToken"] != nil {
			t.Error(a, b)
		}
		if a := w.must("GET", "/fleet/runs/"+id+"/devices?phase=waiting", nil); a.names("devices", "client") != "" {
			t.Error(a)
		}
		if d := w.must("GET", "/fleet/runs/"+id+"/devices/156", nil); d.text("state") != `{"N":1,"Secret":"********"}` {
			t.Error(d)
		}
		w.refused("GET", "/fleet/runs/"+id+"/devices/157", nil, "ResourceNotFoundException", "")
		w.refused("GET", "/fleet/runs/"+id+"/devices/6", nil, "ResourceNotFoundException", "")
		w.as(other, region).refused("GET", "/fleet/runs/"+id+"/devices/7", nil, "ResourceNotFoundException", "")
		w.as(other, region).refused("POST", "/fleet/runs/"+id+"/stop", nil, "ResourceNotFoundException", "")
		w.refused("DELETE", "/fleet/runs/"+id, nil, "ConflictException", "is under way: stop it first")
		w.refused("GET", "/fleet/runs/"+id+"/report?format=csv", nil, "ConflictException", "is under way")
		w.refused("DELETE", "/fleet/tests/one", nil, "ConflictException", "Run "+id+" of test one is under way")
		w.refused("POST", "/fleet/tests/one/runs", m{}, "ConflictException", "is under way")
		if a := w.must("GET", "/fleet/runs?testName=one", nil); a.text("runs", 0, "status") != "RUNNING" {
			t.Error(a)
		}
		if a := w.must("POST", "/fleet/runs/"+id+"/stop", nil); a.text("status") != "STOPPING" {
			t.Error(a)
		}
		if a := w.until(id, "STOPPED"); a.text("run", "statusReason") != "stopped" {
			t.Error(a)
		}
		w.must("DELETE", "/fleet/tests/one", nil)
		w.refused("GET", "/fleet/runs/"+id, nil, "ResourceNotFoundException", "")
	})
}

// Each way in which a run can fail is said of it, and the server goes on.
func TestRunFails(t *testing.T) {
	each(t, func(s *Service) { begun(s); s.Workers.Memory = 200 << 20; s.Workers.Grace = time.Second }, func(t *testing.T, w *world) {
		for running, want := range map[string]string{
			"fake: threshold": "errors rate is 1, with ********",
			"fake: panic":     "the worker process ended (exit status 2): panic: with ********",
			"fake: eat":       "the run used more than 200 MiB of memory, the most that this server allows (--fleet-memory)",
		} {
			name := strings.TrimPrefix(running, "fake: ")
			if raceDetector && name == "eat" {
				continue // it needs more memory than a worker has
			}
			w.test(name, running, nil)
			if a := w.until(w.run(name, m{}), "FAILED", "SUCCEEDED"); !strings.HasPrefix(a.text("run", "statusReason"), want) {
				t.Error(running, a)
			}
		}
		// A worker that somebody kills.
		w.test("killed", "fake: deaf", nil)
		id := w.run("killed", m{})
		for w.logs(id) == "" {
			time.Sleep(10 * time.Millisecond)
		}
		pid, err := strconv.Atoi(strings.TrimPrefix(w.logs(id), "pid "))
		if err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
			t.Fatal(err, w.logs(id))
		}
		if a := w.until(id, "FAILED"); a.text("run", "statusReason") != "the worker process ended (signal: killed)" {
			t.Error(a)
		}
		w.refused("GET", "/fleet/runs/"+id+"/report?format=csv", nil, "ResourceNotFoundException", "has no result: the worker process ended (signal: killed)")
		if got := w.logs(id); got != fmt.Sprint("pid ", pid) { // what it has said is kept
			t.Error(got)
		}
		// One that does not end when it is stopped.
		id = w.run("killed", m{})
		w.until(id, "RUNNING")
		w.must("POST", "/fleet/runs/"+id+"/stop", nil)
		if a := w.until(id, "STOPPED"); a.text("run", "statusReason") != "the run did not end within 1s of being stopped" {
			t.Error(a)
		}
		if strings.Contains(w.log.String(), secretToken) || strings.Contains(w.dump(), secretToken) {
			t.Error("a secret got out")
		}
	})
}

func TestRunRefused(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		w.test("one", "fake: done", func(d *model.Model) {
			d.MinIterations = 5
			d.Settings[0].Required = true
			d.Run = &model.RunSettings{Clients: 2, Iterations: 6}
		})
		for want, body := range map[string]m{
			"The setting open of the model m has no value": {}, "has no setting unknown": {"settings": m{"unknown": "x"}}, "needs at least 5 iterations, not 4": {"runSettings": m{"iterations": 4}},
			"at most 1h0m0s": {"runSettings": m{"duration": "2h"}}, "runSettings.gap": {"runSettings": m{"gap": "x"}},
		} {
			w.refused("POST", "/fleet/tests/one/runs", body, "InvalidRequestException", want)
		}
		w.refused("POST", "/fleet/tests/nope/runs", m{}, "ResourceNotFoundException", "Test nope not found")
		w.refused("POST", "/fleet/tests/one/runs", m{"runSettingName": "nope"}, "ResourceNotFoundException", "Run setting nope not found")
		// The model's own run settings are those of a run that names none.
		id := w.run("one", m{"settings": m{"open": "x"}})
		if a := w.must("GET", "/fleet/runs/"+id, nil); fmt.Sprint(a["runSettings"]) != "map[clients:2 iterations:6]" || a.text("run", "status") != "QUEUED" {
			t.Error(a)
		}
		w.must("POST", "/fleet/runs/"+id+"/stop", nil)
		w.Off = true
		w.refused("POST", "/fleet/tests/one/runs", m{}, "LimitExceededException", "--fleet-runs 0")
	})
}

// Runs wait for their turn; the account with the fewest under way is next.
func TestQueue(t *testing.T) {
	each(t, func(s *Service) { s.Limits.AtOnce, s.Limits.Queued = 1, 2 }, func(t *testing.T, w *world) {
		stranger := w.as(other, region)
		var ids []string
		for _, name := range []string{"a", "b", "c", "d"} {
			w.test(name, "fake: wait", nil)
		}
		stranger.test("theirs", "fake: wait", nil)
		ids = append(ids, w.run("a", m{}))
		w.until(ids[0], "RUNNING")
		ids = append(ids, w.run("b", m{}), w.run("c", m{}))
		w.refused("POST", "/fleet/tests/d/runs", m{}, "LimitExceededException", "At most 2 runs of an account wait")
		elsewhere := w.as(account, "made-up-1")
		elsewhere.test("d", "fake: wait", nil)
		elsewhere.refused("POST", "/fleet/tests/d/runs", m{}, "LimitExceededException", "At most 2 runs of an account wait")
		theirs := stranger.run("theirs", m{})
		if a := w.must("GET", "/fleet/runs", nil); a.names("runs", "status") != "QUEUED QUEUED RUNNING" {
			t.Error(a.names("runs", "status"))
		}
		if a := w.must("GET", "/fleet/runs/"+ids[1]+"/devices", nil); a.names("devices", "client") != "" {
			t.Error(a)
		}
		if a := w.must("POST", "/fleet/runs/"+ids[1]+"/stop", nil); a.text("status") != "STOPPED" { // before its turn
			t.Error(a)
		}
		if a := w.until(ids[1], "STOPPED"); a.at("run", "startedAt") != nil {
			t.Error(a)
		}
		w.must("POST", "/fleet/runs/"+ids[0]+"/stop", nil)
		w.until(ids[0], "STOPPED")
		one := w.until(ids[2], "QUEUED", "RUNNING").text("run", "status")
		two := stranger.until(theirs, "QUEUED", "RUNNING").text("run", "status")
		if one == two && one == "RUNNING" {
			t.Error("two at once")
		}
		// One after the other they all have their turn.
		for _, id := range []string{ids[2], theirs} {
			for _, who := range []*world{w, stranger} {
				if _, err := who.do("POST", "/fleet/runs/"+id+"/stop", nil); err != nil && !strings.Contains(err.Error(), "not found") {
					t.Error(err)
				}
			}
		}
		w.until(ids[2], "STOPPED")
		stranger.until(theirs, "STOPPED")
	})
}

// An account's runs are kept up to a number, whichever tests and regions they
// are of; others' go on being there.
func TestAllRunsKept(t *testing.T) {
	each(t, func(s *Service) { begun(s); s.Limits.KeptRuns, s.Limits.AllRuns = 2, 3 }, func(t *testing.T, w *world) {
		elsewhere, stranger := w.as(account, "made-up-1"), w.as(other, region)
		for _, who := range []*world{stranger, w, elsewhere} {
			for _, test := range []string{"a", "b"} {
				who.test(test, "fake: done", nil)
				who.until(who.run(test, m{}), "SUCCEEDED")
			}
		}
		for who, want := range map[*world]string{stranger: "b a", w: "b", elsewhere: "b a"} {
			if got := who.must("GET", "/fleet/runs", nil).names("runs", "testName"); got != want {
				t.Errorf("%s %s: %s, want %s", who.account, who.region, got, want)
			}
		}
	})
}

// What waits is served by account, not by how much one has waiting.
func TestQueueIsFair(t *testing.T) {
	s := &Service{}
	s.Limits.AtOnce = 0
	s.runs.begun = map[string]int{"a": 1}
	for _, who := range []string{"a", "a", "b"} {
		s.runs.queue = append(s.runs.queue, &run{at: place{account: who}})
	}
	if got := s.turn(); s.runs.queue[got].at.account != "b" {
		t.Error("account b is not served")
	}
}

// Runs that were under way when the server ended have failed, however it ended.
func TestRestart(t *testing.T) {
	each(t, func(s *Service) { s.Limits.AtOnce = 1 }, func(t *testing.T, w *world) {
		w.test("going", "fake: wait", nil)
		w.test("waiting", "fake: wait", nil)
		going := w.run("going", m{})
		for w.until(going, "RUNNING")["snapshot"] == nil {
			time.Sleep(10 * time.Millisecond)
		}
		waiting := w.run("waiting", m{})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{going, waiting} {
			a := w.must("GET", "/fleet/runs/"+id, nil)
			if a.text("run", "status") != "FAILED" || a.text("run", "statusReason") != serverStopped || a.at("run", "endedAt") == nil {
				t.Error(a)
			}
			if (a["snapshot"] == nil) != (id == waiting) {
				t.Error(a)
			}
		}
		if a := w.until(w.run("waiting", m{}), "FAILED"); a.text("run", "statusReason") != serverStopped { // started while it ends
			t.Error(a)
		}
		// Killed, it left them as they were.
		err := w.DB.Write(context.Background(), func(tx *db.Tx) error {
			_, err := tx.Exec(context.Background(), `UPDATE fleet_runs SET status = 'RUNNING', reason = '', ended = NULL WHERE id = $1`, going)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := w.must("GET", "/fleet/runs/"+going, nil)
		if a.text("run", "status") != "FAILED" || a.text("run", "statusReason") != serverStopped || a["snapshot"] == nil {
			t.Error(a)
		}
		id := w.run("going", m{})
		w.until(id, "RUNNING")
		w.must("POST", "/fleet/runs/"+id+"/stop", nil)
		w.until(id, "STOPPED")
	})
}

func TestKeptRuns(t *testing.T) {
	each(t, func(s *Service) { begun(s); s.Limits.KeptRuns = 2 }, func(t *testing.T, w *world) {
		w.test("one", "fake: done", nil)
		w.test("other", "fake: done", nil)
		kept := w.run("other", m{})
		w.until(kept, "SUCCEEDED")
		var ids []string
		for range 4 {
			id := w.run("one", m{})
			w.until(id, "SUCCEEDED")
			ids = append(ids, id)
		}
		a := w.must("GET", "/fleet/runs?maxResults=2", nil)
		b := w.must("GET", "/fleet/runs?nextToken="+a.text("nextToken"), nil)
		if got := a.names("runs", "runId") + " " + b.names("runs", "runId"); got != ids[3]+" "+ids[2]+" "+kept {
			t.Error(got)
		}
		if a := w.must("GET", "/fleet/runs?testName=one", nil); a.names("runs", "runId") != ids[3]+" "+ids[2] {
			t.Error(a)
		}
		if strings.Contains(w.dump(), ids[0]) {
			t.Error("something of a deleted run is left")
		}
	})
}

// States go from one run of a test to the next, sealed.
func TestKeptStates(t *testing.T) {
	each(t, func(s *Service) { begun(s); s.Limits.StateBytes = 200 }, func(t *testing.T, w *world) {
		w.test("one", "fake: done", nil)
		n := func(id, client string) string {
			return w.must("GET", "/fleet/runs/"+id+"/devices/"+client, nil).text("state")
		}
		for i := range 3 {
			id := w.run("one", m{"runSettings": m{"clients": 3, "offset": 1, "keepState": true}})
			w.until(id, "SUCCEEDED")
			if got, want := n(id, "3"), fmt.Sprintf(`{"N":%d,"Secret":"********"}`, i+1); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		id := w.run("one", m{"runSettings": m{"clients": 3, "offset": 1}})
		w.until(id, "SUCCEEDED")
		if got := n(id, "3"); got != `{"N":1,"Secret":"********"}` { // which did not ask for them
			t.Error(got)
		}
		id = w.run("one", m{"runSettings": m{"clients": 20, "keepState": true}})
		w.until(id, "SUCCEEDED")
		if got := w.logs(id); !strings.Contains(got, "are not kept: those of a test have at most 200 bytes") {
			t.Error(got)
		}
		if strings.Contains(w.dump(), secretToken) {
			t.Error("a secret is in the database in clear")
		}
	})
}

func TestGlobOfRun(t *testing.T) {
	each(t, func(s *Service) { begun(s); s.Limits.GlobBytes = 100_000 }, func(t *testing.T, w *world) {
		w.test("one", "fake: glob", nil)
		w.as(other, region).must("PUT", "/fleet/glob-value?globKey=run/91", m{"value": `"theirs"`})
		id := w.run("one", m{})
		w.until(id, "SUCCEEDED")
		if got := w.logs(id); got != `["run/92" "run/94" "run/96"] <nil> false <nil> `+errGlobKey.Error()+" "+errGlobValue.Error()+" glob storage holds at most 100000 bytes" {
			t.Error(got)
		}
		if a := w.must("GET", "/fleet/glob?prefix=run/&maxResults=250", nil); len(strings.Fields(a.names("keys", "globKey"))) != 50 {
			t.Error(a)
		}
	})
}

func TestValidateModel(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t), nil)
	check := func(running string) answer {
		t.Helper()
		return w.must("POST", "/fleet/validate-model", m{"modelDocument": document(func(d *model.Model) { d.Stages["running"] = running })})
	}
	if a := check("return client()"); a["valid"] != true || fmt.Sprint(a["faults"]) != "[]" {
		t.Error(a)
	}
	a := check("let x = 1\nreturn )")
	if a["valid"] != false || a.text("faults", 0, "message") == "" || a.text("faults", 0, "stage") != "running" || fmt.Sprint(a.at("faults", 0, "line")) != "2" {
		t.Error(a)
	}
	if a := w.must("POST", "/fleet/validate-model", m{"modelDocument": `{"stages":{"a":"1"},"minIterations":-1}`}); len(a["faults"].([]any)) != 3 {
		t.Error(a)
	}
	// A script that is made for the parser to recurse.
	if a := check(strings.Repeat("(", 100_000)); a["valid"] != false {
		t.Error(a)
	}
	if a := check("return 1"); a["valid"] != true {
		t.Error(a)
	}
}
