package registry

import (
	"encoding/json"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
)

// provisioner is the service that the roles of registration configurations are
// passed to.
const provisioner = "iot.amazonaws.com"

// onCA is what is to be allowed to somebody who sets a CA's registration
// configuration: whoever names a role needs to be allowed to pass it.
func onCA(resource string, config *iot.RegistrationConfig, tags map[string][]string) *awsapi.Resolution {
	var role *string
	if config != nil {
		role = config.RoleArn
	}
	return &awsapi.Resolution{Checks: append([]awsapi.Check{{Resource: resource, Keys: tags}}, passRole(role, provisioner)...)}
}

// checkRegistrationConfig refuses a configuration that says how to provision
// devices in no possible way. Templates by name there are none.
func (p place) checkRegistrationConfig(c *iot.RegistrationConfig) error {
	if c == nil {
		return nil
	}
	if c.RoleArn != nil {
		if err := p.checkRole(*c.RoleArn); err != nil {
			return err
		}
	}
	if c.TemplateName != nil {
		if c.TemplateBody != nil {
			return iot.ErrInvalidRequestException("registrationConfig can have either templateBody or templateName")
		}
		return iot.ErrResourceNotFoundException("Provisioning template %s not found", *c.TemplateName)
	}
	if c.TemplateBody == nil {
		return nil
	}
	if c.RoleArn == nil {
		return iot.ErrInvalidRequestException("registrationConfig needs a roleArn beside its templateBody")
	}
	var template map[string]json.RawMessage
	if json.Unmarshal([]byte(*c.TemplateBody), &template) != nil || template == nil {
		return iot.ErrInvalidRequestException("The templateBody of registrationConfig is not a JSON object")
	}
	return nil
}

// registrationConfigText is how a configuration is stored: empty if it says
// nothing.
func registrationConfigText(c *iot.RegistrationConfig) (string, error) {
	if c == nil || *c == (iot.RegistrationConfig{}) {
		return "", nil
	}
	text, err := json.Marshal(c)
	return string(text), err
}

func readRegistrationConfig(text string) (*iot.RegistrationConfig, error) {
	if text == "" {
		return nil, nil
	}
	c := &iot.RegistrationConfig{}
	if err := json.Unmarshal([]byte(text), c); err != nil {
		return nil, fmt.Errorf("registration configuration: %w", err)
	}
	return c, nil
}
