package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// What may limit and describe a session, whichever operation makes it (IAM
// User Guide, "IAM and AWS STS quotas").
const (
	maxSessionPolicy = 2048 // characters of the policy and the ARNs
	maxSessionARNs   = 10
	maxSessionTags   = 50
)

// limit puts the policies that are to limit a session into its claims. They
// are of the session's own account.
func (s *Service) limit(ctx context.Context, c *claims, document *string, arns []sts.PolicyDescriptorType) error {
	size := 0
	if document != nil {
		if _, err := policy.Parse(policy.Session, *document); err != nil {
			return sts.ErrMalformedPolicyDocumentException("%s", malformed(err))
		}
		c.Policy = *document
		size += policy.Size(c.Policy)
	}
	if len(arns) > maxSessionARNs {
		return errTooMany("policyArns", maxSessionARNs)
	}
	for _, d := range arns {
		p := or(d.Arn, "")
		m, err := s.managedByARN(ctx, s.DB, c.Account, p)
		if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
			return sts.ErrMalformedPolicyDocumentException("Policy %s does not exist or is not attachable.", p)
		}
		if err != nil {
			return fmt.Errorf("find session policy %s: %w", p, err)
		}
		ref := m.id
		if m.ofAWS() {
			ref = m.arn
		}
		c.PolicyRefs = append(c.PolicyRefs, ref)
		size += utf8.RuneCountInString(p)
	}
	if size > maxSessionPolicy {
		return errPacked(int64(100 * size / maxSessionPolicy))
	}
	return nil
}

// describe puts session tags into a session's claims: those given, and those
// of the calling session that are transitive; calling is nil where there is
// none (IAM User Guide, "Pass session tags in AWS STS").
func (c *claims) describe(tags []sts.Tag, transitive []string, calling *claims) error {
	if len(tags) > maxSessionTags {
		return errTooMany("tags", maxSessionTags)
	}
	given := map[string]string{} // as spelled
	for _, t := range tags {
		k := nameKey(t.Key)
		if _, twice := given[k]; twice {
			return errTagParameter(msgDuplicateTags)
		}
		if strings.HasPrefix(k, "aws:") {
			return errTagParameter("aws: prefixed tag key names are not allowed for external use.")
		}
		given[k] = t.Key
		c.Tags = append(c.Tags, [2]string{t.Key, t.Value})
	}
	for _, key := range transitive {
		key, ok := given[nameKey(key)]
		if !ok {
			return errTagParameter("The specified transitive tag key must be included in the requested tags.")
		}
		if !slices.Contains(c.Transitive, key) {
			c.Transitive = append(c.Transitive, key)
		}
	}
	if calling == nil {
		return nil
	}
	for _, key := range calling.Transitive {
		if _, ok := given[nameKey(key)]; ok {
			return errTagParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		i := slices.IndexFunc(calling.Tags, func(t [2]string) bool { return nameKey(t[0]) == nameKey(key) })
		if i >= 0 {
			c.Tags = append(c.Tags, calling.Tags[i])
			c.Transitive = append(c.Transitive, key)
		}
	}
	return nil
}

// limited reports whether session policies were passed, found or not.
func (c *claims) limited() bool { return c.Policy != "" || len(c.PolicyRefs) > 0 }

// errTooMany is the validation error of a list that the API model does not
// limit.
func errTooMany(member string, most int) error {
	return errValidation("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", member, most)
}

func errPacked(percent int64) error {
	return sts.ErrPackedPolicyTooLargeException("Packed size of session tags & policies consumes %d%% of allotted space.", max(percent, 101))
}

func errTagParameter(text string) error {
	return awsapi.Errorf("InvalidParameterValue", 400, "message", "%s", text)
}
