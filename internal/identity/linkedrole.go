package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// linkedPath is where service-linked roles are, and no others.
const linkedPath = "/aws-service-role/"

// linkedService is a service with a service-linked role (IAM User Guide, "AWS
// services that work with IAM").
type linkedService struct {
	role     string
	suffixes bool // takes CustomSuffix
}

// linkedServices are the services of AWS around devices and video that have
// service-linked roles, and those of other services that templates make most.
// IoT Core, Kinesis Video and Greengrass have none.
func linkedServices(principal string) (linkedService, bool) {
	s, ok := map[string]linkedService{
		"iotfleetwise.amazonaws.com":           {role: "AWSServiceRoleForIoTFleetWise"},
		"iotmanagedintegrations.amazonaws.com": {role: "AWSServiceRoleForIoTManagedIntegrations"},
		"iotsitewise.amazonaws.com":            {role: "AWSServiceRoleForIoTSiteWise"},
		"iottwinmaker.amazonaws.com":           {role: "AWSServiceRoleForIoTTwinMaker"},
		"ivs.amazonaws.com":                    {role: "AWSServiceRoleForIVSRecordToS3"},
		"lex.amazonaws.com":                    {role: "AWSServiceRoleForLexBots"},
		"lexv2.amazonaws.com":                  {role: "AWSServiceRoleForLexV2Bots", suffixes: true},
		"connect.amazonaws.com":                {role: "AWSServiceRoleForAmazonConnect", suffixes: true},
		"rolesanywhere.amazonaws.com":          {role: "AWSServiceRoleForRolesAnywhere"},

		"autoscaling.amazonaws.com":          {role: "AWSServiceRoleForAutoScaling", suffixes: true},
		"backup.amazonaws.com":               {role: "AWSServiceRoleForBackup"},
		"batch.amazonaws.com":                {role: "AWSServiceRoleForBatch"},
		"cloudtrail.amazonaws.com":           {role: "AWSServiceRoleForCloudTrail"},
		"config.amazonaws.com":               {role: "AWSServiceRoleForConfig"},
		"ecs.amazonaws.com":                  {role: "AWSServiceRoleForECS"},
		"eks.amazonaws.com":                  {role: "AWSServiceRoleForAmazonEKS"},
		"elasticache.amazonaws.com":          {role: "AWSServiceRoleForElastiCache"},
		"elasticloadbalancing.amazonaws.com": {role: "AWSServiceRoleForElasticLoadBalancing"},
		"kafka.amazonaws.com":                {role: "AWSServiceRoleForKafka"},
		"opensearchservice.amazonaws.com":    {role: "AWSServiceRoleForAmazonOpenSearchService"},
		"ops.apigateway.amazonaws.com":       {role: "AWSServiceRoleForAPIGateway"},
		"rds.amazonaws.com":                  {role: "AWSServiceRoleForRDS"},
		"spot.amazonaws.com":                 {role: "AWSServiceRoleForEC2Spot"},
		"ssm.amazonaws.com":                  {role: "AWSServiceRoleForAmazonSSM"},
	}[principal]
	return s, ok
}

// name is the role's name with a suffix, which may be empty.
func (l linkedService) name(suffix string) string {
	if suffix == "" {
		return l.role
	}
	return l.role + "_" + suffix
}

// linked reports whether a role is a service's, not the customer's to change.
func (e *entity) linked() bool { return e.kind == kindRole && strings.HasPrefix(e.path, linkedPath) }

// changeable refuses changes to service-linked roles but for their tags and
// descriptions.
func (e *entity) changeable() error {
	if e.linked() {
		return iam.ErrUnmodifiableEntityException("Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", e.name)
	}
	return nil
}

// changeableTarget is entityTarget for what service-linked roles do not take.
func changeableTarget(ctx context.Context, k kind, name string) (*entity, error) {
	e, err := entityTarget(ctx, k, name)
	if err != nil {
		return nil, err
	}
	return e, e.changeable()
}

// linkedRole is for CreateServiceLinkedRole.
func (r *resolution) linkedRole(in *iam.CreateServiceLinkedRoleRequest) {
	name := "*"
	if l, ok := linkedServices(in.AWSServiceName); ok {
		name = l.name(or(in.CustomSuffix, ""))
	}
	r.checks = append(r.checks, awsapi.Check{
		Resource: entityARN(r.account, kindRole, linkedPath+in.AWSServiceName+"/", name),
		Keys:     map[string][]string{"iam:AWSServiceName": {in.AWSServiceName}},
	})
}

