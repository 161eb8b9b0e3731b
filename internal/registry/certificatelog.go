package registry

import (
	"context"

	"github.com/thingd/thingd/internal/iotlog"
)

// noteCertificate writes into the log of devices what happened to a
// certificate. AWS documents no entries for it: event types are the names of the
// operations, and the certificate is the principal for which a level counts. At
// the level Error it failed.
func (s *Service) noteCertificate(ctx context.Context, at place, level iotlog.Level, id, event, details string) {
	status := iotlog.Success
	if level == iotlog.Error {
		status = iotlog.Failure
	}
	s.Devices.Write(ctx, &iotlog.Entry{
		Account: at.account, Region: at.region, Level: level, Status: status, EventType: event,
		Target: iotlog.Target{PrincipalID: id}, CertificateID: id, Details: details,
	})
}
