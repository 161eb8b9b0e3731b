package registry

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// maxTags is how many tags a resource can have.
const maxTags = 50

// tagged are the types of resources that can have tags, with the query that
// looks for one by name.
var tagged = map[string]string{
	"thinggroup":   `SELECT 1 FROM iot_thing_groups WHERE account = $1 AND region = $2 AND name = $3`,
	"billinggroup": `SELECT 1 FROM iot_billing_groups WHERE account = $1 AND region = $2 AND name = $3`,
	"thingtype":    `SELECT 1 FROM iot_thing_types WHERE account = $1 AND region = $2 AND name = $3`,
	"policy":       `SELECT 1 FROM iot_policies WHERE account = $1 AND region = $2 AND name = $3`,
	"cacert":       `SELECT 1 FROM iot_ca_certificates WHERE account = $1 AND region = $2 AND id = $3`,
	"rolealias":    `SELECT 1 FROM iot_role_aliases WHERE account = $1 AND region = $2 AND name = $3`,
}

func errNoResource(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Resource %s not found", name)
}

// taggable reads the ARN of a resource that can have tags.
func (p place) taggable(name string) (resource string, err error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iot" {
		return "", iot.ErrInvalidRequestException("Invalid resource ARN: %s", name)
	}
	typ, id, ok := strings.Cut(a.Resource, "/")
	if _, known := tagged[typ]; !known || !ok || id == "" {
		return "", iot.ErrInvalidRequestException("Resource %s can not have tags", name)
	}
	if name != p.arn(a.Resource) || !utf8.ValidString(id) || strings.Contains(id, "\x00") {
		return "", errNoResource(name)
	}
	return a.Resource, nil
}

// checkNewTags refuses tags that no resource can have. That no two have one key
// was seen to by awsapi.
func checkNewTags(tags []iot.Tag) error {
	if len(tags) > maxTags {
		return iot.ErrInvalidRequestException("A resource can have at most %d tags", maxTags)
	}
	for _, t := range tags {
		if len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:") {
			return iot.ErrInvalidRequestException("Tag keys that begin with aws: are reserved: %s", t.Key)
		}
		if strings.Contains(text(t.Value), "\x00") {
			return iot.ErrInvalidRequestException("Invalid value of tag %s", t.Key)
		}
	}
	return nil
}

func insertTags(ctx context.Context, tx *db.Tx, at place, resource string, tags []iot.Tag) error {
	for _, t := range tags {
		_, err := tx.Exec(ctx, `INSERT INTO iot_tags (account, region, resource, key, value) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, region, resource, key) DO UPDATE SET value = excluded.value`,
			at.account, at.region, resource, t.Key, text(t.Value))
		if err != nil {
			return err
		}
	}
	return nil
}

func deleteTags(ctx context.Context, tx *db.Tx, at place, resource string) error {
	_, err := tx.Exec(ctx, `DELETE FROM iot_tags WHERE account = $1 AND region = $2 AND resource = $3`, at.account, at.region, resource)
	return err
}

func tags(ctx context.Context, q queryer, at place, resource string) ([]iot.Tag, error) {
	rows, err := q.Query(ctx, `SELECT key, value FROM iot_tags WHERE account = $1 AND region = $2 AND resource = $3 ORDER BY key`,
		at.account, at.region, resource)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tags := []iot.Tag{}
	for rows.Next() {
		t := iot.Tag{Value: new("")}
		if err := rows.Scan(&t.Key, t.Value); err != nil {
			return nil, err
		}
		tags = append(tags, t)
	}
	return tags, rows.Close()
}

// resourceTags are the condition keys that a resource's tags make.
func (s *Service) resourceTags(ctx context.Context, at place, resource string) (map[string][]string, error) {
	list, err := tags(ctx, s.DB, at, resource)
	if err != nil {
		return nil, fmt.Errorf("tags of %s: %w", resource, err)
	}
	values := make(map[string]string, len(list))
	for _, t := range list {
		values[t.Key] = *t.Value
	}
	return awsapi.ResourceTags(values), nil
}

// taggedOf is the resource with tags that was authorized.
func taggedOf(ctx context.Context) (string, error) {
	t, ok := awsapi.Target(ctx).(*target)
	if !ok {
		return "", errUnresolved
	}
	return t.resource, t.err
}

// checkResource refuses a resource that does not exist.
func checkResource(ctx context.Context, q queryer, at place, resource string) error {
	typ, name, _ := strings.Cut(resource, "/")
	there, err := existsRow(ctx, q, tagged[typ], at.account, at.region, name)
	if err == nil && !there {
		return errNoResource(at.arn(resource))
	}
	return err
}

// TagResource gives a resource tags, or changes their values.
func (s *Service) TagResource(ctx context.Context, in *iot.TagResourceRequest) (*iot.TagResourceResponse, error) {
	at := placeOf(ctx)
	resource, err := taggedOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkNewTags(in.Tags); err != nil {
		return nil, err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		if err := checkResource(ctx, tx, at, resource); err != nil {
			return err
		}
		if err := insertTags(ctx, tx, at, resource, in.Tags); err != nil {
			return err
		}
		all, err := tags(ctx, tx, at, resource)
		if err != nil {
			return err
		}
		if len(all) > maxTags {
			return iot.ErrLimitExceededException("A resource can have at most %d tags", maxTags)
		}
		keys := make([]string, len(all))
		for i := range all {
			keys[i] = all[i].Key
		}
		return awsapi.CheckTagKeys(keys)
	})
	if err != nil {
		return nil, fmt.Errorf("tag %s: %w", resource, err)
	}
	return &iot.TagResourceResponse{}, nil
}

// UntagResource takes tags away. Keys that the resource does not have are
// passed over.
func (s *Service) UntagResource(ctx context.Context, in *iot.UntagResourceRequest) (*iot.UntagResourceResponse, error) {
	at := placeOf(ctx)
	resource, err := taggedOf(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.TagKeys) > maxTags {
		return nil, iot.ErrInvalidRequestException("A resource can have at most %d tags", maxTags)
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		if err := checkResource(ctx, tx, at, resource); err != nil {
			return err
		}
		for _, k := range in.TagKeys {
			_, err := tx.Exec(ctx, `DELETE FROM iot_tags WHERE account = $1 AND region = $2 AND resource = $3 AND key = $4`, at.account, at.region, resource, k)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("untag %s: %w", resource, err)
	}
	return &iot.UntagResourceResponse{}, nil
}

// ListTagsForResource lists the tags of a resource by key. They always fit one
// page.
func (s *Service) ListTagsForResource(ctx context.Context, in *iot.ListTagsForResourceRequest) (*iot.ListTagsForResourceResponse, error) {
	at := placeOf(ctx)
	resource, err := taggedOf(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := cursorOf("tags", in.NextToken); err != nil {
		return nil, err
	}
	if err := checkResource(ctx, s.DB, at, resource); err != nil {
		return nil, fmt.Errorf("list tags of %s: %w", resource, err)
	}
	list, err := tags(ctx, s.DB, at, resource)
	if err != nil {
		return nil, fmt.Errorf("list tags of %s: %w", resource, err)
	}
	return &iot.ListTagsForResourceResponse{Tags: list}, nil
}
