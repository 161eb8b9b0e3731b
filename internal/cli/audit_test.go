package cli

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/config"
)

func TestMoment(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	for in, want := range map[string]string{
		"":                          "0001-01-01T00:00:00Z",
		"90m":                       "2026-03-04T09:30:00Z",
		"7d":                        "2026-02-25T11:00:00Z",
		"2026-03-01":                "2026-02-28T23:00:00Z",
		"2026-03-01 10:20":          "2026-03-01T09:20:00Z",
		"2026-03-01T10:20:30":       "2026-03-01T09:20:30Z",
		"2026-03-01T10:20:30Z":      "2026-03-01T10:20:30Z",
		"2026-03-01T10:20:30+02:00": "2026-03-01T08:20:30Z",
		"yesterday":                 "fault", "-5m": "fault", "d": "fault", "5": "fault", "2026-13-01": "fault",
	} {
		got, err := moment(in, now)
		text := got.UTC().Format(time.RFC3339)
		if err != nil {
			text = "fault"
		}
		if text != want {
			t.Errorf("%q: %s %v, want %s", in, text, err, want)
		}
	}
}

// Terminals are not to be told what to do by names.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "-", "alice": "alice", "a\x1b[31m\n\u202eb": "a\uFFFD[31m\uFFFD\uFFFDb", "日本": "日本",
		strings.Repeat("é", 100): strings.Repeat("é", 79) + "…",
	} {
		if got := printable(in, 80); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// Long names leave the columns where they are.
func TestAuditColumns(t *testing.T) {
	e := audit.Entry{EventSource: "iot.amazonaws.com", EventName: "CreateCertificateFromCsrAndMuchMore", SourceIP: "2001:db8:1111:2222:3333:4444:5555:6666", Account: "111122223333"}
	e.UserIdentity.Type, e.UserIdentity.UserName = audit.IAMUser, strings.Repeat("日本", 40)
	for range 2 {
		e.Resources = append(e.Resources, struct {
			ARN  string `json:"ARN"`
			Type string `json:"type"`
		}{ARN: "arn:aws:iot:us-east-1:111122223333:cert/" + strings.Repeat("a", 64)})
	}
	var b strings.Builder
	if err := header(&b); err != nil {
		t.Fatal(err)
	}
	if err := row(&b, &e); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	head, line := []rune(lines[0]), []rune(lines[1])
	at := strings.Index(string(head), "RESULT")
	if string(line[at-2:]) != "  ok" || !strings.Contains(lines[1], "cert/aaaaaaaaaaaaaaaaaaaaaaa… +1  2001:db8:1111:…  ") {
		t.Errorf("\n%s", b.String())
	}
}

func TestAuditMost(t *testing.T) {
	three := 3
	for _, tt := range []struct {
		cmd  auditCmd
		want int
	}{{auditCmd{}, 50}, {auditCmd{Follow: true}, 10}, {auditCmd{Max: &three}, 3}, {auditCmd{Max: &three, Follow: true}, 3}} {
		if got := tt.cmd.most(); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.cmd, got, tt.want)
		}
	}
}

func TestAudit(t *testing.T) {
	r := running(t)
	trail, err := audit.Open(filepath.Join(r.Dir, config.AuditDir), audit.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []audit.Event{
		{Identity: audit.Identity{Type: audit.IAMUser, Account: "111122223333", UserName: "alice"}, Source: "iam.amazonaws.com", Name: "CreateUser", SourceIP: "192.0.2.1",
			Resources: []string{"arn:aws:iam::111122223333:user/bob", "arn:aws:iam::111122223333:policy/p"}},
		{Source: "sts.amazonaws.com", Name: "GetCallerIdentity", ErrorCode: "SignatureDoesNotMatch", ReadOnly: true},
	} {
		trail.Record(e)
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args  []string
		code  int
		wants []string
		lines int
	}{
		{nil, 0, []string{"ACCOUNT", "111122223333  alice ", "iam:CreateUser ", "user/bob +1 ", "192.0.2.1 ", " ok\n", "sts:GetCallerIdentity", "SignatureDoesNotMatch\n"}, 3},
		{[]string{"--error"}, 0, []string{"SignatureDoesNotMatch"}, 2},
		{[]string{"--user", "alice", "--json"}, 0, []string{`"eventName":"CreateUser"`}, 1},
		{[]string{"--max", "1", "--json"}, 0, []string{"GetCallerIdentity"}, 1},
		{[]string{"--max", "0", "--json"}, 0, nil, 2},
		{[]string{"--write-only", "--source", "iam", "--since", "1h", "--account", "111122223333"}, 0, []string{"CreateUser"}, 2},
		{[]string{"--max=-1"}, 1, []string{"--max: -1 is less than 0"}, 0},
		{[]string{"--until", "soon"}, 1, []string{"--until: "}, 0},
		{[]string{"--read-only", "--write-only"}, 2, []string{"--read-only"}, 0},
	} {
		code, stdout, stderr := run(t, append([]string{"audit", "--data", r.Dir}, tt.args...)...)
		if code != tt.code || strings.Count(stdout, "\n") != tt.lines {
			t.Errorf("%q: %d\n%s%s", tt.args, code, stdout, stderr)
		}
		for _, want := range tt.wants {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%q: no %q in\n%s%s", tt.args, want, stdout, stderr)
			}
		}
	}
}
