package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/worker"
)

// serverStopped is why a run ended that the server's end has ended.
const serverStopped = "the server was stopped"

// active is a condition on runs that have not ended.
const active = `status IN ('QUEUED', 'RUNNING', 'STOPPING')`

// runRow is a row of fleet_runs.
type runRow struct {
	id, test       string
	version        int64
	setting        *string
	settings       model.RunSettings
	clients        int64
	status, reason string
	created        int64
	started, ended *int64
}

const runColumns = `id, test, test_version, run_setting, settings, clients, status, reason, created, started, ended`

func (r *runRow) scan(row interface{ Scan(...any) error }) error {
	var settings string
	if err := row.Scan(&r.id, &r.test, &r.version, &r.setting, &settings, &r.clients, &r.status, &r.reason, &r.created, &r.started, &r.ended); err != nil {
		return err
	}
	return json.Unmarshal([]byte(settings), &r.settings)
}

func (r *runRow) summary(at place) fleet.RunSummary {
	return fleet.RunSummary{
		RunId: r.id, RunArn: at.arn("run", r.id), TestName: r.test, TestVersion: r.version, RunSettingName: r.setting, Status: r.status,
		StatusReason: optional(r.reason), Clients: r.clients, CreatedAt: millis(r.created), StartedAt: timeOf(r.started), EndedAt: timeOf(r.ended),
	}
}

func timeOf(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	return new(millis(*ms))
}

