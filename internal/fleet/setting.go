package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/fleet/model"
)

// value is what was given for a setting of a model.
type value struct {
	Value string `json:"value"`
	// Secret says that it was given for a secret setting. It stays so, lest a
	// model that calls it none has it shown.
	Secret bool `json:"secret,omitempty"`
}

// values are those of a test, by the names of settings.
type values map[string]value

func (s *Service) sealValues(v values) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.Seal.Seal(sealSettings, b), nil
}

func (s *Service) openValues(sealed []byte) (values, error) {
	b, err := s.Seal.Open(sealSettings, sealed)
	if err != nil {
		return nil, err
	}
	v := values{}
	return v, json.Unmarshal(b, &v)
}

// maxSettingBytes bounds the values of one test.
const maxSettingBytes = 256 << 10

// give puts what a request gives for the settings of a model into v.
func (v values) give(m *model.Model, given map[string]string) error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := slices.IndexFunc(m.Settings, func(d model.Setting) bool { return d.Name == name })
		if at < 0 {
			return fleet.ErrInvalidRequestException("The model %s has no setting %s", m.Name, name)
		}
		v[name] = value{Value: given[name], Secret: m.Settings[at].Secret}
	}
	for _, w := range v {
		size += len(w.Value)
	}
	if size > maxSettingBytes {
		return fleet.ErrInvalidRequestException("The settings have %d bytes together, more than %d", size, maxSettingBytes)
	}
	return nil
}

// open are the values that may be shown, and the names of those that may not:
// a secret is not given back by anybody's calling it something else.
func (v values) open(m *model.Model) (open map[string]string, secret []string) {
	open, secret = map[string]string{}, []string{}
	known := map[string]model.Setting{}
	for _, d := range m.Settings {
		known[d.Name] = d
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if d, ok := known[name]; ok && !d.Secret && !v[name].Secret {
			open[name] = v[name].Value
		} else {
			secret = append(secret, name)
		}
	}
	return open, secret
}

// effective are the values that a run has: those given, and the defaults of
// the others. A setting that needs a value and has none is an error. secrets
// are those that are not to be shown.
func (v values) effective(m *model.Model) (all map[string]string, secrets []string, err error) {
	all = map[string]string{}
	for _, d := range m.Settings {
		w, given := v[d.Name]
		if !given {
			w.Value = d.Default
		}
		if d.Required && w.Value == "" {
			return nil, nil, fleet.ErrInvalidRequestException("The setting %s of the model %s has no value", d.Name, m.Name)
		}
		all[d.Name] = w.Value
		if (d.Secret || w.Secret) && w.Value != "" {
			secrets = append(secrets, w.Value)
		}
	}
	return all, secrets, nil
}

// parseModel reads a model's document as it comes in a request.
func parseModel(document string) (*model.Model, error) {
	m, err := model.Parse([]byte(document))
	if err != nil {
		return nil, fleet.ErrInvalidRequestException("modelDocument: %s", clip(err.Error()))
	}
	return m, nil
}

// clip bounds what of a request comes back in a message.
func clip(s string) string {
	const most = 2000
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%.*s…", most, s)
}
