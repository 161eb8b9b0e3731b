package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/worker"
)

// working is a run's worker, nil unless it has one: before its turn, and when
// it is over.
func (s *Service) working(at place, id string) *worker.Process {
	r := s.live(at, id)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

func deviceSummary(d *report.DeviceStatus) fleet.DeviceSummary {
	return fleet.DeviceSummary{
		Client: int64(d.Client), Phase: string(d.Phase), Iteration: int64(d.Iteration), Connected: d.Connected,
		Published: int64(d.Published), Received: int64(d.Received), Errors: int64(d.Errors), LastError: optional(d.LastError),
	}
}

// ListRunDevices lists the devices of a run by their numbers, all or those in a
// phase: of one under way as they are now, of one that is over as they ended.
func (s *Service) ListRunDevices(ctx context.Context, in *fleet.ListRunDevicesRequest) (*fleet.ListRunDevicesResponse, error) {
	at, size, phase := placeOf(ctx), pageSize(in.MaxResults), text(in.Phase)
	list := "devices " + in.RunId + " " + phase
	last := int64(-1)
	marker, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	if marker != "" {
		if last, err = strconv.ParseInt(marker, 10, 64); err != nil {
			return nil, fleet.ErrInvalidRequestException("Invalid nextToken: it is not of this listing")
		}
	}
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	out := &fleet.ListRunDevicesResponse{Devices: []fleet.DeviceSummary{}}
	if p := s.working(at, row.id); p != nil {
		from := max(int(last)+1-row.settings.Offset, 0)
		devices, err := p.Devices(ctx, from, size+1, report.DevicePhase(phase))
		if err != nil {
			return nil, fmt.Errorf("devices of run %s: %w", row.id, err)
		}
		if devices != nil {
			for i := range devices {
				if i == size {
					out.NextToken = token(list, strconv.Itoa(devices[i-1].Client))
					break
				}
				out.Devices = append(out.Devices, deviceSummary(&devices[i]))
			}
			return out, nil
		}
	}
	query, args := `SELECT body FROM fleet_run_devices WHERE account = $1 AND region = $2 AND run = $3 AND client > $4`, []any{at.account, at.region, row.id, last}
	if phase != "" {
		query += ` AND phase = $5`
		args = append(args, phase)
	}
	query += fmt.Sprintf(` ORDER BY client LIMIT $%d`, len(args)+1)
	out.NextToken, err = s.pagedQuery(ctx, list, size, func(rows *db.Rows) (string, error) {
		d, err := s.scanDevice(rows)
		if err != nil {
			return "", err
		}
		out.Devices = append(out.Devices, deviceSummary(d))
		return strconv.Itoa(d.Client), nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("devices of run %s: %w", row.id, err)
	}
	return out, nil
}

func (s *Service) scanDevice(row interface{ Scan(...any) error }) (*report.DeviceStatus, error) {
	var sealed []byte
	if err := row.Scan(&sealed); err != nil {
		return nil, err
	}
	b, err := s.Seal.Open(sealDevice, sealed)
	if err != nil {
		return nil, err
	}
	var d report.DeviceStatus
	return &d, json.Unmarshal(b, &d)
}

// GetRunDevice answers all that is known of one device of a run.
func (s *Service) GetRunDevice(ctx context.Context, in *fleet.GetRunDeviceRequest) (*fleet.GetRunDeviceResponse, error) {
	at := placeOf(ctx)
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	none := fleet.ErrResourceNotFoundException("Run %s has no device %d", row.id, in.Client)
	var d *report.DeviceStatus
	if p := s.working(at, row.id); p != nil {
		found, err := p.Device(ctx, int(in.Client))
		switch {
		case err != nil:
			return nil, fmt.Errorf("device %d of run %s: %w", in.Client, row.id, err)
		case len(found) > 0:
			d = &found[0]
		case found != nil:
			return nil, none
		}
	}
	if d == nil {
		d, err = s.scanDevice(s.DB.QueryRow(ctx, `SELECT body FROM fleet_run_devices WHERE account = $1 AND region = $2 AND run = $3 AND client = $4`,
			at.account, at.region, row.id, in.Client))
		if isNotFound(err) {
			return nil, none
		}
		if err != nil {
			return nil, fmt.Errorf("device %d of run %s: %w", in.Client, row.id, err)
		}
	}
	return &fleet.GetRunDeviceResponse{
		Device: deviceSummary(d), State: optional(string(d.State)), LastTopic: optional(d.LastTopic), LastPayload: optional(d.LastPayload),
		LastPayloadHex: &d.LastPayloadHex, Logs: logEntries(d.Logs),
	}, nil
}

func logEntries(lines []report.LogEntry) []fleet.LogEntry {
	out := make([]fleet.LogEntry, 0, len(lines))
	for i := range lines {
		l := &lines[i]
		e := fleet.LogEntry{Sequence: int64(l.Seq), Time: l.Time, Level: l.Level, Text: l.Text}
		if l.Client >= 0 {
			e.Client = new(int64(l.Client))
		}
		out = append(out, e)
	}
	return out
}

// GetRunSeries answers a run over time.
func (s *Service) GetRunSeries(ctx context.Context, in *fleet.GetRunSeriesRequest) (*fleet.GetRunSeriesResponse, error) {
	at := placeOf(ctx)
	r := s.live(at, in.RunId)
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	var series json.RawMessage
	if r != nil {
		r.mu.Lock()
		series = r.series
		r.mu.Unlock()
	} else if series, err = s.document(ctx, at, row.id, docSeries); err != nil {
		return nil, err
	}
	if series == nil {
		series = json.RawMessage(`{"stepSeconds":1,"points":[]}`)
	}
	return &fleet.GetRunSeriesResponse{Series: string(series)}, nil
}

// ListRunLogs answers lines of a run's log behind one, the oldest first. The
// latest 2,000 lines are there.
func (s *Service) ListRunLogs(ctx context.Context, in *fleet.ListRunLogsRequest) (*fleet.ListRunLogsResponse, error) {
	at := placeOf(ctx)
	r := s.live(at, in.RunId)
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	var lines []report.LogEntry
	if r != nil {
		r.mu.Lock()
		lines = append(lines, r.logs...)
		r.mu.Unlock()
	} else {
		document, err := s.document(ctx, at, row.id, docLogs)
		if err != nil {
			return nil, err
		}
		if document != nil {
			if err := json.Unmarshal(document, &lines); err != nil {
				return nil, fmt.Errorf("logs of run %s: %w", row.id, err)
			}
		}
	}
	last, most := int64(0), 100
	if in.After != nil {
		last = *in.After
	}
	if in.MaxResults != nil {
		most = int(*in.MaxResults)
	}
	from := 0
	for from < len(lines) && int64(lines[from].Seq) <= last {
		from++
	}
	lines = lines[from:min(from+most, len(lines))]
	if n := len(lines); n > 0 {
		last = int64(lines[n-1].Seq)
	}
	return &fleet.ListRunLogsResponse{Logs: logEntries(lines), LastSequence: last}, nil
}
