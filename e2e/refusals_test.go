package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// delegations are the statements of TestDelegation.
var delegations = map[string]string{
	"all":     `{"Effect":"Allow","Action":"*","Resource":"*"}`,
	"assume":  `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`,
	"alias":   `{"Effect":"Allow","Action":"iot:*","Resource":"*"}`,
	"pass":    `{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::$ACCOUNT:role/target","Condition":{"StringEquals":{"iam:PassedToService":"credentials.iot.amazonaws.com"}}}`,
	"pass-ec": `{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`,
	"bounded": `{"Effect":"Allow","Action":["iam:CreateUser","iam:PutUserPolicy"],"Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/AWSIoTFullAccess"}}}`,
	"attach":  `{"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"*","Condition":{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AWSIoT*"}}}`,
	"create":  `{"Effect":"Allow","Action":"iam:CreateUser","Resource":"arn:aws:iam::$ACCOUNT:user/eng/*"}`,
	"own-key": `{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}`,
	"green":   `{"Effect":"Allow","Action":"kinesisvideo:CreateStream","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"green"},"ForAllValues:StringEquals":{"aws:TagKeys":["team","owner"]}}}`,
}

// TestDelegation is what is given on: roles, passed and assumed, users with
// boundaries, tags; and in which words AWS refuses it.
func TestDelegation(t *testing.T) {
	l := newLab(t)
	for name, s := range delegations {
		l.statements[name] = strings.ReplaceAll(s, "$ACCOUNT", l.account)
	}
	role := func(name string) string { return "arn:aws:iam::" + l.account + ":role/" + name }
	target := role("target")
	l.newRole(t, "pinned", aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+l.account+`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"outside"}}}]}`))
	l.newRole(t, "of-devices", trusting("Service", "credentials.iot.amazonaws.com"))
	l.newRole(t, "of-stranger", trusting("AWS", l.strangers))
	l.newUser(t, l.iam, "victim")
	_, err := l.iam.PutUserPermissionsBoundary(t.Context(), &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("victim"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AWSIoTFullAccess")})
	l.ok(t, err)

	assume := func(in sts.AssumeRoleInput) func(context.Context, aws.Config) error {
		if in.RoleSessionName == nil {
			in.RoleSessionName = aws.String("session")
		}
		return func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).AssumeRole(ctx, &in)
			return err
		}
	}
	createUser := func(in iam.CreateUserInput) func(context.Context, aws.Config) error {
		return func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).CreateUser(ctx, &in)
			return err
		}
	}
	alias := func(name, arn string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, c aws.Config) error {
			_, err := iot.NewFromConfig(c).CreateRoleAlias(ctx, &iot.CreateRoleAliasInput{RoleAlias: &name, RoleArn: &arn})
			return err
		}
	}
	attach := func(policy string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("victim"), PolicyArn: &policy})
			return err
		}
	}
	putPolicy := func(user string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &user, PolicyName: aws.String("p"), PolicyDocument: l.document(t, "all")})
			return err
		}
	}
	key := func(user *string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
			return err
		}
	}
	stream := func(name string, tags map[string]string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, c aws.Config) error {
			_, err := kinesisvideo.NewFromConfig(c).CreateStream(ctx, &kinesisvideo.CreateStreamInput{StreamName: &name, Tags: tags})
			return err
		}
	}
	const (
		lacks  = " because no identity-based policy allows the %ACTION action"
		denied = "AccessDenied User: %ME is not authorized to perform: %ACTION on resource: "
		json   = "AccessDeniedException User: %ME is not authorized to perform: %ACTION on resource: "
	)
	iamtag := []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	tag := []ststypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	user := func(path string) string { return "arn:aws:iam::" + l.account + ":user/" + path }
	for i, tt := range []struct {
		name, kind, policies string
		do                   func(context.Context, aws.Config) error
		action, want         string // empty: it is allowed
	}{
		{"a role that trusts the account", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target}), "", ""},
		{"not allowed by his own account", "user", "", assume(sts.AssumeRoleInput{RoleArn: &target}), "sts:AssumeRole", denied + target},
		{"a role that trusts others", "user", "inline=all", assume(sts.AssumeRoleInput{RoleArn: aws.String(role("of-devices"))}), "sts:AssumeRole", denied + role("of-devices")},
		{"another account's role", "user", "inline=all", assume(sts.AssumeRoleInput{RoleArn: aws.String(role("of-stranger"))}), "sts:AssumeRole", denied + role("of-stranger")},
		{"no such role, in the same words", "user", "inline=all", assume(sts.AssumeRoleInput{RoleArn: aws.String(role("ghost"))}), "sts:AssumeRole", denied + role("ghost")},
		{"no such account", "user", "inline=all", assume(sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::999999999999:role/target")}), "sts:AssumeRole", denied + "arn:aws:iam::999999999999:role/target"},
		{"no ARN of a role", "user", "inline=all", assume(sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + l.account + ":user/victim")}), "", "ValidationError arn:aws:iam::" + l.account + ":user/victim is invalid"},
		{"with the external id", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: aws.String(role("pinned")), ExternalId: aws.String("outside")}), "", ""},
		{"with another external id", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: aws.String(role("pinned")), ExternalId: aws.String("Outside")}), "sts:AssumeRole", denied + role("pinned")},
		{"without the external id", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: aws.String(role("pinned"))}), "sts:AssumeRole", denied + role("pinned")},
		{"with tags that may not be passed", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target, Tags: tag}), "sts:TagSession", denied + target},
		{"with a source identity that may not be set", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target, SourceIdentity: aws.String("bob")}), "sts:SetSourceIdentity", denied + target},
		{"a transitive tag that is none", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target, TransitiveTagKeys: []string{"b"}}), "", "InvalidParameterValue The specified transitive tag key must be included in the requested tags."},
		{"for longer than the role allows", "user", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target, DurationSeconds: aws.Int32(3601)}), "", "ValidationError The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"chained for longer than an hour", "role", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target, DurationSeconds: aws.Int32(3601)}), "", "ValidationError The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."},
		{"as root", "root", "", assume(sts.AssumeRoleInput{RoleArn: &target}), "", "AccessDenied Roles may not be assumed by root accounts."},
		{"another account's user", "foreign", "inline=assume", assume(sts.AssumeRoleInput{RoleArn: &target}), "", ""},
		{"a session of a session", "token", "inline=all", func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).GetSessionToken(ctx, &sts.GetSessionTokenInput{})
			return err
		}, "", "AccessDenied Cannot call GetSessionToken with session credentials"},

		{"an alias, without passing its role", "user", "inline=alias", alias("a1", target), "iam:PassRole", json + target + lacks},
		{"an alias, passing to another service", "user", "inline=alias,pass-ec", alias("a2", target), "iam:PassRole", json + target + lacks},
		{"an alias, passing another role", "user", "inline=alias,pass", alias("a3", role("pinned")), "iam:PassRole", json + role("pinned") + lacks},
		{"an alias", "user", "inline=alias,pass", alias("a4", target), "", ""},
		{"passing without an alias", "user", "inline=pass", alias("a5", target), "iot:CreateRoleAlias", json + "arn:aws:iot:us-east-1:" + l.account + ":rolealias/a5" + lacks},

		{"a user without the boundary", "user", "inline=bounded", createUser(iam.CreateUserInput{UserName: aws.String("u1")}), "iam:CreateUser", denied + user("u1") + lacks},
		{"a user with another boundary", "user", "inline=bounded", createUser(iam.CreateUserInput{UserName: aws.String("u2"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}), "iam:CreateUser", denied + user("u2") + lacks},
		{"a user with the boundary", "user", "inline=bounded", createUser(iam.CreateUserInput{UserName: aws.String("u3"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AWSIoTFullAccess")}), "", ""},
		{"a policy for who has the boundary", "user", "inline=bounded", putPolicy("victim"), "", ""},
		{"a policy for who has none", "user", "inline=bounded", putPolicy("stranger"), "iam:PutUserPolicy", denied + user("stranger") + lacks},
		{"a user elsewhere", "user", "inline=create", createUser(iam.CreateUserInput{UserName: aws.String("u4"), Path: aws.String("/ops/")}), "iam:CreateUser", denied + user("ops/u4") + lacks},
		{"a user with tags", "user", "inline=create", createUser(iam.CreateUserInput{UserName: aws.String("u5"), Path: aws.String("/eng/"), Tags: iamtag}), "iam:TagUser", denied + user("eng/u5") + lacks},
		{"a user", "user", "inline=create", createUser(iam.CreateUserInput{UserName: aws.String("u6"), Path: aws.String("/eng/")}), "", ""},
		{"more rights than he may give", "user", "inline=attach", attach("arn:aws:iam::aws:policy/AdministratorAccess"), "iam:AttachUserPolicy", denied + user("victim") + lacks},
		{"rights that he may give", "user", "inline=attach", attach("arn:aws:iam::aws:policy/AWSIoTFullAccess"), "", ""},
		{"a key of another", "user", "inline=own-key", key(aws.String("victim")), "iam:CreateAccessKey", denied + user("victim") + lacks},
		{"his own second key", "user", "inline=own-key", key(nil), "", ""},
		{"a key without saying whose", "role", "inline=all", key(nil), "", "ValidationError Must specify userName when calling with non-User credentials"},

		{"a stream with the tag", "user", "inline=green", stream("s1", map[string]string{"team": "green"}), "", ""},
		{"a stream with another", "user", "inline=green", stream("s2", map[string]string{"team": "blue"}), "kinesisvideo:CreateStream", json + "arn:aws:kinesisvideo:us-east-1:" + l.account + ":stream/s2/0" + lacks},
		{"a stream with one more", "user", "inline=green", stream("s3", map[string]string{"team": "green", "cost": "0"}), "kinesisvideo:CreateStream", json + "arn:aws:kinesisvideo:us-east-1:" + l.account + ":stream/s3/0" + lacks},
		{"a stream without", "user", "inline=green", stream("s4", nil), "kinesisvideo:CreateStream", json + "arn:aws:kinesisvideo:us-east-1:" + l.account + ":stream/s4/0" + lacks},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := l.principal(t, fmt.Sprint("d", i), tt.kind, tt.policies)
			code, message, _ := strings.Cut(strings.NewReplacer("%ME", p.arn, "%ACTION", tt.action).Replace(tt.want), " ")
			wantAnswer(t, tt.name, tt.do(t.Context(), p.config), code, message)
		})
	}
}

// TestNobody is who cannot sign: nothing is told but that.
func TestNobody(t *testing.T) {
	l := newLab(t)
	user := l.newUser(t, l.iam, "user")
	good, err := user.Credentials.Retrieve(t.Context())
	l.ok(t, err)
	session := l.principal(t, "session", "token", "")
	token, err := session.config.Credentials.Retrieve(t.Context())
	l.ok(t, err)
	const (
		unknown  = "The security token included in the request is invalid."
		mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	)
	other := "A" + good.SecretAccessKey[1:]
	if other == good.SecretAccessKey {
		other = "B" + good.SecretAccessKey[1:]
	}
	flip := []byte(token.SessionToken)
	flip[len(flip)/2] ^= 1
	for _, tt := range []struct {
		name        string
		credentials sigv4.Credentials
		json, query string
		message     string
	}{
		{"an unknown key", sigv4.Credentials{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", SecretAccessKey: good.SecretAccessKey}, "UnrecognizedClientException", "InvalidClientTokenId", unknown},
		{"another secret", sigv4.Credentials{AccessKeyID: good.AccessKeyID, SecretAccessKey: other}, "InvalidSignatureException", "SignatureDoesNotMatch", mismatch},
		{"a key with a token", sigv4.Credentials{AccessKeyID: good.AccessKeyID, SecretAccessKey: good.SecretAccessKey, SessionToken: token.SessionToken}, "UnrecognizedClientException", "InvalidClientTokenId", unknown},
		{"a session without its token", sigv4.Credentials{AccessKeyID: token.AccessKeyID, SecretAccessKey: token.SecretAccessKey}, "UnrecognizedClientException", "InvalidClientTokenId", unknown},
		{"another's token", sigv4.Credentials{AccessKeyID: "ASIA" + token.AccessKeyID[4:18] + "AA", SecretAccessKey: token.SecretAccessKey, SessionToken: token.SessionToken}, "UnrecognizedClientException", "InvalidClientTokenId", unknown},
		{"a token that was changed", sigv4.Credentials{AccessKeyID: token.AccessKeyID, SecretAccessKey: token.SecretAccessKey, SessionToken: string(flip)}, "UnrecognizedClientException", "InvalidClientTokenId", unknown},
		{"a session with another secret", sigv4.Credentials{AccessKeyID: token.AccessKeyID, SecretAccessKey: other, SessionToken: token.SessionToken}, "InvalidSignatureException", "SignatureDoesNotMatch", mismatch},
		{"the owner's name as his key", sigv4.Credentials{AccessKeyID: "user", SecretAccessKey: good.SecretAccessKey}, "UnrecognizedClientException", "InvalidClientTokenId", unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := l.sdkAs(tt.credentials)
			_, err := iot.NewFromConfig(c).DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("cam")})
			wantAnswer(t, "iot", err, tt.json, tt.message)
			_, err = kinesisvideo.NewFromConfig(c).ListStreams(t.Context(), &kinesisvideo.ListStreamsInput{})
			wantAnswer(t, "kinesisvideo", err, tt.json, tt.message)
			_, err = iam.NewFromConfig(c).ListUsers(t.Context(), &iam.ListUsersInput{})
			wantAnswer(t, "iam", err, tt.query, tt.message)
			_, err = sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			wantAnswer(t, "sts", err, tt.query, tt.message)
		})
	}
	t.Run("nobody at all", func(t *testing.T) {
		c := l.sdk()
		c.Credentials = aws.AnonymousCredentials{}
		_, err := iot.NewFromConfig(c).ListThings(t.Context(), &iot.ListThingsInput{})
		wantAnswer(t, "iot", err, "MissingAuthenticationTokenException", "Missing Authentication Token")
		_, err = kinesisvideo.NewFromConfig(c).DescribeStream(t.Context(), &kinesisvideo.DescribeStreamInput{StreamName: aws.String("blue")})
		wantAnswer(t, "kinesisvideo", err, "MissingAuthenticationTokenException", "Missing Authentication Token")
		resp, err := http.Post(l.api()+"/", "application/x-www-form-urlencoded", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
		l.ok(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("sts: %s", resp.Status)
		}
	})
}
