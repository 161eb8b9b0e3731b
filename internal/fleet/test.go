package fleet

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/model"
)

// test is a row of fleet_tests.
type test struct {
	name        string
	sample      *string
	description string
	model       *model.Model
	values      values
	version     int64
	created     int64
	updated     int64
}

func (t *test) summary(at place) fleet.TestSummary {
	return fleet.TestSummary{
		TestName: t.name, TestArn: at.arn("test", t.name), Description: optional(t.description), SampleName: t.sample,
		Version: t.version, CreatedAt: millis(t.created), LastModifiedAt: millis(t.updated),
	}
}

// test reads a test, which must exist.
func (s *Service) test(ctx context.Context, q queryer, at place, name string) (*test, error) {
	t := test{name: name}
	var sealed, settings []byte
	err := q.QueryRow(ctx, `SELECT sample, description, model, settings, version, created, updated FROM fleet_tests
		WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name).
		Scan(&t.sample, &t.description, &sealed, &settings, &t.version, &t.created, &t.updated)
	if isNotFound(err) {
		return nil, fleet.ErrResourceNotFoundException("Test %s not found", name)
	}
	if err != nil {
		return nil, fmt.Errorf("test %s: %w", name, err)
	}
	document, err := s.Seal.Open(sealModel, sealed)
	if err != nil {
		return nil, fmt.Errorf("test %s: %w", name, err)
	}
	// A newer thingd may be stricter with what an older one took: what is kept
	// can be read and repaired all the same, and a run says what is wrong.
	t.model = &model.Model{}
	if err := json.Unmarshal(document, t.model); err != nil {
		return nil, fmt.Errorf("test %s: %w", name, err)
	}
	if t.values, err = s.openValues(settings); err != nil {
		return nil, fmt.Errorf("test %s: %w", name, err)
	}
	return &t, nil
}

// CreateTest makes a test of a model's document or of a sample.
func (s *Service) CreateTest(ctx context.Context, in *fleet.CreateTestRequest) (*fleet.CreateTestResponse, error) {
	at := placeOf(ctx)
	var m *model.Model
	switch {
	case (in.SampleName == nil) == (in.ModelDocument == nil):
		return nil, fleet.ErrInvalidRequestException("Exactly one of sampleName and modelDocument is needed")
	case in.SampleName != nil:
		sample, err := s.sample(*in.SampleName)
		if err != nil {
			return nil, err
		}
		m = sample.Model
	default:
		var err error
		if m, err = parseModel(*in.ModelDocument); err != nil {
			return nil, err
		}
	}
	v := values{}
	if err := v.give(m, in.Settings); err != nil {
		return nil, err
	}
	settings, err := s.sealValues(v)
	if err != nil {
		return nil, err
	}
	now := s.now()
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO fleet_tests (account, region, name, sample, description, model, settings, version, created, updated)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8) ON CONFLICT DO NOTHING`,
			at.account, at.region, in.TestName, in.SampleName, m.Description, s.Seal.Seal(sealModel, m.JSON()), settings, now)
		if err != nil {
			return err
		}
		if n == 0 {
			return fleet.ErrResourceAlreadyExistsException("Test %s already exists", in.TestName)
		}
		n, err = count(ctx, tx, `SELECT COUNT(*) FROM fleet_tests WHERE account = $1`, at.account)
		if err == nil && n > s.Limits.Tests {
			err = fleet.ErrLimitExceededException("An account has at most %d tests", s.Limits.Tests)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create test %s: %w", in.TestName, err)
	}
	return &fleet.CreateTestResponse{TestName: in.TestName, TestArn: at.arn("test", in.TestName), Version: 1}, nil
}

