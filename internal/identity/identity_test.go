package identity

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/seal"
)

const (
	testAccount = "123456789012"
	devKey      = "AKIAIOSFODNN7EXAMPLE"
	devSecret   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// rig is a service with one account, and a clock that tests turn.
type rig struct {
	*Service
	t     testing.TB
	clock atomic.Int64 // ms
	root  sigv4.Credentials
}

func newRig(t testing.TB, d *db.DB) *rig {
	t.Helper()
	box, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{t: t, root: sigv4.Credentials{AccessKeyID: devKey, SecretAccessKey: devSecret}}
	g.clock.Store(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC).UnixMilli())
	g.Service = &Service{
		DB: d, Seal: box, Region: "us-east-1", Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(g.clock.Load()) },
	}
	if _, _, err := g.Bootstrap(t.Context(), BootstrapOptions{AccountID: testAccount, AccessKeyID: devKey, Secret: devSecret}); err != nil {
		t.Fatal(err)
	}
	return g
}

// each runs a test on both databases.
func each(t *testing.T, fn func(t *testing.T, g *rig)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newRig(t, d)) })
}

func (g *rig) advance(d time.Duration) { g.clock.Add(d.Milliseconds()) }

// login authenticates a request that is signed with credentials.
func (g *rig) login(c sigv4.Credentials) (*awsapi.Caller, error) {
	r, err := http.NewRequest(http.MethodPost, "https://iot.us-east-1.amazonaws.com/things", http.NoBody)
	if err != nil {
		return nil, err
	}
	if err := sigv4.Sign(r, nil, c, "us-east-1", "iot", g.Now()); err != nil {
		return nil, err
	}
	return g.authenticate(r)
}

func (g *rig) authenticate(r *http.Request) (*awsapi.Caller, error) {
	sig, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	return g.Authenticate(g.t.Context(), r, sig, sigv4.Body(nil))
}

func (g *rig) caller(c sigv4.Credentials) *awsapi.Caller {
	g.t.Helper()
	caller, err := g.login(c)
	if err != nil {
		g.t.Fatalf("login %s: %v", c.AccessKeyID, err)
	}
	return caller
}

// may authorizes one action.
func (g *rig) may(c *awsapi.Caller, action, resource string) error {
	req := &awsapi.Request{Caller: c, Region: "us-east-1", SourceIP: "192.0.2.1", Time: g.Now()}
	return g.Authorize(g.t.Context(), req, []awsapi.Check{{Action: action, Resource: resource}})
}

// do runs an operation as a caller through what the runtime does: resolve,
// authorize, the method.
func do[I, O any](g *rig, c *awsapi.Caller, s *awsapi.Service, name string, method func(context.Context, *I) (*O, error), in *I) (*O, error) {
	req := &awsapi.Request{Caller: c, Service: s, Region: "us-east-1", Time: g.Now()}
	for _, op := range s.Operations {
		if op.Name == name {
			req.Operation = op
		}
	}
	if req.Operation == nil {
		return nil, errors.New("no operation " + name)
	}
	ctx := awsapi.WithRequest(g.t.Context(), req)
	if req.Operation.Resource != "-" {
		checks := []awsapi.Check{{Resource: "*"}}
		if strings.HasPrefix(req.Operation.Resource, "@") {
			r, err := g.Resolve(ctx, req.Operation, in)
			if err != nil {
				return nil, err
			}
			checks, req.Target = r.Checks, r.Target
		}
		for i := range checks {
			if checks[i].Action == "" {
				checks[i].Action = s.FullAction(req.Operation)
			}
		}
		if err := g.Authorize(ctx, req, checks); err != nil {
			return nil, err
		}
	}
	return method(ctx, in)
}

func iamDo[I, O any](g *rig, c *awsapi.Caller, name string, method func(context.Context, *I) (*O, error), in *I) (*O, error) {
	return do(g, c, iam.Service, name, method, in)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// allow is a policy that allows an action on everything.
func allow(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
}

func deny(action string) string { return strings.Replace(allow(action), `"Allow"`, `"Deny"`, 1) }

func trust(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
}

const trustAccount = `{"AWS":"arn:aws:iam::123456789012:root"}`

// wantCode checks an error's AWS code and a part of its text; no code is no
// error. Codes of package sigv4 are their kinds' in the Query protocol.
func wantCode(t testing.TB, err error, code, text string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Errorf("got %v, want no error", err)
		}
		return
	}
	got := ""
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		got = e.Code
	} else if e, ok := errors.AsType[*sigv4.Error](err); ok {
		got = map[sigv4.Kind]string{
			sigv4.UnknownKey: "InvalidClientTokenId", sigv4.ExpiredToken: "ExpiredToken",
			sigv4.Mismatch: "SignatureDoesNotMatch", sigv4.Expired: "SignatureDoesNotMatch",
		}[e.Kind]
	} else if err != nil && regexp.MustCompile(`not authorized to perform|Cannot call|MultiFactorAuthentication failed|old password was incorrect`).MatchString(err.Error()) {
		got = "AccessDenied"
	}
	if got != code || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %q (%v), want %s with %q", got, err, code, text)
	}
}

// user makes a user with an access key and, if given, an inline policy.
func (g *rig) user(name, document string) (*iam.User, sigv4.Credentials) {
	g.t.Helper()
	root := g.caller(g.root)
	u := must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: name}))(g.t)
	if document != "" {
		must(iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: name, PolicyName: "p", PolicyDocument: document}))(g.t)
	}
	k := must(iamDo(g, root, "CreateAccessKey", g.CreateAccessKey, &iam.CreateAccessKeyRequest{UserName: &name}))(g.t)
	return u.User, sigv4.Credentials{AccessKeyID: k.AccessKey.AccessKeyId, SecretAccessKey: k.AccessKey.SecretAccessKey}
}

// role makes a role with a trust policy and, if given, an inline policy.
func (g *rig) role(name, trustDocument, document string) iam.Role {
	g.t.Helper()
	root := g.caller(g.root)
	r := must(iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: name, AssumeRolePolicyDocument: trustDocument}))(g.t)
	if document != "" {
		must(iamDo(g, root, "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: name, PolicyName: "p", PolicyDocument: document}))(g.t)
	}
	return r.Role
}
