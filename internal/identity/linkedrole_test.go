package identity

import (
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
)

func TestServiceLinkedRoles(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		create := func(service, suffix string) (*iam.CreateServiceLinkedRoleResponse, error) {
			return iamDo(g, root, "CreateServiceLinkedRole", g.CreateServiceLinkedRole, &iam.CreateServiceLinkedRoleRequest{
				AWSServiceName: service, CustomSuffix: nullable(suffix), Description: new("d"),
			})
		}
		r := must(create("iotsitewise.amazonaws.com", ""))(t).Role
		if r.Arn != "arn:aws:iam::123456789012:role/aws-service-role/iotsitewise.amazonaws.com/AWSServiceRoleForIoTSiteWise" || *r.Description != "d" ||
			!strings.Contains(*r.AssumeRolePolicyDocument, "iotsitewise.amazonaws.com") || !strings.HasPrefix(r.RoleId, "AROA") {
			t.Errorf("made %+v", r)
		}
		got := must(iamDo(g, root, "GetRole", g.GetRole, &iam.GetRoleRequest{RoleName: r.RoleName}))(t).Role
		if got.Path != "/aws-service-role/iotsitewise.amazonaws.com/" {
			t.Errorf("got %+v", got)
		}
		for _, tt := range []struct{ service, suffix, code, text string }{
			{"iotsitewise.amazonaws.com", "", "InvalidInput", "Service role name AWSServiceRoleForIoTSiteWise has been taken in this account, please try a different suffix."},
			{"iotsitewise.amazonaws.com", "x", "InvalidInput", "Custom suffix is not allowed for iotsitewise.amazonaws.com"},
			{"iot.amazonaws.com", "", "InvalidInput", "iot.amazonaws.com is not a valid AWS service name (Service Principal)"},
			{"iotsitewise", "", "InvalidInput", "iotsitewise is not a valid AWS service name (Service Principal)"},
			{"autoscaling.amazonaws.com", strings.Repeat("x", 64), "InvalidInput", "64-character"},
			{"autoscaling.amazonaws.com", "debug", "", ""},
			{"autoscaling.amazonaws.com", "", "", ""},
		} {
			_, err := create(tt.service, tt.suffix)
			wantCode(t, err, tt.code, tt.text)
		}
		_, err := iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "mine", Path: new("/aws-service-role/x/"), AssumeRolePolicyDocument: trust(trustAccount)})
		wantCode(t, err, "InvalidInput", "reserved for service-linked roles")

		admin, name := "arn:aws:iam::aws:policy/AdministratorAccess", r.RoleName
		must(iamDo(g, root, "CreateInstanceProfile", g.CreateInstanceProfile, &iam.CreateInstanceProfileRequest{InstanceProfileName: "p"}))(t)
		for what, err := range map[string]error{
			"PutRolePolicy": func() error {
				_, err := iamDo(g, root, "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: name, PolicyName: "p", PolicyDocument: allow("*")})
				return err
			}(),
			"DeleteRolePolicy": func() error {
				_, err := iamDo(g, root, "DeleteRolePolicy", g.DeleteRolePolicy, &iam.DeleteRolePolicyRequest{RoleName: name, PolicyName: "p"})
				return err
			}(),
			"AttachRolePolicy": func() error {
				_, err := iamDo(g, root, "AttachRolePolicy", g.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: name, PolicyArn: admin})
				return err
			}(),
			"DetachRolePolicy": func() error {
				_, err := iamDo(g, root, "DetachRolePolicy", g.DetachRolePolicy, &iam.DetachRolePolicyRequest{RoleName: name, PolicyArn: admin})
				return err
			}(),
			"UpdateAssumeRolePolicy": func() error {
				_, err := iamDo(g, root, "UpdateAssumeRolePolicy", g.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyRequest{RoleName: name, PolicyDocument: trust(trustAccount)})
				return err
			}(),
			"PutRolePermissionsBoundary": func() error {
				_, err := iamDo(g, root, "PutRolePermissionsBoundary", g.PutRolePermissionsBoundary, &iam.PutRolePermissionsBoundaryRequest{RoleName: name, PermissionsBoundary: admin})
				return err
			}(),
			"DeleteRolePermissionsBoundary": func() error {
				_, err := iamDo(g, root, "DeleteRolePermissionsBoundary", g.DeleteRolePermissionsBoundary, &iam.DeleteRolePermissionsBoundaryRequest{RoleName: name})
				return err
			}(),
			"DeleteRole": func() error {
				_, err := iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: name})
				return err
			}(),
			"AddRoleToInstanceProfile": g.addRole(root, "p", name),
		} {
			t.Run(what, func(t *testing.T) {
				wantCode(t, err, "UnmodifiableEntity", "Cannot perform the operation on the protected role 'AWSServiceRoleForIoTSiteWise' - this role is only modifiable by AWS")
			})
		}
		_, err = iamDo(g, root, "UpdateRole", g.UpdateRole, &iam.UpdateRoleRequest{RoleName: name, MaxSessionDuration: new(int64(7200))})
		wantCode(t, err, "UnmodifiableEntity", "AWSServiceRoleForIoTSiteWise is an AWS service linked role, max session duration cannot be changed.")
		must(iamDo(g, root, "UpdateRole", g.UpdateRole, &iam.UpdateRoleRequest{RoleName: name, Description: new("e")}))(t)
		must(iamDo(g, root, "TagRole", g.TagRole, &iam.TagRoleRequest{RoleName: name, Tags: []iam.Tag{{Key: "k"}}}))(t)

		_, creds := g.user("alice", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:CreateServiceLinkedRole","Resource":"arn:aws:iam::*:role/aws-service-role/lex.amazonaws.com/AWSServiceRoleForLexBots","Condition":{"StringEquals":{"iam:AWSServiceName":"lex.amazonaws.com"}}}]}`)
		for service, code := range map[string]string{"lex.amazonaws.com": "", "rds.amazonaws.com": "AccessDenied"} {
			_, err := iamDo(g, g.caller(creds), "CreateServiceLinkedRole", g.CreateServiceLinkedRole, &iam.CreateServiceLinkedRoleRequest{AWSServiceName: service})
			wantCode(t, err, code, "")
		}

		drop := func(name string) (string, error) {
			out, err := iamDo(g, root, "DeleteServiceLinkedRole", g.DeleteServiceLinkedRole, &iam.DeleteServiceLinkedRoleRequest{RoleName: name})
			if err != nil {
				return "", err
			}
			return out.DeletionTaskId, nil
		}
		status := func(task string) error {
			out, err := iamDo(g, root, "GetServiceLinkedRoleDeletionStatus", g.GetServiceLinkedRoleDeletionStatus, &iam.GetServiceLinkedRoleDeletionStatusRequest{DeletionTaskId: task})
			if err == nil && (out.Status != "SUCCEEDED" || out.Reason != nil) {
				t.Errorf("status %+v", out)
			}
			return err
		}
		g.role("plain", trust(trustAccount), "")
		_, err = drop("plain")
		wantCode(t, err, "NoSuchEntity", "The role with name plain cannot be found.")
		task := must(drop(name))(t)
		if !strings.HasPrefix(task, "task/aws-service-role/iotsitewise.amazonaws.com/AWSServiceRoleForIoTSiteWise/") {
			t.Errorf("task %s", task)
		}
		_, err = drop(name)
		wantCode(t, err, "NoSuchEntity", "cannot be found")
		wantCode(t, status(task), "", "")
		wantCode(t, status("task/x"), "InvalidInput", "Invalid DeletionTaskId: task/x")
		wantCode(t, status(task[:len(task)-36]+"12345678-1234-4123-8123-123456789abc"), "NoSuchEntity", "cannot be found")
		wantCode(t, status(strings.Replace(task, "SiteWise/", "FleetWise/", 1)), "NoSuchEntity", "cannot be found")
		if n, err := count(t.Context(), g.DB, `SELECT COUNT(*) FROM iam_tags`); err != nil || n != 0 {
			t.Errorf("%d tags are left, %v", n, err)
		}
	})
}
