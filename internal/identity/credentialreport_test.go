package identity

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
)

func TestCredentialReport(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		get := func() (*iam.GetCredentialReportResponse, error) {
			return iamDo(g, root, "GetCredentialReport", g.GetCredentialReport, &iam.GetCredentialReportRequest{})
		}
		generate := func() *iam.GenerateCredentialReportResponse {
			return must(iamDo(g, root, "GenerateCredentialReport", g.GenerateCredentialReport, &iam.GenerateCredentialReportRequest{}))(t)
		}
		_, err := get()
		wantCode(t, err, "ReportNotPresent", "use GenerateCredentialReport")

		_, key := g.user("bob", allow("iot:*"))
		_, _ = g.user("a,lice", "")
		g.advance(time.Minute)
		g.withDevice("a,lice", "phone")
		second := must(iamDo(g, root, "CreateAccessKey", g.CreateAccessKey, &iam.CreateAccessKeyRequest{UserName: new("bob")}))(t).AccessKey
		must(iamDo(g, root, "UpdateAccessKey", g.UpdateAccessKey, &iam.UpdateAccessKeyRequest{UserName: new("bob"), AccessKeyId: second.AccessKeyId, Status: "Inactive"}))(t)
		must(iamDo(g, root, "CreateLoginProfile", g.CreateLoginProfile, &iam.CreateLoginProfileRequest{UserName: new("bob"), Password: "Long&secret7"}))(t)
		must(iamDo(g, root, "UpdateAccountPasswordPolicy", g.UpdateAccountPasswordPolicy, &iam.UpdateAccountPasswordPolicyRequest{MaxPasswordAge: new(int64(10))}))(t)
		g.caller(key) // used, and not written yet

		started := generate()
		if *started.State != "STARTED" || *started.Description != "No report exists. Starting a new report generation task" {
			t.Errorf("started %+v", started)
		}
		if again := generate(); *again.State != "COMPLETE" || again.Description != nil {
			t.Errorf("again %+v", again)
		}
		out := must(get())(t)
		if *out.ReportFormat != "text/csv" || !out.GeneratedTime.Equal(g.now()) {
			t.Errorf("got %+v", out)
		}
		rows := must(csv.NewReader(bytes.NewReader(out.Content)).ReadAll())(t)
		want := []string{
			"user arn user_creation_time password_enabled password_last_used password_last_changed password_next_rotation mfa_active access_key_1_active access_key_1_last_rotated access_key_1_last_used_date access_key_1_last_used_region access_key_1_last_used_service access_key_2_active access_key_2_last_rotated access_key_2_last_used_date access_key_2_last_used_region access_key_2_last_used_service cert_1_active cert_1_last_rotated cert_2_active cert_2_last_rotated",
			"<root_account> arn:aws:iam::123456789012:root 2026-01-15T12:00:00+00:00 false N/A not_supported not_supported false true 2026-01-15T12:00:00+00:00 2026-01-15T12:00:00+00:00 us-east-1 iot false N/A N/A N/A N/A false N/A false N/A",
			"a,lice arn:aws:iam::123456789012:user/a,lice 2026-01-15T12:00:00+00:00 false N/A N/A N/A true true 2026-01-15T12:00:00+00:00 N/A N/A N/A false N/A N/A N/A N/A false N/A false N/A",
			"bob arn:aws:iam::123456789012:user/bob 2026-01-15T12:00:00+00:00 true no_information 2026-01-15T12:01:30+00:00 2026-01-25T12:01:30+00:00 false true 2026-01-15T12:00:00+00:00 2026-01-15T12:01:30+00:00 us-east-1 iot false 2026-01-15T12:01:30+00:00 N/A N/A N/A false N/A false N/A",
		}
		for i, row := range rows {
			if got := strings.Join(row, " "); i >= len(want) || got != want[i] {
				t.Errorf("row %d:\n got %s\nwant %s", i, got, want[min(i, len(want)-1)])
			}
		}
		if len(rows) != len(want) {
			t.Errorf("%d rows", len(rows))
		}

		// It stays as it was for four hours, and is then none.
		must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "carol"}))(t)
		g.advance(reportLife - time.Millisecond)
		if again := generate(); *again.State != "COMPLETE" {
			t.Errorf("again %+v", again)
		}
		if same := must(get())(t); !bytes.Equal(same.Content, out.Content) {
			t.Error("the report changed")
		}
		g.advance(time.Millisecond)
		_, err = get()
		wantCode(t, err, "ReportExpired", "use GenerateCredentialReport")
		err = g.write(t.Context(), testAccount, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE accounts SET root_password = 'hash', root_signed_in = $1`, g.now().UnixMilli())
			return err
		})
		wantCode(t, err, "", "")
		if *generate().State != "STARTED" {
			t.Error("no new report")
		}
		rows = must(csv.NewReader(bytes.NewReader(must(get())(t).Content)).ReadAll())(t)
		if len(rows) != 5 || rows[4][0] != "carol" || rows[1][3] != "true" || rows[1][4] != "2026-01-15T16:01:30+00:00" || rows[1][5] != "not_supported" {
			t.Errorf("rows %q", rows)
		}
		_, other := g.user("dave", "")
		_, err = iamDo(g, g.caller(other), "GetCredentialReport", g.GetCredentialReport, &iam.GetCredentialReportRequest{})
		wantCode(t, err, "AccessDenied", "iam:GetCredentialReport")
	})
}