// runRow reads a run, which must exist.
func (s *Service) runRow(ctx context.Context, q queryer, at place, id string) (*runRow, error) {
	var r runRow
	err := r.scan(q.QueryRow(ctx, `SELECT `+runColumns+` FROM fleet_runs WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id))
	if isNotFound(err) {
		return nil, fleet.ErrResourceNotFoundException("Run %s not found", id)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	return &r, nil
}

// lastRun is the latest run of a test, nil if there is none.
func (s *Service) lastRun(ctx context.Context, q queryer, at place, test string) (*fleet.RunSummary, error) {
	var r runRow
	err := r.scan(q.QueryRow(ctx, `SELECT `+runColumns+` FROM fleet_runs WHERE account = $1 AND region = $2 AND test = $3 ORDER BY id DESC LIMIT 1`, at.account, at.region, test))
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("latest run of test %s: %w", test, err)
	}
	return new(r.summary(at)), nil
}

// lastRuns gives tests, which are in the order of their names, the latest run
// of each.
func (s *Service) lastRuns(ctx context.Context, at place, tests []fleet.TestSummary) error {
	if len(tests) == 0 {
		return nil
	}
	rows, err := s.DB.Query(ctx, `SELECT `+runColumns+` FROM fleet_runs WHERE account = $1 AND region = $2 AND id IN (
		SELECT MAX(id) FROM fleet_runs WHERE account = $1 AND region = $2 AND test >= $3 AND test <= $4 GROUP BY test)`,
		at.account, at.region, tests[0].TestName, tests[len(tests)-1].TestName)
	if err != nil {
		return err
	}
	defer rows.Close()
	latest := map[string]*fleet.RunSummary{}
	for rows.Next() {
		var r runRow
		if err := r.scan(rows); err != nil {
			return err
		}
		latest[r.test] = new(r.summary(at))
	}
	for i := range tests {
		tests[i].LastRun = latest[tests[i].TestName]
	}
	return rows.Close()
}

// idle refuses what cannot be while a run of a test is under way.
func (s *Service) idle(ctx context.Context, q queryer, at place, test string) error {
	var id string
	err := q.QueryRow(ctx, `SELECT id FROM fleet_runs WHERE account = $1 AND region = $2 AND test = $3 AND `+active+` LIMIT 1`, at.account, at.region, test).Scan(&id)
	switch {
	case err == nil:
		return fleet.ErrConflictException("Run %s of test %s is under way", id, test)
	case !isNotFound(err):
		return err
	}
	return nil
}

// Resolve says what StartRun is about: the test, and the stored run settings
// that it uses.
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	start, ok := in.(*fleet.StartRunRequest)
	if !ok {
		return nil, fmt.Errorf("%s has nothing to resolve", op.Name)
	}
	at := placeOf(ctx)
	checks := []awsapi.Check{{Resource: at.arn("test", start.TestName)}}
	if start.RunSettingName != nil {
		checks = append(checks, awsapi.Check{Action: "fleet:GetRunSetting", Resource: at.arn("run-setting", *start.RunSettingName)})
	}
	return &awsapi.Resolution{Checks: checks}, nil
}

// checkRun refuses run settings that no run can have.
func (s *Service) checkRun(r *model.RunSettings) error {
	if err := r.Validate(); err != nil {
		return fleet.ErrInvalidRequestException("runSettings: %s", clip(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	switch {
	case r.Clients > s.Limits.Clients:
		return fleet.ErrInvalidRequestException("A run has at most %d clients", s.Limits.Clients)
	case time.Duration(r.Duration) > s.Limits.Time:
		return fleet.ErrInvalidRequestException("A run takes at most %v on this server (--fleet-time)", s.Limits.Time)
	}
	return nil
}

// settingsOf are the run settings of a run that is to be started: the stored
// ones that it names, else the model's own, else the standard ones, under what
// the request says itself.
func (s *Service) settingsOf(ctx context.Context, q queryer, at place, m *model.Model, in *fleet.StartRunRequest) (*model.RunSettings, error) {
	settings := standardSettings()
	switch {
	case in.RunSettingName != nil:
		stored, err := s.setting(ctx, q, at, *in.RunSettingName)
		if err != nil {
			return nil, err
		}
		settings = stored.settings
	case m.Run != nil:
		settings = *m.Run
	}
	if err := overlay(&settings, in.RunSettings); err != nil {
		return nil, err
	}
	fill(&settings.Clients, 1)
	if settings.Iterations == 0 && settings.Duration == 0 {
		settings.Iterations = 1
	}
	if err := s.checkRun(&settings); err != nil {
		return nil, err
	}
	if settings.Iterations != 0 && settings.Iterations < m.MinIterations {
		return nil, fleet.ErrInvalidRequestException("The model %s needs at least %d iterations, not %d", m.Name, m.MinIterations, settings.Iterations)
	}
	return &settings, nil
}

// StartRun starts a run of a test, or has it wait for its turn.
func (s *Service) StartRun(ctx context.Context, in *fleet.StartRunRequest) (*fleet.StartRunResponse, error) {
	at := placeOf(ctx)
	if s.Off {
		return nil, fleet.ErrLimitExceededException("Runs are turned off on this server (--fleet-runs 0)")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	var r *run
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		t, err := s.test(ctx, tx, at, in.TestName)
		if err != nil {
			return err
		}
		settings, err := s.settingsOf(ctx, tx, at, t.model, in)
		if err != nil {
			return err
		}
		if err := t.values.give(t.model, in.Settings); err != nil {
			return err
		}
		r = &run{at: at, id: id.String(), test: t.name, status: fleet.RunStatusQueued}
		r.start = &worker.Start{Model: t.model.JSON(), Run: *settings, RunID: r.id, Region: at.region, DeviceBytes: s.Limits.DeviceBytes}
		if r.start.Settings, r.secrets, err = t.values.effective(t.model); err != nil {
			return err
		}
		if err := s.idle(ctx, tx, at, t.name); err != nil {
			return err
		}
		waiting, err := count(ctx, tx, `SELECT COUNT(*) FROM fleet_runs WHERE status = 'QUEUED' AND account = $1`, at.account)
		if err != nil {
			return err
		}
		if waiting >= int64(s.Limits.Queued) {
			return fleet.ErrLimitExceededException("At most %d runs of an account wait for their turn", s.Limits.Queued)
		}
		document, err := json.Marshal(settings)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO fleet_runs (account, region, id, test, test_version, run_setting, settings, clients, status, reason, created, owner)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'QUEUED', '', $9, $10)`,
			at.account, at.region, r.id, t.name, t.version, in.RunSettingName, string(document), int64(settings.Clients), s.now(), s.Node)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start a run of test %s: %w", in.TestName, err)
	}
	s.enqueue(r)
	return &fleet.StartRunResponse{RunId: r.id, RunArn: at.arn("run", r.id), Status: fleet.RunStatusQueued}, nil
}

