package identity

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/awsapi"
)

func TestLimitKeys(t *testing.T) {
	const account = "arn:aws:iam::123456789012:"
	for _, tt := range []struct{ operation, resource, want string }{
		{"GetUser", account + "user/ann", "aws:ResourceTag/a iam:ResourceTag/a"},
		{"GetUser", account + "user/a:b/ann", "aws:ResourceTag/a iam:ResourceTag/a"},
		{"GetRole", account + "role/a:policy/cam", "aws:ResourceTag/a iam:PermissionsBoundary iam:ResourceTag/a"},
		{"GetPolicy", account + "policy/p", "aws:ResourceTag/a"},
		{"GetPolicy", account + "policy/a:user/p", "aws:ResourceTag/a"},
		{"CreateUser", account + "user/ann", "aws:ResourceTag/a iam:PermissionsBoundary iam:ResourceTag/a"},
		{"ListUsers", "*", "aws:ResourceTag/a"},
	} {
		keys := map[string][]string{"aws:ResourceTag/a": {"b"}, "iam:ResourceTag/a": {"b"}, "iam:PermissionsBoundary": {"p"}}
		limitKeys(tt.operation, []awsapi.Check{{Resource: tt.resource, Keys: keys}})
		if got := strings.Join(slices.Sorted(maps.Keys(keys)), " "); got != tt.want {
			t.Errorf("%s on %s: %s, want %s", tt.operation, tt.resource, got, tt.want)
		}
	}
}
