package identity

import (
	"crypto/sha256"
	_ "embed" // the documents
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/arn"
)

// awsManaged are the AWS managed policies that thingd has: those of its own
// services as AWS publishes them, and the large general ones (ReadOnlyAccess,
// SecurityAudit, ViewOnlyAccess) cut down to what thingd serves.
//
//go:embed awsmanaged/policies.json
var awsManaged []byte

// awsAccount stands where AWS's managed policies have an account.
const awsAccount = "aws"

// catalog is the AWS managed policies, by name and by ARN.
type catalog struct {
	list  []*managed
	byARN map[string]*managed
}

// aws returns the catalog, which it reads at the first call. The catalog is
// part of the program: one that cannot be read is a programmer's mistake.
func (s *Service) aws() *catalog {
	s.catalogOnce.Do(func() {
		c, err := readCatalog(awsManaged)
		if err != nil {
			panic("identity: " + err.Error())
		}
		s.catalog = c
	})
	return s.catalog
}

// managedByAWS finds an AWS managed policy, nil if the ARN is of none.
func (s *Service) managedByAWS(a string) *managed { return s.aws().byARN[a] }

func readCatalog(data []byte) (*catalog, error) {
	var entries []struct {
		Name, Path, Description string
		Version                 int64
		Created, Updated        time.Time
		Document                json.RawMessage
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("read AWS managed policies: %w", err)
	}
	c := &catalog{byARN: make(map[string]*managed, len(entries))}
	for _, e := range entries {
		m := &managed{
			account: awsAccount, name: e.Name, path: e.Path, arn: arn.New("iam", "", awsAccount, "policy"+e.Path+e.Name),
			description: &e.Description, defaultVersion: e.Version, created: e.Created, updated: e.Updated,
			document: string(e.Document),
		}
		sum := sha256.Sum256([]byte(m.arn))
		m.id = prefixPolicy + "I" + base32.StdEncoding.EncodeToString(sum[:10])
		c.list = append(c.list, m)
		c.byARN[m.arn] = m
	}
	slices.SortFunc(c.list, func(a, b *managed) int { return strings.Compare(nameKey(a.name), nameKey(b.name)) })
	return c, nil
}
