package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
)

// answers are the errors that the tests of this package were answered with:
// together they have to be all that AWS documents of what the registry serves.
type answers struct {
	mu   sync.Mutex
	seen map[string]bool // operation and code
}

var answered = &answers{seen: map[string]bool{}}

func (a *answers) note(o awsapi.Outcome) {
	if o.Error == nil || o.Request.Operation == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[o.Request.Operation.Name+" "+o.Error.Code] = true
}

// elsewhere are errors that come from what is around the registry and have
// their tests there, or that stand for states in which thingd never is.
var elsewhere = []string{
	"ThrottlingException",         // nothing is throttled
	"ServiceUnavailableException", // a server that is not there answers nothing
	"InternalFailureException",    // awsapi: faults of ours
	"InternalException",
	"UnauthorizedException", // awsapi, app: who is refused gets AccessDeniedException, as on AWS
}

// never are documented errors that cannot come, and why.
var never = map[string]string{
	"DeleteThing ResourceNotFoundException":                  "deleting a thing that is not there succeeds, as AWS's documentation says",
	"DeleteRoleAlias DeleteConflictException":                "nothing keeps a role alias",
	"CreateRoleAlias LimitExceededException":                 "there is no quota of role aliases",
	"DetachPolicy LimitExceededException":                    "nothing grows",
	"GetEffectivePolicies LimitExceededException":            "nothing grows",
	"ListAttachedPolicies LimitExceededException":            "nothing grows",
	"ListTargetsForPolicy LimitExceededException":            "nothing grows",
	"GetLoggingOptions InvalidRequestException":              "the request has no members",
	"GetRegistrationCode InvalidRequestException":            "the request has no members",
	"ListBillingGroups ResourceNotFoundException":            "the request names nothing",
	"RegisterCertificateWithoutCA CertificateStateException": "there is no CA whose state could be wrong",
	"SetV2LoggingLevel LimitExceededException":               "there is no quota of levels",
}

// check says which documented errors no test was answered with. It asks
// nothing of a run of some tests only.
func (a *answers) check() int {
	if f := flag.Lookup("test.run"); f != nil && f.Value.String() != "" || flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.list").Value.String() != "" {
		return 0
	}
	var missing []string
	for _, op := range iot.Service.Operations {
		if op.Bind(&Service{}) == nil {
			continue
		}
		for _, code := range op.Errors {
			pair := op.Name + " " + code
			if !a.seen[pair] && !slices.Contains(elsewhere, code) && never[pair] == "" {
				missing = append(missing, pair)
			}
			if a.seen[pair] && never[pair] != "" {
				missing = append(missing, pair+" came after all")
			}
		}
	}
	if missing == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "documented errors that no test was answered with:\n%s\n", strings.Join(missing, "\n"))
	return 1
}

// raw sends a request as it is and gives the status, the code and the message
// of its answer. A header is written as "name: value" behind the path.
func (w *world) raw(t testing.TB, method, path, header, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if name, value, ok := strings.Cut(header, ": "); ok {
		req.Header.Set(name, value)
	}
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIA" + account, SecretAccessKey: "secret"}, req, hex.EncodeToString(sum[:]), "iot", region, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Message string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	code, _, _ := strings.Cut(resp.Header.Get("X-Amzn-ErrorType"), ":")
	return fmt.Sprintf("%d %s: %s", resp.StatusCode, code, answer.Message)
}

