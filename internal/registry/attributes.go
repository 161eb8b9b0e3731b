package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// Limits of a thing's attributes (AWS IoT Core quotas, "Thing").
const (
	maxAttributes      = 3  // of a thing without a type
	maxTypedAttributes = 50 // of a thing with a type
	maxAttributeBytes  = 47 << 10
)

// attributes are a thing's attributes; none has an empty value.
type attributes map[string]string

func parseAttributes(document string) (attributes, error) {
	a := attributes{}
	if err := json.Unmarshal([]byte(document), &a); err != nil {
		return nil, fmt.Errorf("attributes of a thing: %w", err)
	}
	return a, nil
}

// document is how attributes are stored: equal attributes give equal documents.
func (a attributes) document() string {
	b, err := json.Marshal(a)
	if err != nil {
		panic("registry: a map of strings as JSON: " + err.Error())
	}
	return string(b)
}

// apply gives the attributes after an update: the payload's, with what a holds
// besides if it says merge. An empty value takes an attribute away.
func (a attributes) apply(p *iot.AttributePayload) attributes {
	out := attributes{}
	if p == nil || p.Attributes == nil {
		maps.Copy(out, a)
		return out
	}
	if isTrue(p.Merge) {
		maps.Copy(out, a)
	}
	maps.Copy(out, p.Attributes)
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

func (a attributes) check(typed bool) error {
	most := maxAttributes
	if typed {
		most = maxTypedAttributes
	}
	if len(a) > most {
		if typed {
			return iot.ErrInvalidRequestException("A thing with a thing type can have at most %d attributes, not %d", most, len(a))
		}
		return iot.ErrInvalidRequestException("A thing without a thing type can have at most %d attributes, not %d", most, len(a))
	}
	return a.checkSize("thing")
}

// checkSize refuses attributes of a thing or a thing group that are too long
// together.
func (a attributes) checkSize(of string) error {
	size := 0
	for k, v := range a {
		size += len(k) + len(v)
	}
	if size > maxAttributeBytes {
		return iot.ErrInvalidRequestException("The attributes of a %s can have at most %d bytes, not %d", of, maxAttributeBytes, size)
	}
	return nil
}

// insert writes the rows that ListThings searches, of a thing of a type.
func (a attributes) insert(ctx context.Context, tx *db.Tx, at place, thing string, typeName *string) error {
	for name, value := range a {
		_, err := tx.Exec(ctx, `INSERT INTO iot_thing_attributes (account, region, thing, name, value, type) VALUES ($1, $2, $3, $4, $5, $6)`,
			at.account, at.region, thing, name, value, typeName)
		if err != nil {
			return err
		}
	}
	return nil
}
