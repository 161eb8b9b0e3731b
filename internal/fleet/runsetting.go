package fleet

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/model"
)

// defaultSetting is the name of the run settings that are always there.
const defaultSetting = "default"

// runSetting is a row of fleet_run_settings.
type runSetting struct {
	name             string
	settings         model.RunSettings
	created, updated int64 // 0: nobody has put it
}

func (r *runSetting) shape(at place) fleet.RunSetting {
	out := fleet.RunSetting{RunSettingName: r.name, RunSettingArn: at.arn("run-setting", r.name), RunSettings: runSettings(&r.settings)}
	if r.created != 0 {
		out.CreatedAt, out.LastModifiedAt = new(millis(r.created)), new(millis(r.updated))
	}
	return out
}

func (r *runSetting) scan(row interface{ Scan(...any) error }) error {
	var document string
	if err := row.Scan(&r.name, &document, &r.created, &r.updated); err != nil {
		return err
	}
	return json.Unmarshal([]byte(document), &r.settings)
}

// setting reads run settings by their name.
func (s *Service) setting(ctx context.Context, q queryer, at place, name string) (*runSetting, error) {
	var r runSetting
	err := r.scan(q.QueryRow(ctx, `SELECT name, settings, created, updated FROM fleet_run_settings WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name))
	switch {
	case isNotFound(err) && name == defaultSetting:
		return &runSetting{name: name, settings: standardSettings()}, nil
	case isNotFound(err):
		return nil, fleet.ErrResourceNotFoundException("Run setting %s not found", name)
	case err != nil:
		return nil, fmt.Errorf("run setting %s: %w", name, err)
	}
	return &r, nil
}

// PutRunSetting makes run settings, or replaces them whole.
func (s *Service) PutRunSetting(ctx context.Context, in *fleet.PutRunSettingRequest) (*fleet.PutRunSettingResponse, error) {
	at := placeOf(ctx)
	var settings model.RunSettings
	if err := overlay(&settings, &in.RunSettings); err != nil {
		return nil, err
	}
	if err := s.checkRun(&settings); err != nil {
		return nil, err
	}
	document, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	now := s.now()
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO fleet_run_settings (account, region, name, settings, created, updated) VALUES ($1, $2, $3, $4, $5, $5)
			ON CONFLICT (account, region, name) DO UPDATE SET settings = excluded.settings, updated = excluded.updated`,
			at.account, at.region, in.RunSettingName, string(document), now)
		if err != nil {
			return err
		}
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM fleet_run_settings WHERE account = $1`, at.account)
		if err == nil && n > s.Limits.RunSettings {
			err = fleet.ErrLimitExceededException("An account has at most %d run settings", s.Limits.RunSettings)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("put run setting %s: %w", in.RunSettingName, err)
	}
	return &fleet.PutRunSettingResponse{RunSettingName: in.RunSettingName, RunSettingArn: at.arn("run-setting", in.RunSettingName)}, nil
}

// GetRunSetting answers run settings. "default" is always there.
func (s *Service) GetRunSetting(ctx context.Context, in *fleet.GetRunSettingRequest) (*fleet.GetRunSettingResponse, error) {
	at := placeOf(ctx)
	r, err := s.setting(ctx, s.DB, at, in.RunSettingName)
	if err != nil {
		return nil, err
	}
	return &fleet.GetRunSettingResponse{RunSetting: r.shape(at)}, nil
}

// DeleteRunSetting removes run settings; "default" is then as it was at first.
// Removing what is not there succeeds.
func (s *Service) DeleteRunSetting(ctx context.Context, in *fleet.DeleteRunSettingRequest) (*fleet.DeleteRunSettingResponse, error) {
	at := placeOf(ctx)
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM fleet_run_settings WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, in.RunSettingName)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete run setting %s: %w", in.RunSettingName, err)
	}
	return &fleet.DeleteRunSettingResponse{}, nil
}

// ListRunSettings lists run settings by name, "default" first.
func (s *Service) ListRunSettings(ctx context.Context, in *fleet.ListRunSettingsRequest) (*fleet.ListRunSettingsResponse, error) {
	const list = "run-settings"
	at, size := placeOf(ctx), pageSize(in.MaxResults)
	from, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &fleet.ListRunSettingsResponse{RunSettings: []fleet.RunSetting{}}
	if from == "" {
		r, err := s.setting(ctx, s.DB, at, defaultSetting)
		if err != nil {
			return nil, err
		}
		out.RunSettings = append(out.RunSettings, r.shape(at))
		if size--; size == 0 { // the others begin with the next page
			out.NextToken = token(list, "\x01")
			return out, nil
		}
	}
	out.NextToken, err = s.pagedQuery(ctx, list, size, func(rows *db.Rows) (string, error) {
		var r runSetting
		if err := r.scan(rows); err != nil {
			return "", err
		}
		out.RunSettings = append(out.RunSettings, r.shape(at))
		return r.name, nil
	}, `SELECT name, settings, created, updated FROM fleet_run_settings WHERE account = $1 AND region = $2 AND name > $3 AND name <> 'default' ORDER BY name LIMIT $4`,
		at.account, at.region, from)
	if err != nil {
		return nil, fmt.Errorf("list run settings: %w", err)
	}
	return out, nil
}
