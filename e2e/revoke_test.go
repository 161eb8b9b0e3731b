package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// describe asks for the thing cam.
func describe(ctx context.Context, c aws.Config) error {
	_, err := iot.NewFromConfig(c).DescribeThing(ctx, &iot.DescribeThingInput{ThingName: aws.String("cam")})
	return err
}

func describeBlue(ctx context.Context, c aws.Config) error {
	_, err := kinesisvideo.NewFromConfig(c).DescribeStream(ctx, &kinesisvideo.DescribeStreamInput{StreamName: aws.String("blue")})
	return err
}

// codeOf is the code of an answer, empty for none.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// TestRevoke: what is taken away is gone for the next request, and what is
// given is there for it, on a connection that was open before.
func TestRevoke(t *testing.T) {
	l := newLab(t)
	for name, s := range map[string]string{
		"all": `{"Effect":"Allow","Action":"*","Resource":"*"}`, "none": `{"Effect":"Deny","Action":"*","Resource":"*"}`,
		"iam":  `{"Effect":"Allow","Action":"iam:*","Resource":"*"}`,
		"mine": `{"Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:*:*:thing/${aws:PrincipalTag/thing}"}`,
		"blue": `{"Effect":"Allow","Action":"kinesisvideo:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}}`,
	} {
		l.statements[name] = s
	}
	ctx := t.Context()
	const denied, unknown = "AccessDeniedException", "UnrecognizedClientException"
	key := func(p principal) *string {
		c, err := p.config.Credentials.Retrieve(ctx)
		l.ok(t, err)
		return &c.AccessKeyID
	}
	admin := "arn:aws:iam::aws:policy/AdministratorAccess"
	one := func(_ any, err error) error { return err }
	version := func(names string, isDefault bool) func(policy string) error {
		return func(policy string) error {
			return one(l.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &policy, PolicyDocument: l.document(t, names), SetAsDefault: isDefault}))
		}
	}
	for i, tt := range []struct {
		name, kind, policies string
		call                 func(context.Context, aws.Config) error
		take                 func(name string, p principal) error
		code                 string
		give                 func(name string, p principal) error // nil: it does not come back
	}{
		{"key deactivated", "user", "inline=all", describe, func(name string, p principal) error {
			return one(l.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &name, AccessKeyId: key(p), Status: iamtypes.StatusTypeInactive}))
		}, unknown, func(name string, p principal) error {
			return one(l.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &name, AccessKeyId: key(p), Status: iamtypes.StatusTypeActive}))
		}},
		{"key deleted", "user", "inline=all", describe, func(name string, p principal) error {
			return one(l.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: key(p)}))
		}, unknown, nil},
		{"inline policy changed", "user", "inline=all", describe, func(name string, _ principal) error {
			l.give(t, userKind, name, []string{"inline=iam"})
			return nil
		}, denied, func(name string, _ principal) error {
			l.give(t, userKind, name, []string{"inline=all"})
			return nil
		}},
		{"inline policy deleted", "user", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &name, PolicyName: aws.String("p")}))
		}, denied, nil},
		{"managed policy detached", "user", "aws=AdministratorAccess", describe, func(name string, _ principal) error {
			return one(l.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &name, PolicyArn: &admin}))
		}, denied, func(name string, _ principal) error {
			l.give(t, userKind, name, []string{"aws=AdministratorAccess"})
			return nil
		}},
		{"a new default version", "user", "managed=all", describe, func(string, principal) error { return version("iam", true)(*l.managed(t, "all")) }, denied, func(string, principal) error {
			return one(l.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: l.managed(t, "all"), VersionId: aws.String("v1")}))
		}},
		{"a denial attached", "user", "inline=all", describe, func(name string, _ principal) error {
			l.give(t, userKind, name, []string{"aws=AWSDenyAll"})
			return nil
		}, denied, nil},
		{"a boundary set", "user", "inline=all", describe, func(name string, _ principal) error {
			l.give(t, userKind, name, []string{"boundary=iam"})
			return nil
		}, denied, func(name string, _ principal) error {
			return one(l.iam.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: &name}))
		}},
		{"the user's tag gone", "user", "inline=mine", describe, func(name string, _ principal) error {
			return one(l.iam.UntagUser(ctx, &iam.UntagUserInput{UserName: &name, TagKeys: []string{"thing"}}))
		}, denied, nil},
		{"the user's tag changed", "user", "inline=mine", describe, func(name string, _ principal) error {
			return one(l.iam.TagUser(ctx, &iam.TagUserInput{UserName: &name, Tags: []iamtypes.Tag{{Key: aws.String("thing"), Value: aws.String("dog")}}}))
		}, denied, nil},
		{"the stream's tag changed", "user", "inline=blue", describeBlue, func(string, principal) error {
			return one(kinesisvideo.NewFromConfig(l.sdk()).TagStream(ctx, &kinesisvideo.TagStreamInput{StreamName: aws.String("blue"), Tags: map[string]string{"team": "red"}}))
		}, denied, func(string, principal) error {
			return one(kinesisvideo.NewFromConfig(l.sdk()).TagStream(ctx, &kinesisvideo.TagStreamInput{StreamName: aws.String("blue"), Tags: map[string]string{"team": "blue"}}))
		}},
		{"out of the group", "group", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: &name, UserName: &name}))
		}, denied, func(name string, _ principal) error {
			return one(l.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: &name, UserName: &name}))
		}},
		{"the group's policy deleted", "group", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: &name, PolicyName: aws.String("p")}))
		}, denied, nil},
		{"the group's policy detached", "group", "aws=AdministratorAccess", describe, func(name string, _ principal) error {
			return one(l.iam.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: &name, PolicyArn: &admin}))
		}, denied, nil},
		{"a token's user without policy", "token", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &name, PolicyName: aws.String("p")}))
		}, denied, nil},
		{"a token's user deleted", "token", "aws=AdministratorAccess", describe, func(name string, _ principal) error {
			keys, err := l.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
			l.ok(t, err)
			l.ok(t, one(l.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: keys.AccessKeyMetadata[0].AccessKeyId})))
			l.ok(t, one(l.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &name, PolicyArn: &admin})))
			return one(l.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name}))
		}, unknown, nil},
		{"a federated user's user without policy", "federated", "inline=all session=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &name, PolicyName: aws.String("p")}))
		}, denied, func(name string, _ principal) error {
			l.give(t, userKind, name, []string{"inline=all"})
			return nil
		}},
		{"a role's policy deleted", "role", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: aws.String("p")}))
		}, denied, func(name string, _ principal) error {
			l.give(t, roleKind, name, []string{"inline=all"})
			return nil
		}},
		{"a role's policy detached", "role", "aws=AdministratorAccess", describe, func(name string, _ principal) error {
			return one(l.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: &admin}))
		}, denied, nil},
		{"a role's boundary set", "role", "inline=all", describe, func(name string, _ principal) error {
			l.give(t, roleKind, name, []string{"boundary=iam"})
			return nil
		}, denied, nil},
		{"a role's tag gone", "role", "inline=mine", describe, func(name string, _ principal) error {
			return one(l.iam.UntagRole(ctx, &iam.UntagRoleInput{RoleName: &name, TagKeys: []string{"thing"}}))
		}, denied, nil},
		{"a role deleted", "role", "", func(ctx context.Context, c aws.Config) error {
			return one(sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))
		}, func(name string, _ principal) error {
			return one(l.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name}))
		}, "InvalidClientTokenId", func(name string, _ principal) error {
			l.newRole(t, name, trusting("AWS", l.account)) // another one, of the same name
			return nil
		}},
		{"a session's managed policy changed", "role", "inline=all session-arn=mine", describe, func(string, principal) error { return version("iam", true)(*l.managed(t, "mine")) }, denied, func(string, principal) error {
			return one(l.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: l.managed(t, "mine"), VersionId: aws.String("v1")}))
		}},
		{"a foreign user's role without policy", "foreign", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: aws.String("p")}))
		}, denied, nil},
		{"a device's role without policy", "device", "inline=all", describe, func(name string, _ principal) error {
			return one(l.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: aws.String("p")}))
		}, denied, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprint("r", i)
			p := l.principal(t, name, tt.kind, tt.policies)
			p.config.HTTPClient = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			if err := tt.call(ctx, p.config); err != nil {
				t.Fatalf("before: %v", err)
			}
			l.ok(t, tt.take(name, p))
			if code := codeOf(t, tt.call(ctx, p.config)); code != tt.code {
				t.Fatalf("the request after answered %q, want %s", code, tt.code)
			}
			if tt.give == nil {
				return
			}
			l.ok(t, tt.give(name, p))
			want := ""
			if tt.name == "a role deleted" {
				want = tt.code // its sessions were those of the first
			}
			if code := codeOf(t, tt.call(ctx, p.config)); code != want {
				t.Fatalf("given back, the request answered %q", code)
			}
		})
	}
	t.Run("a trust policy changed", func(t *testing.T) {
		p := l.principal(t, "trusted", "user", "inline=all")
		target := aws.String("arn:aws:iam::" + l.account + ":role/target")
		assume := func() error {
			return one(sts.NewFromConfig(p.config).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: target, RoleSessionName: aws.String("session")}))
		}
		l.ok(t, assume())
		l.ok(t, one(l.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("target"), PolicyDocument: trusting("AWS", l.strangers)})))
		if code := codeOf(t, assume()); code != "AccessDenied" {
			t.Errorf("the request after answered %q", code)
		}
	})
	t.Run("a certificate revoked", func(t *testing.T) {
		l.principal(t, "camera", "device", "")
		l.ok(t, one(l.iot.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: &l.camera.id, NewStatus: iottypes.CertificateStatusRevoked})))
		if status := l.cameraStatus(t, l.camera.pem, l.camera.key, "camera", "cam"); status != http.StatusForbidden {
			t.Errorf("the request after answered %d", status)
		}
	})
}

