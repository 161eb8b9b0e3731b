package iotlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// levels are the levels of accounts; an account without one has a fault.
type levels map[string]Level

func (l levels) LogLevel(_ context.Context, account, _ string, _ Target) (Level, error) {
	level, ok := l[account]
	if !ok {
		return Disabled, errors.New("broken")
	}
	return level, nil
}

func open(t *testing.T, dir string, size int64, keep int) (*Log, *strings.Builder) {
	t.Helper()
	said := &strings.Builder{}
	l := &Log{
		Levels: levels{"off": Disabled, "errors": Error, "info": Info, "all": Debug}, Logger: slog.New(slog.NewTextHandler(said, nil)),
		Now: func() time.Time { return time.Date(2026, 1, 15, 13, 0, 0, 1e6, time.FixedZone("", 3600)) },
	}
	l.Open(dir, size, keep)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, said
}

func read(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "AWSIotLogsV2.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEntry(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "iot-logs")
	l, _ := open(t, dir, 1<<20, 0)
	l.Write(t.Context(), &Entry{
		Account: "all", Region: "us-east-1", Level: Error, TraceID: "t", Status: Failure, EventType: "Connect", Protocol: "MQTT",
		Target: Target{ClientID: "cam\n", PrincipalID: "abc", SourceIP: "192.0.2.1", Groups: []string{"g"}}, SourcePort: 13490, Reason: "AUTHORIZATION_FAILURE", Details: "d",
	})
	want := `{"timestamp":"2026-01-15 12:00:00.001","logLevel":"ERROR","traceId":"t","accountId":"all","region":"us-east-1","status":"Failure","eventType":"Connect",` +
		`"protocol":"MQTT","clientId":"cam\n","principalId":"abc","sourceIp":"192.0.2.1","sourcePort":13490,"reason":"AUTHORIZATION_FAILURE","details":"d"}` + "\n"
	if got := read(t, dir); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	info, err := os.Stat(filepath.Join(dir, "AWSIotLogsV2.jsonl"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	l.Write(t.Context(), &Entry{Account: "all", Level: Debug, Status: Success, EventType: "Connect"})
	if got := read(t, dir); strings.Contains(got, `"traceId":""`) {
		t.Errorf("no trace id in %s", got)
	}
}

func TestLevels(t *testing.T) {
	dir := t.TempDir()
	l, said := open(t, dir, 1<<20, 0)
	for _, account := range []string{"off", "errors", "info", "all", "broken"} {
		for _, level := range []Level{Disabled, Error, Warn, Info, Debug} {
			l.Write(t.Context(), &Entry{Account: account, Level: level, EventType: account + "/" + level.String()})
		}
	}
	var got []string
	for line := range strings.Lines(read(t, dir)) {
		_, event, _ := strings.Cut(line, `"eventType":"`)
		event, _, _ = strings.Cut(event, `"`)
		got = append(got, event)
	}
	if s := strings.Join(got, " "); s != "errors/ERROR info/ERROR info/WARN info/INFO all/ERROR all/WARN all/INFO all/DEBUG" {
		t.Error(s)
	}
	if !strings.Contains(said.String(), "broken") {
		t.Errorf("said %q", said)
	}
	var none *Log
	none.Write(t.Context(), &Entry{Account: "all", Level: Error}) // nothing to write to
	for _, name := range []string{"DISABLED", "ERROR", "WARN", "INFO", "DEBUG"} {
		if level, ok := ParseLevel(name); !ok || level.String() != name {
			t.Error(name)
		}
	}
	if _, ok := ParseLevel("info"); ok {
		t.Error("info is no level")
	}
}

// TestRotation fills files from many sides: whole lines, none lost, and no more
// files than are kept.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	l, _ := open(t, dir, 2000, 100)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				l.Write(context.Background(), &Entry{Account: "all", Level: Info, EventType: fmt.Sprint("e", i, ".", j)})
			}
		})
	}
	group.Wait()
	files, err := filepath.Glob(filepath.Join(dir, "AWSIotLogsV2*.jsonl"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || len(b) > 2000 {
			t.Error(f, len(b), err)
		}
		n += strings.Count(string(b), "}\n")
	}
	if n != 160 {
		t.Errorf("%d lines", n)
	}
	l.Rotate()
	if _, err := os.Stat(filepath.Join(dir, "AWSIotLogsV2.jsonl")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file was not put aside", err)
	}
}

func TestUnwritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // where the directory would be
		t.Fatal(err)
	}
	l, said := open(t, dir, 1000, 0)
	l.Write(t.Context(), &Entry{Account: "all", Level: Info})
	if strings.Count(said.String(), "cannot be written") != 1 {
		t.Errorf("said %q", said)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	l.Now = func() time.Time { return time.Date(2026, 1, 15, 13, 1, 0, 0, time.UTC) }
	l.Write(t.Context(), &Entry{Account: "all", Level: Info})
	if read(t, dir) == "" || !strings.Contains(said.String(), "written again") {
		t.Errorf("said %q", said)
	}
}
