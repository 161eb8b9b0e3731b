package app

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/server"
)

// What the router refuses is in the trail.
func TestRouterRefusalsAreRecorded(t *testing.T) {
	dir := t.TempDir()
	trail, err := audit.Open(dir, audit.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/signin", nil)

	out := newEdge(trail, APIs(nil, nil, nil, nil, nil, nil))
	out.record(server.Refusal{HTTP: r, ID: "2", Service: "iam", Action: "ListUsers", Code: "MissingAuthenticationToken", Message: "m"})
	out.record(server.Refusal{HTTP: r, ID: "3", Service: "my secret", Action: "hunter2", Code: "NotImplementedException", Message: "m"})
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range audit.Lookup(t.Context(), dir, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Who()+" "+e.EventSource+" "+e.EventName+" "+e.Result())
	}
	want := []string{
		"? unknown.amazonaws.com UnknownOperation NotImplementedException", "? iam.amazonaws.com ListUsers MissingAuthenticationToken",
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("%q\nwant %q", got, want)
		}
	}
}