// TestRotate turns a key off and on, and its owner's policy with it, while many
// clients use it on connections of their own: none that began when it was off
// is answered, none that began when it was on is refused.
func TestRotate(t *testing.T) {
	l := newLab(t)
	l.statements["all"] = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	p := l.principal(t, "rotated", "user", "inline=all")
	old, err := p.config.Credentials.Retrieve(t.Context())
	l.ok(t, err)
	name := aws.String("rotated")
	off := []func() error{
		func() error {
			_, err := l.iam.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: &old.AccessKeyID, Status: iamtypes.StatusTypeInactive})
			return err
		},
		func() error {
			_, err := l.iam.DeleteUserPolicy(t.Context(), &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("p")})
			return err
		},
	}
	on := []func() error{
		func() error {
			_, err := l.iam.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: &old.AccessKeyID, Status: iamtypes.StatusTypeActive})
			return err
		},
		func() error {
			_, err := l.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("p"), PolicyDocument: l.document(t, "all")})
			return err
		},
	}
	const clients, rounds, calls = 16, 12, 160
	var phase, done atomic.Int64 // phases 0 and 2 modulo 4 last, 1 and 3 are changes on their way
	var answered, refused atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			config := p.config
			config.HTTPClient = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			for ctx.Err() == nil {
				before := phase.Load()
				err := describe(ctx, config)
				if ctx.Err() != nil {
					return
				}
				done.Add(1)
				if before != phase.Load() {
					continue // it met a change
				}
				switch before % 4 {
				case 0:
					if err != nil {
						t.Errorf("refused while it was on: %v", err)
						stop()
					}
					answered.Add(1)
				case 2:
					if err == nil {
						t.Error("answered while it was off")
						stop()
					}
					refused.Add(1)
				}
			}
		})
	}
	some := func() {
		for until := done.Load() + calls; done.Load() < until && ctx.Err() == nil; {
			if err := describe(ctx, l.sdk()); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}
	for round := range rounds {
		for _, change := range []func() error{off[round%2], on[round%2]} {
			some()
			phase.Add(1)
			if err := change(); err != nil {
				t.Error(err)
			}
			phase.Add(1)
		}
	}
	some()
	stop()
	wg.Wait()
	t.Logf("%d answered, %d refused", answered.Load(), refused.Load())
	if answered.Load() < clients || refused.Load() < clients {
		t.Errorf("%d answered and %d refused are too few to say anything", answered.Load(), refused.Load())
	}
}
