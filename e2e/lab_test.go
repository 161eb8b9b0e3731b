package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// lab is a server with what the principals of the matrix act on.
type lab struct {
	*server
	account    string
	iam        *iam.Client // as root
	iot        *iot.Client
	streams    map[string]string // ARNs by name
	statements map[string]string // JSON by name
	stranger   aws.Config        // a user of another account, who may assume any role
	strangers  string            // that account
	camera     camera
}

// camera is a certificate with the thing cam.
type camera struct{ id, pem, key string }

// principal is somebody who makes calls.
type principal struct {
	arn    string // as GetCallerIdentity says it
	config aws.Config
}

func newLab(t *testing.T) *lab {
	t.Helper()
	s := start(t, "--dev")
	l := &lab{server: s, account: s.root.AccountID, iam: iam.NewFromConfig(s.sdk()), iot: iot.NewFromConfig(s.sdk()), streams: map[string]string{}, statements: map[string]string{}}
	ctx := t.Context()
	for _, name := range []string{"cam", "other", "new"} {
		_, err := l.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name})
		l.ok(t, err)
	}
	for _, team := range []string{"blue", "red"} {
		out, err := kinesisvideo.NewFromConfig(s.sdk()).CreateStream(ctx, &kinesisvideo.CreateStreamInput{StreamName: &team, Tags: map[string]string{"team": team}})
		l.ok(t, err)
		l.streams[team] = *out.StreamARN
	}
	_, err := l.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("target"), AssumeRolePolicyDocument: trusting("AWS", l.account)})
	l.ok(t, err)
	l.secondAccount(t)
	l.newCamera(t)
	return l
}

func (l *lab) ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trusting is a trust policy.
func trusting(class, who string) *string {
	return aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{%q:%q},"Action":"sts:AssumeRole"}]}`, class, who))
}

// secondAccount makes an account and a user in it.
func (l *lab) secondAccount(t *testing.T) {
	t.Helper()
	body := `{"Name":"stranger"}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.api()+"/thingd/accounts", strings.NewReader(body))
	l.ok(t, err)
	r.Header.Set("Content-Type", "application/json")
	l.ok(t, sigv4.Sign(r, []byte(body), l.rootKey(), l.at.Region, "thingd", time.Now()))
	resp, err := http.DefaultClient.Do(r)
	l.ok(t, err)
	defer func() { _ = resp.Body.Close() }()
	var made struct {
		Account                              struct{ AccountId string } //nolint:revive // AWS's spelling
		RootAccessKeyId, RootSecretAccessKey string                     //nolint:revive // AWS's spelling
	}
	l.ok(t, json.NewDecoder(resp.Body).Decode(&made))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("CreateAccount: %s", resp.Status)
	}
	l.strangers = made.Account.AccountId
	root := iam.NewFromConfig(l.sdkAs(sigv4.Credentials{AccessKeyID: made.RootAccessKeyId, SecretAccessKey: made.RootSecretAccessKey}))
	l.stranger = l.newUser(t, root, "stranger")
	_, err = root.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
		UserName: aws.String("stranger"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`),
	})
	l.ok(t, err)
}

// newCamera makes a certificate that may have credentials by any role alias.
func (l *lab) newCamera(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	cert, err := l.iot.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{SetAsActive: true})
	l.ok(t, err)
	l.camera = camera{*cert.CertificateId, *cert.CertificatePem, *cert.KeyPair.PrivateKey}
	doc := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"*"}]}`)
	_, err = l.iot.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("credentials"), PolicyDocument: doc})
	l.ok(t, err)
	_, err = l.iot.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String("credentials"), Target: cert.CertificateArn})
	l.ok(t, err)
	_, err = l.iot.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: aws.String("cam"), Principal: cert.CertificateArn})
	l.ok(t, err)
}

// newUser makes a user and an access key of his.
func (l *lab) newUser(t *testing.T, c *iam.Client, name string) aws.Config {
	t.Helper()
	tags := []iamtypes.Tag{{Key: aws.String("thing"), Value: aws.String("cam")}}
	_, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name, Tags: tags})
	l.ok(t, err)
	out, err := c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	l.ok(t, err)
	return l.sdkAs(sigv4.Credentials{AccessKeyID: *out.AccessKey.AccessKeyId, SecretAccessKey: *out.AccessKey.SecretAccessKey})
}

// newRole makes a role.
func (l *lab) newRole(t *testing.T, name string, trust *string) (arn string) {
	t.Helper()
	tags := []iamtypes.Tag{{Key: aws.String("thing"), Value: aws.String("cam")}}
	out, err := l.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: trust, Tags: tags})
	l.ok(t, err)
	return *out.Role.Arn
}

// document is a policy of the statements that are named.
func (l *lab) document(t *testing.T, names string) *string {
	t.Helper()
	var list []string
	for name := range strings.SplitSeq(names, ",") {
		s, ok := l.statements[name]
		if !ok {
			t.Fatalf("no statement %q", name)
		}
		list = append(list, s)
	}
	return aws.String(`{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`)
}

// managed makes a managed policy of the statements that are named, once.
func (l *lab) managed(t *testing.T, names string) *string {
	t.Helper()
	name := strings.ReplaceAll(names, ",", "+")
	_, err := l.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: l.document(t, names)})
	if _, there := errors.AsType[*iamtypes.EntityAlreadyExistsException](err); !there {
		l.ok(t, err)
	}
	return aws.String("arn:aws:iam::" + l.account + ":policy/" + name)
}