// StopRun has a run end: its devices run the stage finished first. Stopping
// what has ended changes nothing. A run of another server ends when that sees
// it, some seconds later.
func (s *Service) StopRun(ctx context.Context, in *fleet.StopRunRequest) (*fleet.StopRunResponse, error) {
	at := placeOf(ctx)
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	if r := s.live(at, row.id); r != nil {
		return &fleet.StopRunResponse{Status: s.stop(r)}, nil
	}
	if row.ended == nil { // it has ended meanwhile, or is another server's
		if err := s.askStop(ctx, at, row.id); err != nil {
			return nil, fmt.Errorf("stop run %s: %w", row.id, err)
		}
		if row, err = s.runRow(ctx, s.DB, at, in.RunId); err != nil {
			return nil, err
		}
	}
	return &fleet.StopRunResponse{Status: row.status}, nil
}

// GetRun answers how a run stands: a snapshot of it, and its result when it is over.
func (s *Service) GetRun(ctx context.Context, in *fleet.GetRunRequest) (*fleet.GetRunResponse, error) {
	at := placeOf(ctx)
	r := s.live(at, in.RunId)
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	out := &fleet.GetRunResponse{RunSettings: runSettings(&row.settings)}
	if r != nil && row.ended == nil {
		var snapshot json.RawMessage
		row.status, snapshot = r.now()
		out.Snapshot = optional(string(snapshot))
	} else {
		snapshot, err := s.document(ctx, at, row.id, docSnapshot)
		if err != nil {
			return nil, err
		}
		result, err := s.document(ctx, at, row.id, docResult)
		if err != nil {
			return nil, err
		}
		out.Snapshot, out.Result = optional(string(snapshot)), optional(string(result))
	}
	out.Run = row.summary(at)
	return out, nil
}

// ListRuns lists runs, the latest first: all of the account, or those of a test.
func (s *Service) ListRuns(ctx context.Context, in *fleet.ListRunsRequest) (*fleet.ListRunsResponse, error) {
	const list = "runs"
	at, size := placeOf(ctx), pageSize(in.MaxResults)
	from, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	if from == "" {
		from = "~" // behind all ids
	}
	query, args := `SELECT `+runColumns+` FROM fleet_runs WHERE account = $1 AND region = $2 AND id < $3`, []any{at.account, at.region, from}
	if in.TestName != nil {
		query += ` AND test = $4`
		args = append(args, *in.TestName)
	}
	query += fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)+1)
	out := &fleet.ListRunsResponse{Runs: []fleet.RunSummary{}}
	out.NextToken, err = s.pagedQuery(ctx, list, size, func(rows *db.Rows) (string, error) {
		var r runRow
		if err := r.scan(rows); err != nil {
			return "", err
		}
		out.Runs = append(out.Runs, r.summary(at))
		return r.id, nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	for i := range out.Runs {
		if r := s.live(at, out.Runs[i].RunId); r != nil && out.Runs[i].EndedAt == nil {
			out.Runs[i].Status, _ = r.now()
		}
	}
	return out, nil
}

// DeleteRun removes a run that has ended, with all that is kept of it.
// Removing what is not there succeeds.
func (s *Service) DeleteRun(ctx context.Context, in *fleet.DeleteRunRequest) (*fleet.DeleteRunResponse, error) {
	at := placeOf(ctx)
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		var ended *int64
		err := tx.QueryRow(ctx, `SELECT ended FROM fleet_runs WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, in.RunId).Scan(&ended)
		switch {
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		case ended == nil:
			return fleet.ErrConflictException("Run %s is under way: stop it first", in.RunId)
		}
		_, err = tx.Exec(ctx, `DELETE FROM fleet_runs WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, in.RunId)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete run %s: %w", in.RunId, err)
	}
	return &fleet.DeleteRunResponse{}, nil
}
