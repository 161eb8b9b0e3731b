package identity

import (
	"maps"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
)

func TestAccountSummary(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		summary := func() map[string]int64 {
			return must(iamDo(g, root, "GetAccountSummary", g.GetAccountSummary, &iam.GetAccountSummaryRequest{}))(t).SummaryMap
		}
		want := map[string]int64{
			"Users": 0, "UsersQuota": 5000, "Groups": 0, "GroupsQuota": 300, "Roles": 0, "RolesQuota": 1000,
			"Policies": 0, "PoliciesQuota": 1500, "PolicySizeQuota": 6144, "VersionsPerPolicyQuota": 5,
			"PolicyVersionsInUse": 0, "PolicyVersionsInUseQuota": 10000,
			"UserPolicySizeQuota": 2048, "GroupPolicySizeQuota": 5120, "RolePolicySizeQuota": 10240, "AssumeRolePolicySizeQuota": 2048,
			"AttachedPoliciesPerUserQuota": 10, "AttachedPoliciesPerGroupQuota": 10, "AttachedPoliciesPerRoleQuota": 10,
			"GroupsPerUserQuota": 10, "AccessKeysPerUserQuota": 2, "SigningCertificatesPerUserQuota": 2,
			"InstanceProfiles": 0, "InstanceProfilesQuota": 1000, "Providers": 0,
			"ServerCertificates": 0, "ServerCertificatesQuota": 20,
			"MFADevices": 0, "MFADevicesInUse": 0, "AccountMFAEnabled": 0, "AccountAccessKeysPresent": 1,
			"AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0, "GlobalEndpointTokenVersion": 2,
		}
		if got := summary(); !maps.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}

		g.user("u", "")
		g.user("v", "")
		g.group("g")
		g.role("r", trust(trustAccount), "")
		p := *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("*")}))(t).Policy.Arn
		must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "unused", PolicyDocument: allow("*")}))(t)
		wantCode(t, g.attachGroupPolicy("g", p), "", "")
		wantCode(t, g.attachGroupPolicy("g", "arn:aws:iam::aws:policy/AWSDenyAll"), "", "")
		for _, b := range []string{p, "arn:aws:iam::aws:policy/IAMReadOnlyAccess"} {
			must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: "u", PermissionsBoundary: b}))(t)
		}
		g.exec(`INSERT INTO iam_instance_profiles (account, id, name, name_key, path, created) VALUES ($1, 'AIPA1', 'i', 'i', '/', 1)`, testAccount)
		g.exec(`INSERT INTO iam_oidc_providers (account, arn, url, client_ids, thumbprints, keys, created) VALUES ($1, 'o', 'u', '[]', '[]', '', 1)`, testAccount)
		g.exec(`INSERT INTO iam_saml_providers (account, arn, name, metadata, valid_until, created) VALUES ($1, 's', 'n', '', 2, 1)`, testAccount)
		for arn, owner := range map[string]*string{"free": nil, "user's": new("AIDA1"), "root's": new(testAccount)} {
			g.exec(`INSERT INTO iam_mfa_devices (account, arn, path, name, seed, owner, step, skew, failures, locked, created) VALUES ($1, $2, '/', 'n', $3, $4, 0, 0, 0, 0, 1)`,
				testAccount, arn, []byte{1}, owner)
		}
		g.exec(`UPDATE accounts SET root_password = 'hash'`)
		// Another account's users are not counted.
		other := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		g.exec(`INSERT INTO iam_users (account, id, name, name_key, path, created) VALUES ($1, 'AIDA2', 'n', 'n', '/', 1)`, other.AccountID)
		maps.Copy(want, map[string]int64{
			"Users": 2, "Groups": 1, "Roles": 1, "Policies": 2, "PolicyVersionsInUse": 3, "InstanceProfiles": 1, "Providers": 2,
			"MFADevices": 3, "MFADevicesInUse": 2, "AccountMFAEnabled": 1, "AccountPasswordPresent": 1,
		})
		if got := summary(); !maps.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		g.exec(`DELETE FROM iam_access_keys WHERE owner = $1`, testAccount)
		out := must(g.GetAccountSummary(awsapi.WithRequest(t.Context(), &awsapi.Request{Caller: root}), &iam.GetAccountSummaryRequest{}))(t)
		if out.SummaryMap["AccountAccessKeysPresent"] != 0 {
			t.Errorf("keys of root: %v", out.SummaryMap)
		}
	})
}