// TestDocumentedErrors is what the other tests leave of AWS's documented
// errors: mostly names that none of the kind can have.
func TestDocumentedErrors(t *testing.T) {
	const invalid, gone = "400 InvalidRequestException: ", "404 ResourceNotFoundException: "
	long, id := strings.Repeat("a", 129), strings.Repeat("0", 64)
	tooLong := func(member string) string {
		return invalid + "1 validation error detected: Value '" + long + "' at '" + member + "' failed to satisfy constraint: Member must have length less than or equal to 128"
	}
	each(t, func(t *testing.T, w *world) {
		w.thing("there")
		for _, c := range []struct{ operation, request, header, body, want string }{
			{"AddThingToBillingGroup", "PUT /billing-groups/addThingToBillingGroup", "", `{}`, invalid + "The name or the ARN of the billinggroup must be given"},
			{"CreateBillingGroup", "POST /billing-groups/" + long, "", `{}`, tooLong("billingGroupName")},
			{"CreateKeysAndCertificate", "POST /keys-and-certificate?setAsActive=perhaps", "", ``, invalid + `"perhaps" is not a boolean value for setAsActive.`},
			{"CreatePolicyVersion", "POST /policies/p/version", "", `{}`, invalid + "1 validation error detected: Value null at 'policyDocument' failed to satisfy constraint: Member must not be null"},
			{"DeleteBillingGroup", "DELETE /billing-groups/" + long, "", ``, tooLong("billingGroupName")},
			{"DeleteCACertificate", "DELETE /cacertificate/short", "", ``, invalid + "2 validation errors detected: Value 'short' at 'certificateId' failed to satisfy constraint: Member must have length greater than or equal to 64; Value 'short' at 'certificateId' failed to satisfy constraint: Member must satisfy regular expression pattern: (0x)?[a-fA-F0-9]+"},
			{"DeleteCertificate", "DELETE /certificates/short", "", ``, invalid + "2 validation errors detected: Value 'short' at 'certificateId' failed to satisfy constraint: Member must have length greater than or equal to 64; Value 'short' at 'certificateId' failed to satisfy constraint: Member must satisfy regular expression pattern: (0x)?[a-fA-F0-9]+"},
			{"DeletePolicy", "DELETE /policies/" + long, "", ``, tooLong("policyName")},
			{"DeletePolicyVersion", "DELETE /policies/p/version/first", "", ``, invalid + "1 validation error detected: Value 'first' at 'policyVersionId' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9]+"},
			{"DeleteRoleAlias", "DELETE /role-aliases/" + long, "", ``, tooLong("roleAlias")},
			{"DeprecateThingType", "POST /thing-types/" + long + "/deprecate", "", `{}`, tooLong("thingTypeName")},
			{"DescribeBillingGroup", "GET /billing-groups/" + long, "", ``, tooLong("billingGroupName")},
			{"DescribeCACertificate", "GET /cacertificate/short", "", ``, invalid + "2 validation errors detected: Value 'short' at 'certificateId' failed to satisfy constraint: Member must have length greater than or equal to 64; Value 'short' at 'certificateId' failed to satisfy constraint: Member must satisfy regular expression pattern: (0x)?[a-fA-F0-9]+"},
			{"DescribeCertificate", "GET /certificates/short", "", ``, invalid + "2 validation errors detected: Value 'short' at 'certificateId' failed to satisfy constraint: Member must have length greater than or equal to 64; Value 'short' at 'certificateId' failed to satisfy constraint: Member must satisfy regular expression pattern: (0x)?[a-fA-F0-9]+"},
			{"DescribeRoleAlias", "GET /role-aliases/" + long, "", ``, tooLong("roleAlias")},
			{"DescribeThing", "GET /things/" + long, "", ``, tooLong("thingName")},
			{"DescribeThingGroup", "GET /thing-groups/" + long, "", ``, tooLong("thingGroupName")},
			{"DescribeThingType", "GET /thing-types/" + long, "", ``, tooLong("thingTypeName")},
			{"DetachThingPrincipal", "DELETE /things/there/principals", "X-Amzn-Principal: nobody", ``, invalid + "Invalid Target"},
			{"GetPolicy", "GET /policies/" + long, "", ``, tooLong("policyName")},
			{"GetPolicyVersion", "GET /policies/p/version/first", "", ``, invalid + "1 validation error detected: Value 'first' at 'policyVersionId' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9]+"},
			{"ListBillingGroups", "GET /billing-groups?maxResults=251", "", ``, invalid + "1 validation error detected: Value '251' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 250"},
			{"ListCertificates", "GET /certificates?pageSize=251", "", ``, invalid + "1 validation error detected: Value '251' at 'pageSize' failed to satisfy constraint: Member must have value less than or equal to 250"},
			{"ListPolicyPrincipals", "GET /policy-principals", "", ``, invalid + "1 validation error detected: Value null at 'policyName' failed to satisfy constraint: Member must not be null"},
			{"ListPolicyPrincipals", "GET /policy-principals", "X-Amzn-Iot-Policy: none", ``, gone + "Policy not found (name=none)"},
			{"ListPolicyVersions", "GET /policies/" + long + "/version", "", ``, tooLong("policyName")},
			{"ListPrincipalPolicies", "GET /principal-policies", "", ``, invalid + "1 validation error detected: Value null at 'principal' failed to satisfy constraint: Member must not be null"},
			{"ListPrincipalPolicies", "GET /principal-policies", "X-Amzn-Iot-Principal: arn:aws:iot:us-east-1:123456789012:cert/" + id, ``, gone + "The certificate given in the principal does not exist."},
			{"ListPrincipalThings", "GET /principals/things", "", ``, invalid + "1 validation error detected: Value null at 'principal' failed to satisfy constraint: Member must not be null"},
			{"ListPrincipalThingsV2", "GET /principals/things-v2", "", ``, invalid + "1 validation error detected: Value null at 'principal' failed to satisfy constraint: Member must not be null"},
			{"ListRoleAliases", "GET /role-aliases?pageSize=0", "", ``, invalid + "1 validation error detected: Value '0' at 'pageSize' failed to satisfy constraint: Member must have value greater than or equal to 1"},
			{"ListTargetsForPolicy", "POST /policy-targets/" + long, "", ``, tooLong("policyName")},
			{"ListThingGroups", "GET /thing-groups?maxResults=0", "", ``, invalid + "1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
			{"ListThingGroupsForThing", "GET /things/" + long + "/thing-groups", "", ``, tooLong("thingName")},
			{"ListThingGroupsForThing", "GET /things/none/thing-groups", "", ``, gone + "Thing none not found"},
			{"ListThingPrincipals", "GET /things/" + long + "/principals", "", ``, tooLong("thingName")},
			{"ListThingTypes", "GET /thing-types?maxResults=0", "", ``, invalid + "1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
			{"ListThingsInBillingGroup", "GET /billing-groups/" + long + "/things", "", ``, tooLong("billingGroupName")},
			{"ListThingsInThingGroup", "GET /thing-groups/" + long + "/things", "", ``, tooLong("thingGroupName")},
			{"RemoveThingFromBillingGroup", "PUT /billing-groups/removeThingFromBillingGroup", "", `{"billingGroupName":"none"}`, invalid + "The name or the ARN of the thing must be given"},
			{"RemoveThingFromBillingGroup", "PUT /billing-groups/removeThingFromBillingGroup", "", `{"billingGroupName":"none","thingName":"there"}`, gone + "Billing group none not found"},
			{"RemoveThingFromThingGroup", "PUT /thing-groups/removeThingFromThingGroup", "", `{"thingName":"there"}`, invalid + "The name or the ARN of the thinggroup must be given"},
			{"RemoveThingFromThingGroup", "PUT /thing-groups/removeThingFromThingGroup", "", `{"thingGroupName":"none","thingName":"there"}`, gone + "Thing group none does not exist"},
			{"SetDefaultPolicyVersion", "PATCH /policies/p/version/first", "", ``, invalid + "1 validation error detected: Value 'first' at 'policyVersionId' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9]+"},
			{"UpdateBillingGroup", "PATCH /billing-groups/" + long, "", `{"billingGroupProperties":{}}`, tooLong("billingGroupName")},
			{"UpdateRoleAlias", "PUT /role-aliases/a", "", `{"credentialDurationSeconds":1}`, invalid + "1 validation error detected: Value '1' at 'credentialDurationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
			{"UpdateThingGroup", "PATCH /thing-groups/" + long, "", `{"thingGroupProperties":{}}`, tooLong("thingGroupName")},
			{"UpdateThingGroupsForThing", "PUT /thing-groups/updateThingGroupsForThing", "", `{}`, invalid + "The name of the thing must be given"},
			{"RegisterCertificateWithoutCA", "POST /certificate/register-no-ca", "", `{"certificatePem":"x","status":"REVOKED"}`, "400 CertificateValidationException: Invalid certificate: it is not in PEM format"},
		} {
			method, path, _ := strings.Cut(c.request, " ")
			if got := w.raw(t, method, path, c.header, c.body); got != c.want {
				t.Errorf("%s: got\n%s\nwant\n%s", c.operation, got, c.want)
			}
		}
	})
}
