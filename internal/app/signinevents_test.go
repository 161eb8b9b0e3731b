package app

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/db/dbtest"
)

func TestSignInEvents(t *testing.T) {
	g := newSignInRig(t, dbtest.SQLite(t))
	dir := t.TempDir()
	trail, err := audit.Open(dir, audit.Options{
		Now: func() time.Time { return time.UnixMilli(g.clock.Load()) }, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.want(200, rootUser)(g.post("/signin", rootSignIn))
	g.want(401, "")(g.post("/signin", `{"email":"root@localhost","password":"not-this-1"}`))
	g.want(401, "")(g.post("/signin", `{"account":"123456789012","userName":"typed-a-password","password":"not-this-2"}`))
	for _, e := range g.events {
		signInEvents{trail}.Record(e)
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"not-this", "typed-a-password", "EXAMPLE-Passw0rd", g.cookies["thingd-session"].Value} {
		if strings.Contains(string(b), secret) {
			t.Errorf("the trail has %s", secret)
		}
	}
	var got []string
	for line := range strings.Lines(string(b)) {
		var e struct {
			EventName, EventSource, EventType, ErrorMessage, SourceIPAddress string

			UserIdentity        struct{ Type, ARN, AccountID, UserName string }
			ResponseElements    map[string]string
			AdditionalEventData map[string]string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		id := e.UserIdentity
		got = append(got, strings.Join([]string{
			e.EventSource, e.EventName, e.EventType, e.SourceIPAddress, id.Type, id.ARN, id.AccountID, id.UserName,
			e.ResponseElements["ConsoleLogin"], e.AdditionalEventData["MFAUsed"], e.ErrorMessage,
		}, "|"))
	}
	want := []string{
		"signin.amazonaws.com|ConsoleLogin|AwsConsoleSignIn|192.0.2.1|Root|" + rootUser + "|123456789012||Success|No|",
		"signin.amazonaws.com|ConsoleLogin|AwsConsoleSignIn|192.0.2.1|Root|" + rootUser + "|123456789012||Failure|No|Failed authentication",
		"signin.amazonaws.com|ConsoleLogin|AwsConsoleSignIn|192.0.2.1|IAMUser||123456789012|" + hiddenName + "|Failure|No|No username found in supplied account",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
