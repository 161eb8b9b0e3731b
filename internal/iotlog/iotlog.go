// Package iotlog is the log of what happens to devices, as AWS IoT writes it to
// the log group AWSIotLogsV2 of CloudWatch Logs: one JSON object a line, here in
// a file that rotates and is for all accounts and regions. What is logged and how
// it is levelled is up to those to whom it happens; which levels are on, the
// Levels say.
package iotlog

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/journal"
)

// Name is the log group, and without its suffix .jsonl the file that is being
// written. Those before it have the time at which they ended in their names.
const Name = "AWSIotLogsV2"

// Level is how much is logged, and how much an entry matters. The zero value
// logs nothing.
type Level uint8

// The levels: each includes those before it.
const (
	Disabled Level = iota
	Error
	Warn
	Info
	Debug
)

var levelNames = [...]string{"DISABLED", "ERROR", "WARN", "INFO", "DEBUG"}

// String is AWS's name of the level.
func (l Level) String() string { return levelNames[l] }

// ParseLevel reads AWS's name of a level.
func ParseLevel(name string) (Level, bool) {
	for i, n := range levelNames {
		if n == name {
			return Level(i), true
		}
	}
	return Disabled, false
}

// The values of Entry.Status.
const (
	Success = "Success"
	Failure = "Failure"
)

// Target is whom an entry is about: what single levels can be set for. What is
// empty does not count.
type Target struct {
	ClientID    string
	PrincipalID string   // certificate id, Cognito identity id, or id of an IAM principal
	SourceIP    string   // as netip.Addr writes it, IPv4 unmapped
	Groups      []string // thing groups of the client's thing, and those above them
}

// Levels says up to which level entries about a target are wanted, as of now. It
// is asked for each entry, and so from memory.
type Levels interface {
	LogLevel(ctx context.Context, account, region string, t Target) (Level, error)
}

// Entry is a line of the log (AWS IoT Developer Guide, "CloudWatch AWS IoT log
// entries"). What is empty is left out.
type Entry struct {
	Account, Region string
	Level           Level
	TraceID         string // the same for all of one request; empty: a new one
	Status          string // Success or Failure
	EventType       string // Connect, Publish-In, …
	Protocol        string // MQTT or HTTP
	Target
	SourcePort int
	TopicName  string
	ThingName  string
	// CertificateID is that of a certificate that something happens to, which is
	// not who asks.
	CertificateID string
	RoleAlias     string
	ShadowName    string // of a named shadow, or the thing of a classic one
	Reason        string
	Details       string
}

// line is an Entry as AWS writes it. The region, the thing and the role alias are
// ours: AWS has a log for each region, and writes nothing of the rest.
type line struct {
	Timestamp     string `json:"timestamp"`
	Level         string `json:"logLevel"`
	TraceID       string `json:"traceId"`
	Account       string `json:"accountId"`
	Region        string `json:"region"`
	Status        string `json:"status"`
	EventType     string `json:"eventType"`
	Protocol      string `json:"protocol,omitempty"`
	ClientID      string `json:"clientId,omitempty"`
	PrincipalID   string `json:"principalId,omitempty"`
	SourceIP      string `json:"sourceIp,omitempty"`
	SourcePort    int    `json:"sourcePort,omitempty"`
	TopicName     string `json:"topicName,omitempty"`
	ThingName     string `json:"thingName,omitempty"`
	CertificateID string `json:"deviceCertificateId,omitempty"`
	RoleAlias     string `json:"roleAlias,omitempty"`
	ShadowName    string `json:"deviceShadowName,omitempty"`
	Reason        string `json:"reason,omitempty"`
	Details       string `json:"details,omitempty"`
}

const timeForm = "2006-01-02 15:04:05.000" // in UTC

// Log writes entries. Set the exported fields, then Open it. It is safe for
// concurrent use.
type Log struct {
	Levels Levels
	Now    func() time.Time
	Logger *slog.Logger

	mu      sync.Mutex
	file    journal.File
	failing bool
}

// Open begins to write in a directory, which is made (0700) if it is missing:
// files of size bytes, and keep of those before. That nothing can be written
// there is no error: it is logged, and tried again.
func (l *Log) Open(dir string, size int64, keep int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file = journal.File{Dir: dir, Name: Name, Max: size, Keep: keep}
	l.told(l.file.Open(l.Now()))
}

// Wants says whether an entry of a level about a target would be written. On a
// nil Log it is false.
func (l *Log) Wants(ctx context.Context, account, region string, level Level, t Target) bool {
	if l == nil || level == Disabled {
		return false
	}
	most, err := l.Levels.LogLevel(ctx, account, region, t)
	if err != nil {
		l.Logger.Error("level of a device's log", "account", account, "region", region, "err", err)
		return false
	}
	return level <= most
}

// Write writes an entry if it is wanted. When it returns the line is with the
// operating system. A failure is logged and not the caller's business. On a nil
// Log it does nothing.
func (l *Log) Write(ctx context.Context, e *Entry) {
	if !l.Wants(ctx, e.Account, e.Region, e.Level, e.Target) {
		return
	}
	now, trace := l.Now(), e.TraceID
	if trace == "" {
		trace = uuid.NewString()
	}
	text, err := json.Marshal(line{
		Timestamp: now.UTC().Format(timeForm), Level: e.Level.String(), TraceID: trace, Account: e.Account, Region: e.Region,
		Status: e.Status, EventType: e.EventType, Protocol: e.Protocol, ClientID: e.ClientID, PrincipalID: e.PrincipalID,
		SourceIP: e.SourceIP, SourcePort: e.SourcePort, TopicName: e.TopicName, ThingName: e.ThingName,
		CertificateID: e.CertificateID, RoleAlias: e.RoleAlias, ShadowName: e.ShadowName, Reason: e.Reason, Details: e.Details,
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		err = l.file.Write(append(text, '\n'), now)
	}
	l.told(err)
}

// Rotate begins a new file.
func (l *Log) Rotate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Rotate(l.Now())
}

// Close closes the file. Entries that come later are lost.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// told logs that the log cannot be written, or is again: once a change.
func (l *Log) told(err error) {
	failing := err != nil
	if failing == l.failing {
		return
	}
	l.failing = failing
	if failing {
		l.Logger.Error("the log of devices cannot be written", "err", err)
	} else {
		l.Logger.Info("the log of devices is written again")
	}
}
