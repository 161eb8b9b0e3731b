package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// matrixCall is a call of the matrix: what it is authorized as, and on.
type matrixCall struct {
	action, resource string
	do               func(ctx context.Context, c aws.Config) error
}

// matrixCalls are the columns of testdata/matrix.txt. None changes anything
// the second time.
func matrixCalls(l *lab) map[string]matrixCall {
	thing := func(name string) string { return "arn:aws:iot:us-east-1:" + l.account + ":thing/" + name }
	describeThing := func(name string) matrixCall {
		return matrixCall{"iot:DescribeThing", thing(name), func(ctx context.Context, c aws.Config) error {
			_, err := iot.NewFromConfig(c).DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &name})
			return err
		}}
	}
	describeStream := func(name string) matrixCall {
		return matrixCall{"kinesisvideo:DescribeStream", l.streams[name], func(ctx context.Context, c aws.Config) error {
			_, err := kinesisvideo.NewFromConfig(c).DescribeStream(ctx, &kinesisvideo.DescribeStreamInput{StreamName: &name})
			return err
		}}
	}
	target := "arn:aws:iam::" + l.account + ":role/target"
	return map[string]matrixCall{
		"ListThings": {"iot:ListThings", "*", func(ctx context.Context, c aws.Config) error {
			_, err := iot.NewFromConfig(c).ListThings(ctx, &iot.ListThingsInput{})
			return err
		}},
		"DescribeThing cam":   describeThing("cam"),
		"DescribeThing other": describeThing("other"),
		"CreateThing new": {"iot:CreateThing", thing("new"), func(ctx context.Context, c aws.Config) error {
			_, err := iot.NewFromConfig(c).CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("new")})
			return err
		}},
		"DescribeStream blue": describeStream("blue"),
		"DescribeStream red":  describeStream("red"),
		"TagStream blue": {"kinesisvideo:TagStream", l.streams["blue"], func(ctx context.Context, c aws.Config) error {
			_, err := kinesisvideo.NewFromConfig(c).TagStream(ctx, &kinesisvideo.TagStreamInput{StreamName: aws.String("blue"), Tags: map[string]string{"team": "blue"}})
			return err
		}},
		"ListUsers": {"iam:ListUsers", "arn:aws:iam::" + l.account + ":user/", func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).ListUsers(ctx, &iam.ListUsersInput{MaxItems: aws.Int32(1)})
			return err
		}},
		"AssumeRole target": {"sts:AssumeRole", target, func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &target, RoleSessionName: aws.String("matrix")})
			return err
		}},
	}
}

// answers are the error code and message that a cell of the matrix stands for.
func (m matrixCall) answer(cell, arn string) (code, message string) {
	service, _, _ := strings.Cut(m.action, ":")
	switch code = "AccessDeniedException"; service {
	case "iam", "sts":
		code = "AccessDenied"
	}
	message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", arn, m.action, m.resource)
	lacks := func(kind string) string { return fmt.Sprintf(" because no %s allows the %s action", kind, m.action) }
	tail := map[string]string{
		"-": lacks("identity-based policy"), "-b": lacks("permissions boundary"), "-s": lacks("session policy"),
		"!":  " with an explicit deny in an identity-based policy",
		"!b": " with an explicit deny in a permissions boundary",
		"!s": " with an explicit deny in a session policy",
	}
	switch text, ok := tail[cell]; {
	case cell == "root":
		return code, "Roles may not be assumed by root accounts."
	case cell == "sts":
		return code, "Cannot call AssumeRole with session credentials"
	case cell == "key":
		return "InvalidClientTokenId", "The security token included in the request is invalid."
	case !ok:
		return "", "" // ok
	case m.action == "sts:AssumeRole": // which tells nothing of the role
		return code, message
	default:
		return code, message + text
	}
}

// TestMatrix is testdata/matrix.txt, cell by cell.
func TestMatrix(t *testing.T) {
	l := newLab(t)
	calls := matrixCalls(l)
	head, rows := readMatrix(t, l)
	for i, row := range rows {
		t.Run(row[0]+" "+row[1], func(t *testing.T) {
			p := l.principal(t, fmt.Sprintf("m%d", i), row[0], row[1])
			me, err := sts.NewFromConfig(p.config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if err != nil || *me.Arn != p.arn { // which no policy can refuse
				t.Fatalf("GetCallerIdentity: %v, %v; want %s", me, err, p.arn)
			}
			for j, name := range head {
				c, ok := calls[name]
				if !ok {
					t.Fatalf("no call %q", name)
				}
				code, message := c.answer(row[j+2], p.arn)
				wantAnswer(t, name, c.do(t.Context(), p.config), code, message)
			}
		})
	}
}

// wantAnswer holds an error against its whole text.
func wantAnswer(t *testing.T, what string, err error, code, message string) {
	t.Helper()
	var gotCode, gotMessage string
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		gotCode, gotMessage = e.ErrorCode(), e.ErrorMessage()
	} else if err != nil {
		t.Fatal(err)
	}
	if gotCode != code || gotMessage != message {
		t.Errorf("%s: %s %s\nwant %s %s", what, gotCode, gotMessage, code, message)
	}
}

// readMatrix reads the columns and rows of testdata/matrix.txt, and its
// statements into the lab.
func readMatrix(t *testing.T, l *lab) (head []string, rows [][]string) {
	t.Helper()
	f, err := os.Open("testdata/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		if text, ok := strings.CutPrefix(line, "statement "); ok {
			name, statement, _ := strings.Cut(text, " ")
			l.statements[name] = strings.ReplaceAll(strings.TrimSpace(statement), "$ACCOUNT", l.account)
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == "#" && len(cells) > 1:
			head = cells[2:]
		case line != "" && line[0] != '#':
			if len(cells) != len(head)+2 {
				t.Fatalf("%d cells in %q", len(cells), line)
			}
			rows = append(rows, cells)
		}
	}
	return head, rows
}
