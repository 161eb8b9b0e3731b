package app

import (
	"context"
	"fmt"
	"regexp"

	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/credentials"
	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/registry"
	"github.com/thingd/thingd/internal/server"
)

// openAudit begins the audit trail, unless it is turned off.
func (a *App) openAudit(context.Context) error {
	if a.cfg.Audit == config.Off {
		return nil
	}
	size, keep := a.cfg.AuditLimits()
	trail, err := audit.Open(a.cfg.DataFile(config.AuditDir), audit.Options{
		Size: size, Keep: keep, Region: a.cfg.Region, Now: a.now, Log: a.logger("audit"), Registerer: a.metrics,
	})
	if err != nil {
		return fmt.Errorf("open the audit trail: %w", err)
	}
	a.audit = trail
	a.onClose(trail.Close)
	return nil
}

// edge records the calls that the router refuses by itself.
type edge struct {
	trail *audit.Trail
	known map[string]bool // "iam:ListUsers", of the Query services
}

func newEdge(trail *audit.Trail, apis []*awsapi.API) edge {
	e := edge{trail, map[string]bool{}}
	for _, a := range apis {
		for _, op := range a.Operations {
			if a.Protocol == awsapi.Query {
				e.known[a.SigningName+":"+op.Name] = true
			}
		}
	}
	return e
}

// serviceForm is what a signing name looks like. Nothing else that stands in
// its place is recorded.
var serviceForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,40}$`)

func (e edge) record(r server.Refusal) {
	service, name := "unknown", audit.UnknownOperation
	if serviceForm.MatchString(r.Service) {
		service = r.Service
	}
	if e.known[service+":"+r.Action] {
		name = r.Action
	}
	e.trail.Record(audit.Event{
		Source: service + ".amazonaws.com", Name: name, RequestID: r.ID, ReadOnly: audit.ReadOnly(name),
		SourceIP: awsapi.SourceIP(r.HTTP), UserAgent: r.HTTP.UserAgent(), TLS: r.HTTP.TLS, Host: r.HTTP.Host,
		ErrorCode: r.Code, ErrorMessage: r.Message,
	})
}

// issuing records what the credentials provider answers.
type issuing struct {
	trail    *audit.Trail // nil: off
	devices  *iotlog.Log
	registry *registry.Service
}

func (i issuing) record(o credentials.Outcome) {
	if i.trail != nil {
		i.audit(o)
	}
	if o.Certificate != nil { // else it is no account's
		i.log(o)
	}
}

// audit tells of a certificate that is registered as who called, though it is
// the service that assumes the role; one that is not is nobody.
func (i issuing) audit(o credentials.Outcome) {
	e := audit.Event{
		Source: "iot.amazonaws.com", Name: "AssumeRoleWithCertificate", ReadOnly: true, RequestID: o.RequestID,
		SourceIP: awsapi.SourceIP(o.HTTP), UserAgent: o.HTTP.UserAgent(), TLS: o.HTTP.TLS, Host: o.HTTP.Host,
		ErrorCode: o.ErrorType, ErrorMessage: o.Message,
		Request: audit.Fields{"roleAlias": o.Alias}, Additional: audit.Fields{},
	}
	if o.Thing != "" {
		e.Request["thingName"] = o.Thing
	}
	if o.CertificateID != "" {
		e.Additional["certificateId"] = o.CertificateID
	}
	if o.Reason != "" {
		e.Additional["reason"] = o.Reason
	}
	if o.Certificate != nil {
		e.Region = o.Certificate.Region
		e.Identity = audit.Identity{
			Type: audit.AWSService, InvokedBy: credentials.ServiceName,
			PrincipalID: o.Certificate.ID, ARN: o.Certificate.ARN, Account: o.Certificate.Account,
		}
	}
	for _, name := range []string{o.AliasARN, o.RoleARN} {
		if name != "" {
			e.Resources = append(e.Resources, name)
		}
	}
	if c := o.Credentials; c != nil {
		e.Response = audit.Fields{"credentials": audit.Fields{
			"accessKeyId": c.AccessKeyID, "expiration": audit.Time(c.Expiration), "sessionToken": c.SessionToken,
		}}
	}
	i.trail.Record(e)
}