// principal makes somebody of a kind with policies, as testdata/matrix.txt
// says it.
func (l *lab) principal(t *testing.T, name, kind, policies string) principal {
	t.Helper()
	words := strings.Fields(policies)
	session := &session{}
	words = slices.DeleteFunc(words, func(w string) bool { return session.take(t, l, w) })
	user := "arn:aws:iam::" + l.account + ":user/" + name
	assumed := func(session string) string {
		return "arn:aws:sts::" + l.account + ":assumed-role/" + name + "/" + session
	}
	switch kind {
	case "root":
		return principal{"arn:aws:iam::" + l.account + ":root", l.sdk()}
	case "user", "token", "group", "federated":
		config := l.newUser(t, l.iam, name)
		if kind == "group" {
			_, err := l.iam.CreateGroup(t.Context(), &iam.CreateGroupInput{GroupName: &name})
			l.ok(t, err)
			_, err = l.iam.AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{GroupName: &name, UserName: &name})
			l.ok(t, err)
			l.give(t, groupKind, name, words)
			return principal{user, config}
		}
		l.give(t, userKind, name, words)
		switch kind {
		case "token":
			out, err := sts.NewFromConfig(config).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
			l.ok(t, err)
			return principal{user, l.with(out.Credentials)}
		case "federated":
			out, err := sts.NewFromConfig(config).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest"), Policy: session.policy, PolicyArns: session.arns})
			l.ok(t, err)
			return principal{"arn:aws:sts::" + l.account + ":federated-user/guest", l.with(out.Credentials)}
		}
		return principal{user, config}
	case "device":
		role := l.newRole(t, name, trusting("Service", "credentials.iot.amazonaws.com"))
		l.give(t, roleKind, name, words)
		_, err := l.iot.CreateRoleAlias(t.Context(), &iot.CreateRoleAliasInput{RoleAlias: &name, RoleArn: &role})
		l.ok(t, err)
		return principal{assumed(l.camera.id), l.sdkAs(l.cameraCredentials(t, l.camera.pem, l.camera.key, name, "cam"))}
	}
	// Roles: the trust policy names an account, whose users need to be allowed.
	var from aws.Config
	trust := l.account
	switch kind {
	case "foreign":
		from, trust = l.stranger, l.strangers
	case "role", "chained":
		from = l.newUser(t, l.iam, name+"-user")
		l.give(t, userKind, name+"-user", []string{"inline=all"})
	default:
		t.Fatalf("no kind %q", kind)
	}
	if kind == "chained" {
		first := l.newRole(t, name+"-first", trusting("AWS", l.account))
		l.give(t, roleKind, name+"-first", []string{"inline=all"})
		from = l.assume(t, from, first, nil)
	}
	role := l.newRole(t, name, trusting("AWS", trust))
	l.give(t, roleKind, name, words)
	return principal{assumed("matrix"), l.assume(t, from, role, session)}
}

// session is what a session is limited by.
type session struct {
	policy *string
	arns   []ststypes.PolicyDescriptorType
}

func (s *session) take(t *testing.T, l *lab, word string) bool {
	t.Helper()
	switch place, names, _ := strings.Cut(word, "="); place {
	case "session":
		s.policy = l.document(t, names)
	case "session-arn":
		s.arns = append(s.arns, ststypes.PolicyDescriptorType{Arn: l.managed(t, names)})
	default:
		return false
	}
	return true
}

// assume makes a role's session.
func (l *lab) assume(t *testing.T, from aws.Config, role string, limit *session) aws.Config {
	t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("matrix")}
	if limit != nil {
		in.Policy, in.PolicyArns = limit.policy, limit.arns
	}
	out, err := sts.NewFromConfig(from).AssumeRole(t.Context(), in)
	l.ok(t, err)
	return l.with(out.Credentials)
}

func (l *lab) with(c *ststypes.Credentials) aws.Config {
	return l.sdkAs(sigv4.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken})
}

// The kinds of what has policies.
const (
	userKind  = "user"
	groupKind = "group"
	roleKind  = "role"
)

// give gives policies to a user, the group of his name, or a role.
func (l *lab) give(t *testing.T, kind, name string, policies []string) {
	t.Helper()
	ctx, c := t.Context(), l.iam
	for _, w := range policies {
		place, names, _ := strings.Cut(w, "=")
		var err error
		switch place {
		case "inline":
			doc, p := l.document(t, names), aws.String("p")
			switch kind {
			case userKind:
				_, err = c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: p, PolicyDocument: doc})
			case groupKind:
				_, err = c.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: &name, PolicyName: p, PolicyDocument: doc})
			case roleKind:
				_, err = c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: p, PolicyDocument: doc})
			}
		case "boundary":
			if kind == roleKind {
				_, err = c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &name, PermissionsBoundary: l.managed(t, names)})
			} else {
				_, err = c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: &name, PermissionsBoundary: l.managed(t, names)})
			}
		case "managed", "aws":
			policy := aws.String("arn:aws:iam::aws:policy/" + names)
			if place == "managed" {
				policy = l.managed(t, names)
			}
			switch kind {
			case userKind:
				_, err = c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &name, PolicyArn: policy})
			case groupKind:
				_, err = c.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: &name, PolicyArn: policy})
			case roleKind:
				_, err = c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: policy})
			}
		default:
			t.Fatalf("no policies %q", w)
		}
		l.ok(t, err)
	}
}
