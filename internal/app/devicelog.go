package app

import (
	"net/netip"

	"github.com/thingd/thingd/internal/credentials"
	"github.com/thingd/thingd/internal/iotlog"
)

// log writes a request for credentials into the log of devices. AWS documents
// no entry for it: its event type is the action that policies know.
func (i issuing) log(o credentials.Outcome) {
	e := &iotlog.Entry{
		Account: o.Certificate.Account, Region: o.Certificate.Region, Level: iotlog.Info, TraceID: o.RequestID,
		Status: iotlog.Success, EventType: "AssumeRoleWithCertificate", Protocol: "HTTP",
		Target: iotlog.Target{PrincipalID: o.Certificate.ID}, ThingName: o.Thing, RoleAlias: o.Alias,
	}
	if addr, err := netip.ParseAddrPort(o.HTTP.RemoteAddr); err == nil {
		e.SourceIP, e.SourcePort = addr.Addr().Unmap().WithZone("").String(), int(addr.Port())
	}
	if o.ErrorType != "" {
		e.Level, e.Status, e.Reason, e.Details = iotlog.Error, iotlog.Failure, o.ErrorType, o.Message
		if o.Reason != "" {
			e.Details += ": " + o.Reason
		}
	}
	ctx := o.HTTP.Context()
	if o.Thing != "" {
		// Levels of thing groups count for a thing that the certificate stands
		// for under its name. A fault of the lookup is told by that of the levels.
		d, ok, err := i.registry.Device(ctx, e.Account, e.Region, o.Certificate.ID, o.Thing)
		if err == nil && ok && d.Thing == o.Thing {
			e.Groups = d.Groups
		}
	}
	i.devices.Write(ctx, e)
}
