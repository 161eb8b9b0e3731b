package audit

import (
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
)

// keyForm is what an access key id looks like. Nothing else that stands in its
// place is recorded: it could be a secret.
var keyForm = regexp.MustCompile(`^A(KIA|SIA)[A-Z0-9]{12,28}$`)

// Call records a call through the gateway. It is a Gateway's Record.
func (t *Trail) Call(o awsapi.Outcome) {
	req := o.Request
	r := &record{op: req.Operation, in: o.Input, checks: o.Checks}
	r.Identity = CallerIdentity(req.Caller)
	r.Source = source(req.Service)
	r.Region, r.SourceIP, r.UserAgent, r.RequestID = req.Region, req.SourceIP, req.UserAgent, req.ID
	if o.HTTP != nil {
		r.TLS, r.Host = o.HTTP.TLS, o.HTTP.Host
	}
	r.Data = dataPlane[req.Service.Name]
	r.Name = UnknownOperation
	if r.op != nil {
		r.Name = r.op.Name
		r.ReadOnly = ReadOnly(r.Name)
		if !r.ReadOnly || issuers[r.Name] {
			r.out = o.Output
		}
	}
	if o.Error != nil {
		r.ErrorCode, r.ErrorMessage = o.Error.Code, o.Error.Message
	}
	if issuers[r.Name] && o.Input != nil {
		r.assumes(&o)
	} else {
		r.concerns(&o)
	}
	if r.Identity.Type == "" && o.Signature != nil && keyForm.MatchString(o.Signature.AccessKeyID) {
		r.Additional = Fields{"unverifiedAccessKeyId": o.Signature.AccessKeyID}
	}
	owner := r.otherOwner()
	if owner != "" {
		r.shared = uuid.NewString()
	}
	t.write(r)
	if owner != "" {
		t.write(r.to(owner))
	}
}

// otherOwner is the account of a role that was assumed from another account.
func (r *record) otherOwner() string {
	if r.Name != "AssumeRole" || r.out == nil || len(r.Resources) == 0 || r.Identity.Type == "" {
		return ""
	}
	if account, _ := describe(r.Resources[0]); account != r.Identity.Account {
		return account
	}
	return ""
}

// to is the record for the account whose resource another one's principal used.
// It says no more of who that was than the unique id (IAM user guide, "Logging
// IAM and AWS STS API calls with AWS CloudTrail").
func (r *record) to(owner string) *record {
	theirs := *r
	theirs.Account = owner
	theirs.Identity = Identity{Type: AWSAccount, PrincipalID: r.Identity.PrincipalID, Account: r.Identity.Account}
	return &theirs
}

// made are the members of answers that have the ARN of what was made, of
// operations that are authorized on something else.
var made = map[string]string{
	"CreateKeysAndCertificate": "CertificateArn", "CreateCertificateFromCsr": "CertificateArn", "RegisterCertificate": "CertificateArn",
	"RegisterCertificateWithoutCA": "CertificateArn", "RegisterCACertificate": "CertificateArn", "CreateDeviceKit": "CertificateArn",
	"CreateStream": "StreamARN",
}

// concerns adds what the call made, and what it names without being authorized
// on it.
func (r *record) concerns(o *awsapi.Outcome) {
	if member := made[r.Name]; member != "" && r.out != nil {
		if name := awsapi.Member(r.out, member); name != "" {
			r.Resources = append(r.Resources, name)
		}
	}
	if (r.Name == "AttachPolicy" || r.Name == "DetachPolicy") && o.Request.Service.Name == "iot" && o.Input != nil && r.Identity.Account != "" {
		r.Resources = append(r.Resources, "arn:aws:iot:"+r.Region+":"+r.Identity.Account+":policy/"+awsapi.Member(o.Input, "PolicyName"))
	}
}

// madeAs says whether an ARN stands for a stream that was not there yet, which
// has the time of its creation in its ARN.
func (r *record) madeAs(name string) bool {
	return r.Name == "CreateStream" && len(r.Resources) > 0 && strings.HasSuffix(name, "/0")
}

// assumes adds what STS's operations do not leave to the gateway to know: the
// role, and who a web identity was found to be.
func (r *record) assumes(o *awsapi.Outcome) {
	role := awsapi.Member(o.Input, "RoleArn")
	if a, err := arn.Parse(role); err == nil {
		r.Resources = []string{role}
		if r.Identity.Type == "" {
			r.Account = a.Account
		}
	}
	if o.Output == nil || r.Identity.Type != "" {
		return
	}
	provider, subject := awsapi.Member(o.Output, "Provider"), awsapi.Member(o.Output, "SubjectFromWebIdentityToken")
	if subject != "" {
		r.Identity = Identity{
			Type: WebIdentity, PrincipalID: provider + ":" + awsapi.Member(o.Output, "Audience") + ":" + subject,
			UserName: subject, IdentityProvider: provider,
		}
	}
}

func source(s *awsapi.Service) string {
	if known, ok := sources[s.Name]; ok {
		return known
	}
	return s.SigningName + ".amazonaws.com"
}