// CreateServiceLinkedRole makes the role that a service asks for. thingd runs
// none of these services: nothing takes the role on, and it has no policies.
func (s *Service) CreateServiceLinkedRole(ctx context.Context, in *iam.CreateServiceLinkedRoleRequest) (*iam.CreateServiceLinkedRoleResponse, error) {
	l, ok := linkedServices(in.AWSServiceName)
	if !ok {
		return nil, iam.ErrInvalidInputException("%s is not a valid AWS service name (Service Principal)", in.AWSServiceName)
	}
	if in.CustomSuffix != nil && !l.suffixes {
		return nil, iam.ErrInvalidInputException("Custom suffix is not allowed for %s", in.AWSServiceName)
	}
	name := l.name(or(in.CustomSuffix, ""))
	if len(name) > 64 {
		return nil, iam.ErrInvalidInputException("Service role name %s exceeds the 64-character limit.", name)
	}
	trust, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": in.AWSServiceName}, "Action": "sts:AssumeRole",
	}}})
	if err != nil {
		return nil, fmt.Errorf("create service-linked role %s: %w", name, err)
	}
	account := awsapi.Account(ctx)
	r := &role{
		entity: entity{
			kind: kindRole, account: account, id: newID(prefixRole, account), name: name,
			path: linkedPath + in.AWSServiceName + "/", created: s.now(),
		},
		description: in.Description, maxSession: defaultMaxSession, trust: string(trust),
	}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		made, err := insertRole(ctx, tx, r, "{}")
		if err == nil && !made {
			return iam.ErrInvalidInputException("Service role name %s has been taken in this account, please try a different suffix.", name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create service-linked role %s: %w", name, err)
	}
	out := r.wire(r.trust)
	out.MaxSessionDuration = nil // as CreateRole's answer
	return &iam.CreateServiceLinkedRoleResponse{Role: &out}, nil
}

// DeleteServiceLinkedRole deletes a service-linked role. Nothing uses it, so it
// is gone when this returns, and its task succeeded.
func (s *Service) DeleteServiceLinkedRole(ctx context.Context, in *iam.DeleteServiceLinkedRoleRequest) (*iam.DeleteServiceLinkedRoleResponse, error) {
	e, err := entityTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	if !e.linked() {
		return nil, errNoEntity(kindRole, in.RoleName)
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		// What a role has that customers made here before such paths were
		// reserved.
		for _, drop := range []string{
			`DELETE FROM iam_inline_policies WHERE account = $1 AND owner = $2`,
			`DELETE FROM iam_attachments WHERE account = $1 AND owner = $2`,
			`UPDATE iam_instance_profiles SET role_id = NULL WHERE account = $1 AND role_id = $2`,
		} {
			if _, err := tx.Exec(ctx, drop, e.account, e.id); err != nil {
				return err
			}
		}
		return deleteRole(ctx, tx, e)
	})
	if err != nil {
		return nil, fmt.Errorf("delete service-linked role %s: %w", in.RoleName, err)
	}
	return &iam.DeleteServiceLinkedRoleResponse{DeletionTaskId: s.deletionTask(e)}, nil
}

// deriveDeletion is the purpose for which the ids of deletion tasks are derived.
const deriveDeletion = "identity role deletion"

// deletionTask makes the id of a task that deleted a role. Its last part tells
// tasks that there were from others, so that none need be kept.
func (s *Service) deletionTask(e *entity) string {
	var id uuid.UUID
	_, _ = rand.Read(id[:8]) // never fails
	role := "task" + e.path + e.name + "/"
	copy(id[8:], s.deletionProof(e.account, role, id))
	return role + id.String()
}

func (s *Service) deletionProof(account, role string, id uuid.UUID) []byte {
	return s.Seal.Derive(deriveDeletion, account+"\n"+role+"\n"+string(id[:8]), 8)
}

// splitTask takes a task's id apart: task/aws-service-role/SERVICE/ROLE/ID.
func splitTask(task string) (path, name string, id uuid.UUID, ok bool) {
	parts := strings.Split(task, "/")
	if len(parts) != 5 || parts[0] != "task" || "/"+parts[1]+"/" != linkedPath {
		return "", "", id, false
	}
	id, err := uuid.Parse(parts[4])
	return linkedPath + parts[2] + "/", parts[3], id, err == nil
}

// roleDeletion is for GetServiceLinkedRoleDeletionStatus, which is authorized
// on the role that was deleted.
func (r *resolution) roleDeletion(task string) {
	resource := "*"
	if path, name, _, ok := splitTask(task); ok {
		resource = entityARN(r.account, kindRole, path, name)
	}
	r.checks = append(r.checks, awsapi.Check{Resource: resource})
}

// GetServiceLinkedRoleDeletionStatus says of a task that DeleteServiceLinkedRole
// answered that it succeeded.
func (s *Service) GetServiceLinkedRoleDeletionStatus(ctx context.Context, in *iam.GetServiceLinkedRoleDeletionStatusRequest) (*iam.GetServiceLinkedRoleDeletionStatusResponse, error) {
	path, name, id, ok := splitTask(in.DeletionTaskId)
	if !ok {
		return nil, iam.ErrInvalidInputException("Invalid DeletionTaskId: %s", in.DeletionTaskId)
	}
	if subtle.ConstantTimeCompare(id[8:], s.deletionProof(awsapi.Account(ctx), "task"+path+name+"/", id)) != 1 {
		return nil, iam.ErrNoSuchEntityException("Deletion task %s cannot be found.", in.DeletionTaskId)
	}
	return &iam.GetServiceLinkedRoleDeletionStatusResponse{Status: "SUCCEEDED"}, nil
}
