package identity

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
)

// summaryCounts are the keys of the account summary that are counted, each with
// its query of one number. $1 is the account.
var summaryCounts = [...]struct{ key, query string }{
	{"Users", `SELECT COUNT(*) FROM iam_users WHERE account = $1`},
	{"Groups", `SELECT COUNT(*) FROM iam_groups WHERE account = $1`},
	{"Roles", `SELECT COUNT(*) FROM iam_roles WHERE account = $1`},
	{"Policies", `SELECT COUNT(*) FROM iam_policies WHERE account = $1`},
	{"PolicyVersionsInUse", `SELECT COUNT(*) FROM (
		SELECT policy_arn FROM iam_attachments WHERE account = $1
		UNION SELECT boundary FROM iam_users WHERE account = $1 AND boundary IS NOT NULL
		UNION SELECT boundary FROM iam_roles WHERE account = $1 AND boundary IS NOT NULL) AS used`},
	{"InstanceProfiles", `SELECT COUNT(*) FROM iam_instance_profiles WHERE account = $1`},
	{"Providers", `SELECT (SELECT COUNT(*) FROM iam_oidc_providers WHERE account = $1) + (SELECT COUNT(*) FROM iam_saml_providers WHERE account = $1)`},
	{"MFADevices", `SELECT COUNT(*) FROM iam_mfa_devices WHERE account = $1`},
	{"MFADevicesInUse", `SELECT COUNT(*) FROM iam_mfa_devices WHERE account = $1 AND owner IS NOT NULL`},
	{"AccountMFAEnabled", `SELECT COUNT(*) FROM (SELECT 1 FROM iam_mfa_devices WHERE account = $1 AND owner = $1 LIMIT 1) AS found`},
	{"AccountAccessKeysPresent", `SELECT COUNT(*) FROM (SELECT 1 FROM iam_access_keys WHERE account = $1 AND owner = $1 LIMIT 1) AS found`},
	{"AccountPasswordPresent", `SELECT COUNT(*) FROM accounts WHERE account = $1 AND root_password <> ''`},
}

// summaryQuotas are the keys that are the same for every account.
func summaryQuotas() map[string]int64 {
	user, group, role := kindUser.rules(), kindGroup.rules(), kindRole.rules()
	return map[string]int64{
		"UsersQuota":                        int64(user.maxEntities),
		"GroupsQuota":                       int64(group.maxEntities),
		"RolesQuota":                        int64(role.maxEntities),
		"UserPolicySizeQuota":               int64(user.maxInline),
		"GroupPolicySizeQuota":              int64(group.maxInline),
		"RolePolicySizeQuota":               int64(role.maxInline),
		"AssumeRolePolicySizeQuota":         maxTrust,
		"GroupsPerUserQuota":                maxGroups,
		"AccessKeysPerUserQuota":            maxKeys,
		"AttachedPoliciesPerUserQuota":      maxAttached,
		"AttachedPoliciesPerGroupQuota":     maxAttached,
		"AttachedPoliciesPerRoleQuota":      maxAttached,
		"PoliciesQuota":                     maxPolicies,
		"PolicySizeQuota":                   maxManaged,
		"VersionsPerPolicyQuota":            maxVersions,
		"PolicyVersionsInUseQuota":          10000,
		"InstanceProfilesQuota":             int64(kindProfile.rules().maxEntities),
		"ServerCertificatesQuota":           20,
		"SigningCertificatesPerUserQuota":   2,
		"ServerCertificates":                0, // which we do not keep, nor signing certificates
		"AccountSigningCertificatesPresent": 0,
		"GlobalEndpointTokenVersion":        2, // tokens are good in every region
	}
}

// GetAccountSummary counts what the account has, beside AWS's quotas, as of one
// moment.
func (s *Service) GetAccountSummary(ctx context.Context, _ *iam.GetAccountSummaryRequest) (*iam.GetAccountSummaryResponse, error) {
	query := `SELECT `
	counts := make([]int64, len(summaryCounts))
	dest := make([]any, len(summaryCounts))
	for i, c := range summaryCounts {
		if i > 0 {
			query += `, `
		}
		query += `(` + c.query + `)`
		dest[i] = &counts[i]
	}
	if err := s.DB.QueryRow(ctx, query, awsapi.Account(ctx)).Scan(dest...); err != nil {
		return nil, fmt.Errorf("get account summary: %w", err)
	}
	out := summaryQuotas()
	for i, c := range summaryCounts {
		out[c.key] = counts[i]
	}
	return &iam.GetAccountSummaryResponse{SummaryMap: out}, nil
}
