package app

import (
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/shadow"
)

// shadowLimits are AWS's, with the size that is set; accounts with the limits of
// the MQTT standards may ask as often as they like.
func (a *App) shadowLimits() func(account string) shadow.Limits {
	aws := shadow.AWS()
	aws.State = a.cfg.ShadowBytes()
	sets, err := a.cfg.MQTTLimits()
	if err != nil { // which Check has told
		return func(string) shadow.Limits { return aws }
	}
	return func(account string) shadow.Limits {
		if sets.Of(account) == config.LimitsMQTT {
			return shadow.Limits{State: aws.State}
		}
		return aws
	}
}
