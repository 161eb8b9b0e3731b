package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/fleet/report"
)

// formats are those of reports.
var formats = map[string]struct {
	extension, contentType string
	write                  func(io.Writer, *report.Result) error
}{
	fleet.ReportFormatText:  {"txt", "text/plain; charset=utf-8", report.Summary},
	fleet.ReportFormatJson:  {"json", "application/json", report.JSON},
	fleet.ReportFormatCsv:   {"csv", "text/csv; charset=utf-8", report.CSV},
	fleet.ReportFormatJunit: {"xml", "application/xml", report.JUnit},
}

// GetRunReport answers the result of a run that is over, as a file.
func (s *Service) GetRunReport(ctx context.Context, in *fleet.GetRunReportRequest) (*fleet.GetRunReportResponse, error) {
	at := placeOf(ctx)
	row, err := s.runRow(ctx, s.DB, at, in.RunId)
	if err != nil {
		return nil, err
	}
	if row.ended == nil {
		return nil, fleet.ErrConflictException("Run %s is under way: its report is made of the result", row.id)
	}
	document, err := s.document(ctx, at, row.id, docResult)
	if err != nil {
		return nil, err
	}
	if document == nil {
		return nil, fleet.ErrResourceNotFoundException("Run %s has no result: %s", row.id, row.reason)
	}
	var result report.Result
	if err := json.Unmarshal(document, &result); err != nil {
		return nil, fmt.Errorf("result of run %s: %w", row.id, err)
	}
	series, err := s.document(ctx, at, row.id, docSeries)
	if err != nil {
		return nil, err
	}
	if series != nil {
		if err := json.Unmarshal(series, &result.Series); err != nil {
			return nil, fmt.Errorf("series of run %s: %w", row.id, err)
		}
	}
	f := formats[in.Format]
	var b strings.Builder
	if err := f.write(&b, &result); err != nil {
		return nil, fmt.Errorf("report of run %s: %w", row.id, err)
	}
	return &fleet.GetRunReportResponse{
		ContentType: f.contentType, FileName: fmt.Sprintf("%s-%s.%s", strings.ReplaceAll(row.test, ":", "_"), row.id, f.extension), Report: b.String(),
	}, nil
}
