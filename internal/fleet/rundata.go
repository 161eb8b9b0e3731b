package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/worker"
)

// Kinds of documents of a run.
const (
	docSnapshot = "snapshot"
	docSeries   = "series"
	docLogs     = "logs"
	docResult   = "result"
)

// keepEvery is how often what a run says is made durable while it goes on.
const keepEvery = 10 * time.Second

// documents are what there is to keep of a run. r.mu is held.
func (r *run) documents() map[string]json.RawMessage {
	r.changed = false
	docs := map[string]json.RawMessage{}
	for kind, d := range map[string]json.RawMessage{docSnapshot: r.snapshot, docSeries: r.series, docResult: r.result} {
		if d != nil {
			docs[kind] = d
		}
	}
	if len(r.logs) > 0 {
		if b, err := json.Marshal(r.logs); err == nil { // they came as JSON
			docs[docLogs] = b
		}
	}
	return docs
}

// keepProgress keeps what a run says until done is closed.
func (s *Service) keepProgress(ctx context.Context, r *run, done <-chan struct{}) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		r.mu.Lock()
		changed := r.changed
		docs := r.documents()
		r.mu.Unlock()
		if !changed {
			continue
		}
		if err := s.DB.Write(ctx, func(tx *db.Tx) error { return s.putDocuments(ctx, tx, r.at, r.id, docs) }); err != nil {
			s.Log.Error("what a fleet run says is not kept", "account", r.at.account, "run", r.id, "error", err)
		}
	}
}

func (s *Service) putDocuments(ctx context.Context, tx *db.Tx, at place, run string, docs map[string]json.RawMessage) error {
	for kind, document := range docs {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(document); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO fleet_run_documents (account, region, run, kind, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, region, run, kind) DO UPDATE SET body = excluded.body`,
			at.account, at.region, run, kind, s.Seal.Seal(sealDocument, b.Bytes()))
		if err != nil {
			return err
		}
	}
	return nil
}

// document reads what is kept of a run, nil if there is none.
func (s *Service) document(ctx context.Context, at place, run, kind string) (json.RawMessage, error) {
	var sealed []byte
	err := s.DB.QueryRow(ctx, `SELECT body FROM fleet_run_documents WHERE account = $1 AND region = $2 AND run = $3 AND kind = $4`, at.account, at.region, run, kind).Scan(&sealed)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s of run %s: %w", kind, run, err)
	}
	b, err := s.Seal.Open(sealDocument, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s of run %s: %w", kind, run, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s of run %s: %w", kind, run, err)
	}
	if b, err = io.ReadAll(z); err != nil {
		return nil, fmt.Errorf("%s of run %s: %w", kind, run, err)
	}
	return b, nil
}

// keeper keeps how the devices of a run ended, and the states that they keep.
// States replace those of an earlier run as soon as the first of them come.
func (s *Service) keeper(ctx context.Context, r *run) func(*worker.Told) {
	first, left := true, s.Limits.StateBytes
	return func(t *worker.Told) {
		full := false
		before := left
		err := s.DB.Write(ctx, func(tx *db.Tx) error {
			left, full = before, false
			for i := range t.Devices {
				b, err := json.Marshal(&t.Devices[i])
				if err != nil {
					return err
				}
				_, err = tx.Exec(ctx, `INSERT INTO fleet_run_devices (account, region, run, client, phase, body) VALUES ($1, $2, $3, $4, $5, $6)
					ON CONFLICT (account, region, run, client) DO UPDATE SET phase = excluded.phase, body = excluded.body`,
					r.at.account, r.at.region, r.id, int64(t.Devices[i].Client), string(t.Devices[i].Phase), s.Seal.Seal(sealDevice, b))
				if err != nil {
					return err
				}
			}
			if len(t.States) > 0 && first {
				if _, err := tx.Exec(ctx, `DELETE FROM fleet_states WHERE account = $1 AND region = $2 AND test = $3`, r.at.account, r.at.region, r.test); err != nil {
					return err
				}
			}
			for _, state := range t.States {
				if left -= len(state.State); left < 0 {
					full = true
					break
				}
				_, err := tx.Exec(ctx, `INSERT INTO fleet_states (account, region, test, client, state) VALUES ($1, $2, $3, $4, $5)
					ON CONFLICT (account, region, test, client) DO UPDATE SET state = excluded.state`,
					r.at.account, r.at.region, r.test, int64(state.Client), s.Seal.Seal(sealState, state.State))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.Log.Error("devices of a fleet run are not kept", "account", r.at.account, "run", r.id, "error", err)
			return
		}
		if len(t.States) > 0 {
			first = false
		}
		if full && before >= 0 {
			r.note(s.Now(), "warn", fmt.Sprintf("the states of the devices from %d on are not kept: those of a test have at most %d bytes", t.States[0].Client, s.Limits.StateBytes))
		}
	}
}

// note puts a line of the server's own into a run's log.
func (r *run) note(at time.Time, level, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last uint64
	if n := len(r.logs); n > 0 {
		last = r.logs[n-1].Seq
	}
	r.logs = append(r.logs, report.LogEntry{Seq: last + 1, Time: at, Client: -1, Level: level, Text: text})
}

// states are those that the devices of a test have kept.
func (s *Service) states(ctx context.Context, at place, test string) (map[int]json.RawMessage, error) {
	rows, err := s.DB.Query(ctx, `SELECT client, state FROM fleet_states WHERE account = $1 AND region = $2 AND test = $3`, at.account, at.region, test)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int]json.RawMessage{}
	for rows.Next() {
		var client int
		var sealed []byte
		if err := rows.Scan(&client, &sealed); err != nil {
			return nil, err
		}
		if out[client], err = s.Seal.Open(sealState, sealed); err != nil {
			return nil, fmt.Errorf("state of device %d: %w", client, err)
		}
	}
	return out, rows.Close()
}

// cleanText is a text that a database takes, and not too long a one.
func cleanText(s string) string {
	return clip(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"))
}
