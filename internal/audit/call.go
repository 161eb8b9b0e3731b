package audit

import (
	"regexp"

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
	}
	if r.Identity.Type == "" && o.Signature != nil && keyForm.MatchString(o.Signature.AccessKeyID) {
		r.Additional = Fields{"unverifiedAccessKeyId": o.Signature.AccessKeyID}
	}
	t.write(r)
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