// GetTest answers a test with its model. Of secret settings only the names are
// told.
func (s *Service) GetTest(ctx context.Context, in *fleet.GetTestRequest) (*fleet.GetTestResponse, error) {
	at := placeOf(ctx)
	t, err := s.test(ctx, s.DB, at, in.TestName)
	if err != nil {
		return nil, err
	}
	out := &fleet.GetTestResponse{Test: t.summary(at), ModelDocument: string(t.model.JSON())}
	if out.Test.LastRun, err = s.lastRun(ctx, s.DB, at, t.name); err != nil {
		return nil, err
	}
	out.Settings, out.SecretSettings = t.values.open(t.model)
	return out, nil
}

// UpdateTest changes a test's model, or values of its settings, or both. Runs
// under way go on with what they began with.
func (s *Service) UpdateTest(ctx context.Context, in *fleet.UpdateTestRequest) (*fleet.UpdateTestResponse, error) {
	at := placeOf(ctx)
	var m *model.Model
	if in.ModelDocument != nil {
		var err error
		if m, err = parseModel(*in.ModelDocument); err != nil {
			return nil, err
		}
	}
	var version int64
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		t, err := s.test(ctx, tx, at, in.TestName)
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != t.version {
			return errVersion(t.name, t.version)
		}
		if m != nil {
			t.model = m
		}
		for _, name := range in.RemoveSettings {
			delete(t.values, name)
		}
		if err := t.values.give(t.model, in.Settings); err != nil {
			return err
		}
		settings, err := s.sealValues(t.values)
		if err != nil {
			return err
		}
		version = t.version + 1
		_, err = tx.Exec(ctx, `UPDATE fleet_tests SET description = $4, model = $5, settings = $6, version = $7, updated = $8
			WHERE account = $1 AND region = $2 AND name = $3`,
			at.account, at.region, t.name, t.model.Description, s.Seal.Seal(sealModel, t.model.JSON()), settings, version, s.now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update test %s: %w", in.TestName, err)
	}
	return &fleet.UpdateTestResponse{Version: version}, nil
}

func errVersion(name string, version int64) error {
	return fleet.ErrConflictException("The version of test %s is %d, not the one that was expected", name, version)
}

// DeleteTest removes a test with its runs and the states that its devices
// keep. Removing what is not there succeeds.
func (s *Service) DeleteTest(ctx context.Context, in *fleet.DeleteTestRequest) (*fleet.DeleteTestResponse, error) {
	at := placeOf(ctx)
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		var version int64
		err := tx.QueryRow(ctx, `SELECT version FROM fleet_tests WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, in.TestName).Scan(&version)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != version {
			return errVersion(in.TestName, version)
		}
		if err := s.idle(ctx, tx, at, in.TestName); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM fleet_tests WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, in.TestName)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete test %s: %w", in.TestName, err)
	}
	return &fleet.DeleteTestResponse{}, nil
}

// ListTests lists tests by name, each with its latest run.
func (s *Service) ListTests(ctx context.Context, in *fleet.ListTestsRequest) (*fleet.ListTestsResponse, error) {
	const list = "tests"
	at, size := placeOf(ctx), pageSize(in.MaxResults)
	start, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	from, to := prefixRange(text(in.Prefix))
	out := &fleet.ListTestsResponse{Tests: []fleet.TestSummary{}}
	out.NextToken, err = s.pagedQuery(ctx, list, size, func(rows *db.Rows) (string, error) {
		var t test
		if err := rows.Scan(&t.name, &t.sample, &t.description, &t.version, &t.created, &t.updated); err != nil {
			return "", err
		}
		out.Tests = append(out.Tests, t.summary(at))
		return t.name, nil
	}, `SELECT name, sample, description, version, created, updated FROM fleet_tests
		WHERE account = $1 AND region = $2 AND name >= $3 AND name < $4 AND name > $5 ORDER BY name LIMIT $6`, at.account, at.region, from, to, start)
	if err == nil {
		err = s.lastRuns(ctx, at, out.Tests)
	}
	if err != nil {
		return nil, fmt.Errorf("list tests: %w", err)
	}
	return out, nil
}
