package identity

import (
	"strings"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
)

// bounded are the operations that conditions can ask iam:PermissionsBoundary
// of (Service Authorization Reference, "AWS Identity and Access Management").
// To the others it is not there, whatever the user or role has.
var bounded = map[string]bool{
	"AttachRolePolicy": true, "AttachUserPolicy": true, "CreateRole": true, "CreateUser": true, "DeleteRole": true,
	"DeleteRolePermissionsBoundary": true, "DeleteRolePolicy": true, "DeleteUserPermissionsBoundary": true, "DeleteUserPolicy": true,
	"DetachRolePolicy": true, "DetachUserPolicy": true, "GetRole": true, "PutRolePermissionsBoundary": true, "PutRolePolicy": true,
	"PutUserPermissionsBoundary": true, "PutUserPolicy": true, "UpdateAssumeRolePolicy": true, "UpdateRole": true, "UpdateRoleDescription": true,
}

// limitKeys takes away the condition keys that AWS does not have for an
// operation on such a resource: what AWS would refuse is not to be allowed by
// a key that is there only here.
func limitKeys(operation string, checks []awsapi.Check) {
	for _, c := range checks {
		parts, _ := arn.Split(c.Resource) // whose paths can have colons
		ofPrincipal := strings.HasPrefix(parts[5], "user/") || strings.HasPrefix(parts[5], "role/")
		for name := range c.Keys {
			if name == "iam:PermissionsBoundary" && !bounded[operation] || strings.HasPrefix(name, "iam:ResourceTag/") && !ofPrincipal {
				delete(c.Keys, name)
			}
		}
	}
}
