package registry

import "github.com/thingd/thingd/internal/awsapi"

// loggingService is the service that a role for logs is passed to.
const loggingService = "iot.amazonaws.com"

// onLogging is for setting logging options: whoever names a role needs to be
// allowed to pass it.
func onLogging(role *string) *awsapi.Resolution {
	return &awsapi.Resolution{Checks: append([]awsapi.Check{{Resource: "*"}}, passRole(role, loggingService)...)}
}
