package identity

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// reportLife is how long a credential report is good for, and no other is made.
const reportLife = 4 * time.Hour

// What a report says where there is no date or name (IAM User Guide, "Getting
// credential reports").
const (
	notApplicable = "N/A"
	noInformation = "no_information" // nobody signed in yet
	notSupported  = "not_supported"
)

// reportColumns are AWS's.
var reportColumns = []string{
	"user", "arn", "user_creation_time",
	"password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

// reportTime is the form of a date in a report.
func reportTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }

// reportRow is what a report says of one user.
type reportRow struct {
	name, arn, created                           string
	password, passwordUsed, passwordChanged, due string
	mfa                                          bool
	keys                                         [][]string // five columns each
}

func (r reportRow) columns() []string {
	row := []string{r.name, r.arn, r.created, r.password, r.passwordUsed, r.passwordChanged, r.due, strconv.FormatBool(r.mfa)}
	for i := range maxKeys {
		if i < len(r.keys) {
			row = append(row, r.keys[i]...)
		} else {
			row = append(row, "false", notApplicable, notApplicable, notApplicable, notApplicable)
		}
	}
	// There are no signing certificates.
	return append(row, "false", notApplicable, "false", notApplicable)
}

// makeReport lists the root user and all users with their credentials.
func (s *Service) makeReport(ctx context.Context, tx *db.Tx, account string) ([]byte, error) {
	keys, err := s.reportKeys(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	withMFA := map[string]bool{}
	owners, err := queryAll(ctx, tx, scanText, `SELECT DISTINCT owner FROM iam_mfa_devices WHERE account = $1 AND owner IS NOT NULL`, account)
	if err != nil {
		return nil, err
	}
	for _, o := range owners {
		withMFA[o] = true
	}
	root, err := reportRoot(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	root.mfa, root.keys = withMFA[account], keys[account]
	policy, err := passwordPolicyOf(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(reportColumns) // to memory: the error is Flush's
	_ = w.Write(root.columns())
	users, err := queryAll(ctx, tx, func(rows *db.Rows) ([]string, error) {
		u := &entity{kind: kindUser, account: account}
		var created int64
		var changed, used *int64
		if err := rows.Scan(&u.id, &u.name, &u.path, &created, &changed, &used); err != nil {
			return nil, err
		}
		r := reportRow{
			name: u.name, arn: u.arn(), created: reportTime(fromMillis(created)), mfa: withMFA[u.id], keys: keys[u.id],
			password: "false", passwordUsed: notApplicable, passwordChanged: notApplicable, due: notApplicable,
		}
		if changed != nil {
			r.password, r.passwordUsed, r.passwordChanged = "true", noInformation, reportTime(fromMillis(*changed))
			if age := policy.maxAge(); age > 0 {
				r.due = reportTime(fromMillis(*changed).Add(age))
			}
		}
		if used != nil {
			r.passwordUsed = reportTime(fromMillis(*used))
		}
		return r.columns(), nil
	}, `SELECT u.id, u.name, u.path, u.created, l.changed, l.last_used
		FROM iam_users u LEFT JOIN iam_login_profiles l ON l.account = u.account AND l.user_id = u.id
		WHERE u.account = $1 ORDER BY u.name_key`, account)
	if err != nil {
		return nil, err
	}
	_ = w.WriteAll(users)
	return b.Bytes(), w.Error()
}

// reportRoot is the root user's row, but for MFA and keys.
func reportRoot(ctx context.Context, r reader, account string) (reportRow, error) {
	root, err := rootUser(ctx, r, account)
	if err != nil {
		return reportRow{}, err
	}
	row := reportRow{
		name: "<root_account>", arn: root.arn(), created: reportTime(root.created),
		password: "false", passwordUsed: notApplicable, passwordChanged: notSupported, due: notSupported,
	}
	n, err := count(ctx, r, `SELECT COUNT(*) FROM accounts WHERE account = $1 AND root_password <> ''`, account)
	if n > 0 {
		row.password, row.passwordUsed = "true", noInformation
	}
	if root.passwordUsed != nil {
		row.passwordUsed = reportTime(*root.passwordUsed)
	}
	return row, err
}

// reportKeys are the columns of all access keys by their owner, oldest first.
func (s *Service) reportKeys(ctx context.Context, r reader, account string) (map[string][][]string, error) {
	keys := map[string][][]string{}
	_, err := queryAll(ctx, r, func(rows *db.Rows) (struct{}, error) {
		var id, owner string
		var active bool
		var created int64
		var used *int64
		var service, region *string
		if err := rows.Scan(&id, &owner, &active, &created, &used, &service, &region); err != nil {
			return struct{}{}, err
		}
		columns := []string{strconv.FormatBool(active), reportTime(fromMillis(created)), notApplicable, notApplicable, notApplicable}
		if used != nil {
			columns[2], columns[3], columns[4] = reportTime(fromMillis(*used)), or(region, notApplicable), or(service, notApplicable)
		}
		if u, ok := s.usage.pendingOf(useKey{account, id}); ok {
			columns[2], columns[3], columns[4] = reportTime(u.at), u.region, u.service
		}
		keys[owner] = append(keys[owner], columns)
		return struct{}{}, nil
	}, `SELECT id, owner, active, created, last_used, last_used_service, last_used_region
		FROM iam_access_keys WHERE account = $1 ORDER BY created, id`, account)
	return keys, err
}

// GenerateCredentialReport makes a report of all users and their credentials,
// unless there is one of the last four hours. It is made when this returns,
// though the answer says STARTED, as AWS's does.
func (s *Service) GenerateCredentialReport(ctx context.Context, _ *iam.GenerateCredentialReportRequest) (*iam.GenerateCredentialReportResponse, error) {
	account, now := awsapi.Account(ctx), s.now()
	var report []byte
	err := s.DB.Read(ctx, func(tx *db.Tx) error {
		report = nil
		_, at, err := reportOf(ctx, tx, account)
		if err == nil && now.Sub(at) < reportLife {
			return nil
		}
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		report, err = s.makeReport(ctx, tx, account)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("generate credential report: %w", err)
	}
	if report == nil {
		return &iam.GenerateCredentialReportResponse{State: new("COMPLETE")}, nil
	}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO iam_credential_reports (account, content, generated) VALUES ($1, $2, $3)
			ON CONFLICT (account) DO UPDATE SET content = excluded.content, generated = excluded.generated`, account, report, now.UnixMilli())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("generate credential report: %w", err)
	}
	return &iam.GenerateCredentialReportResponse{
		State: new("STARTED"), Description: new("No report exists. Starting a new report generation task"),
	}, nil
}

// reportOf reads an account's latest report. db.ErrNotFound when there is none.
func reportOf(ctx context.Context, r reader, account string) (content []byte, at time.Time, err error) {
	var generated int64
	err = r.QueryRow(ctx, `SELECT content, generated FROM iam_credential_reports WHERE account = $1`, account).Scan(&content, &generated)
	return content, fromMillis(generated), err
}

// GetCredentialReport answers the latest credential report, if it is not older
// than four hours, as comma-separated values.
func (s *Service) GetCredentialReport(ctx context.Context, _ *iam.GetCredentialReportRequest) (*iam.GetCredentialReportResponse, error) {
	content, at, err := reportOf(ctx, s.DB, awsapi.Account(ctx))
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, iam.ErrCredentialReportNotPresentException("The credential report does not exist. To generate a credential report, use GenerateCredentialReport.")
	case err != nil:
		return nil, fmt.Errorf("get credential report: %w", err)
	case s.now().Sub(at) >= reportLife:
		return nil, iam.ErrCredentialReportExpiredException("The most recent credential report has expired. To generate a new credential report, use GenerateCredentialReport.")
	}
	return &iam.GetCredentialReportResponse{Content: content, GeneratedTime: &at, ReportFormat: new("text/csv")}, nil
}
