package registry

import "context"

// Events publishes what happens in the registry on the reserved topics of an
// account in a region ($aws/events/…).
type Events interface {
	Publish(ctx context.Context, account, region, topic string, payload []byte) error
}
