package identity

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// AWS's client reads what a simulation answers: maps, nested lists, positions,
// pages and errors.
func TestSimulateBySDK(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	g.clock.Store(time.Now().UnixMilli())
	gateway := &awsapi.Gateway{Identity: g.Service, Log: g.Log, Now: time.Now}
	server := httptest.NewServer(gateway.Handlers([]*awsapi.API{iam.Service.Bind(g.Service)})["iam"])
	defer server.Close()
	client := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider(devKey, devSecret, ""),
	})
	in := &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{allow("s3:GetObject")}, PermissionsBoundaryPolicyInputList: []string{allow("s3:*")},
		ActionNames: []string{"s3:GetObject", "s3:PutObject"}, ResourceArns: []string{bucket}, CallerArn: aws.String("arn:aws:iam::111122223333:user/bob"),
		ResourceOwner: aws.String("arn:aws:iam::444455556666:root"), ResourcePolicy: aws.String(onBucket("Allow", "111122223333")),
		ContextEntries: []types.ContextEntry{{ContextKeyName: aws.String("aws:TagKeys"), ContextKeyType: types.ContextKeyTypeEnumStringList, ContextKeyValues: []string{"a", "b"}}},
	}
	pages := sdk.NewSimulateCustomPolicyPaginator(client, in, func(o *sdk.SimulateCustomPolicyPaginatorOptions) { o.Limit = 1 })
	var results []types.EvaluationResult
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, out.EvaluationResults...)
	}
	if len(results) != 2 || results[1].EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny || *results[1].EvalActionName != "s3:PutObject" {
		t.Fatalf("results %+v", results)
	}
	r := results[0]
	if r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed || *r.EvalResourceName != bucket || !r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary ||
		r.EvalDecisionDetails["IAM Policy"] != types.PolicyEvaluationDecisionTypeAllowed || r.EvalDecisionDetails["Resource Policy"] != types.PolicyEvaluationDecisionTypeAllowed {
		t.Errorf("result %+v", r)
	}
	if len(r.MatchedStatements) != 2 || *r.MatchedStatements[0].SourcePolicyId != "PolicyInputList.1" ||
		*r.MatchedStatements[0].StartPosition != (types.Position{Line: 1, Column: 38}) || r.MatchedStatements[1].SourcePolicyType != "Resource Policy" {
		t.Errorf("statements %+v", r.MatchedStatements)
	}
	if len(r.ResourceSpecificResults) != 1 || *r.ResourceSpecificResults[0].EvalResourceName != bucket || len(r.ResourceSpecificResults[0].EvalDecisionDetails) != 3 {
		t.Errorf("specific results %+v", r.ResourceSpecificResults)
	}

	keys, err := client.GetContextKeysForCustomPolicy(t.Context(), &sdk.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`,
	}})
	if err != nil || len(keys.ContextKeyNames) != 1 || keys.ContextKeyNames[0] != "aws:SecureTransport" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	_, err = client.SimulatePrincipalPolicy(t.Context(), &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::123456789012:user/ghost"), ActionNames: []string{"s3:GetObject"}})
	if _, ok := errors.AsType[*types.NoSuchEntityException](err); !ok {
		t.Errorf("no user: %v", err)
	}
	in.ResourceOwner = aws.String("444455556666")
	_, err = client.SimulateCustomPolicy(t.Context(), in)
	if _, ok := errors.AsType[*types.InvalidInputException](err); !ok {
		t.Errorf("bad owner: %v", err)
	}
}
