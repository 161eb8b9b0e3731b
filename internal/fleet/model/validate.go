package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Validate tells all faults of a model at once.
func (m *Model) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if m.Name == "" {
		fault("name: is missing")
	}
	for _, name := range m.Sequence {
		if _, ok := m.Stages[name]; !ok {
			fault("sequence: there is no stage %q", name)
		}
	}
	return errors.Join(faults...)
}

// strict decodes one JSON value and nothing else.
func strict(document []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands after the document")
	}
	return nil
}
