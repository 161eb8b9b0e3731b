package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/db"
)

// reader runs queries: *db.DB and *db.Tx do.
type reader interface {
	QueryRow(ctx context.Context, query string, args ...any) *db.Row
	Query(ctx context.Context, query string, args ...any) (*db.Rows, error)
}

// kind is what sort of entity a row is. It is the first part of its ARN's
// resource and the word for it in messages.
type kind string

const (
	kindUser  kind = "user"
	kindGroup kind = "group"
	kindRole  kind = "role"
	kindRoot  kind = "root" // the root user of an account: no row, no policies

	kindProfile kind = "instance-profile" // has a name and tags, but no policies
)

// kindRules is what differs between the kinds in operations they share.
type kindRules struct {
	table       string
	quotaName   string // as in PoliciesPerUser
	maxEntities int
	maxInline   int  // characters of all inline policies together
	bounded     bool // it can have a permissions boundary
}

func (k kind) rules() kindRules {
	switch k {
	case kindGroup:
		return kindRules{table: "iam_groups", quotaName: "Group", maxEntities: 300, maxInline: 5120}
	case kindProfile:
		return kindRules{table: "iam_instance_profiles", quotaName: "InstanceProfile", maxEntities: 1000}
	case kindRole:
		return kindRules{table: "iam_roles", quotaName: "Role", maxEntities: 1000, maxInline: 10240, bounded: true}
	}
	return kindRules{table: "iam_users", quotaName: "User", maxEntities: 5000, maxInline: 2048, bounded: true}
}

// columns are those that scanEntity reads.
func (k kind) columns() string {
	switch k {
	case kindUser:
		return `id, name, path, COALESCE(boundary, ''), created,
			(SELECT last_used FROM iam_login_profiles l WHERE l.account = iam_users.account AND l.user_id = iam_users.id)`
	case kindRole:
		return `id, name, path, COALESCE(boundary, ''), created, CAST(NULL AS BIGINT)`
	}
	return `id, name, path, '', created, CAST(NULL AS BIGINT)`
}

// Quotas that the kinds share (IAM User Guide, "IAM and AWS STS quotas").
const (
	maxAttached = 10
	maxTags     = 50
	maxKeys     = 2
	maxGroups   = 10 // of a user
)

// entity is what users, groups and roles have in common: they own policies;
// users and roles also tags and a permissions boundary.
type entity struct {
	kind     kind
	account  string
	id       string
	name     string
	path     string
	boundary string // ARN of a managed policy, or empty
	created  time.Time

	passwordUsed *time.Time // users only: when somebody last signed in with it
}

// rootEntity is the root user of an account.
func rootEntity(account string) *entity {
	return &entity{kind: kindRoot, account: account, id: account}
}

func (e *entity) arn() string {
	if e.kind == kindRoot {
		return arn.New("iam", "", e.account, "root")
	}
	return entityARN(e.account, e.kind, e.path, e.name)
}

func entityARN(account string, k kind, path, name string) string {
	return arn.New("iam", "", account, string(k)+path+name)
}

// errNoEntity is AWS's answer for a name that nobody has.
func errNoEntity(k kind, name string) error {
	if k == kindProfile {
		return iam.ErrNoSuchEntityException("Instance Profile %s cannot be found.", name)
	}
	return iam.ErrNoSuchEntityException("The %s with name %s cannot be found.", k, name)
}

// attached is the wire form of a boundary, nil for none.
func (e *entity) attachedBoundary() *iam.AttachedPermissionsBoundary {
	if e.boundary == "" {
		return nil
	}
	return &iam.AttachedPermissionsBoundary{
		PermissionsBoundaryArn: new(e.boundary), PermissionsBoundaryType: new("PermissionsBoundaryPolicy"),
	}
}

// nameKey is a name or a tag's key as uniqueness sees it: no case, of the letters
// of which policies see none either. Others that lower to these (the Kelvin sign
// to k) would be a tag's other name, of which a policy that guards it knows
// nothing.
func nameKey(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// entityByName finds a user, group or role by its name, ignoring case.
// db.ErrNotFound when there is none.
func entityByName(ctx context.Context, r reader, account string, k kind, name string) (*entity, error) {
	return scanEntity(account, k, r.QueryRow(ctx,
		`SELECT `+k.columns()+` FROM `+k.rules().table+` WHERE account = $1 AND name_key = $2`,
		account, nameKey(name)).Scan)
}

// entityByID finds a user, group or role by its unique id. db.ErrNotFound when
// there is none.
func entityByID(ctx context.Context, r reader, account string, k kind, id string) (*entity, error) {
	return scanEntity(account, k, r.QueryRow(ctx,
		`SELECT `+k.columns()+` FROM `+k.rules().table+` WHERE account = $1 AND id = $2`,
		account, id).Scan)
}

func scanEntity(account string, k kind, scan func(...any) error) (*entity, error) {
	e := &entity{kind: k, account: account}
	var created int64
	var used *int64
	if err := scan(&e.id, &e.name, &e.path, &e.boundary, &created, &used); err != nil {
		return nil, err
	}
	e.created = fromMillis(created)
	if used != nil {
		e.passwordUsed = new(fromMillis(*used))
	}
	return e, nil
}

// entities reads a page of users, groups or roles by name, those under a path,
// and one row more.
func entities(ctx context.Context, r reader, account string, k kind, prefix *string, p page) ([]*entity, error) {
	from, to := pathRange(prefix)
	return entitiesWhere(ctx, r, account, k, p, `path >= $4 AND path < $5`, from, to)
}

// entitiesWhere is entities by another condition, whose parameters count from
// $4.
func entitiesWhere(ctx context.Context, r reader, account string, k kind, p page, condition string, args ...any) ([]*entity, error) {
	return queryAll(ctx, r, func(rows *db.Rows) (*entity, error) { return scanEntity(account, k, rows.Scan) },
		`SELECT `+k.columns()+` FROM `+k.rules().table+` WHERE account = $1 AND name_key > $2 AND `+condition+` ORDER BY name_key LIMIT $3`,
		append([]any{account, p.after, p.limit + 1}, args...)...)
}

// entityKey orders entities by name.
func entityKey(e *entity) string { return nameKey(e.name) }

// rename gives a user or group another name or path: its ARN changes, its
// unique id and what it owns stay.
func (s *Service) rename(ctx context.Context, k kind, name string, newName, newPath *string) error {
	e, err := entityTarget(ctx, k, name)
	if err != nil {
		return err
	}
	to, table := or(newName, e.name), k.rules().table
	taken := iam.ErrEntityAlreadyExistsException("%s with name %s already exists.", k.rules().quotaName, to)
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		var other string
		err := tx.QueryRow(ctx, `SELECT id FROM `+table+` WHERE account = $1 AND name_key = $2`, e.account, nameKey(to)).Scan(&other)
		switch {
		case err == nil && other != e.id:
			return taken
		case err != nil && !errors.Is(err, db.ErrNotFound):
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE `+table+` SET name = $1, name_key = $2, path = $3 WHERE account = $4 AND id = $5`,
			to, nameKey(to), or(newPath, e.path), e.account, e.id)
		if err == nil && n == 0 {
			return errNoEntity(k, name)
		}
		return err
	})
	if db.IsUnique(err) { // somebody was faster
		return taken
	}
	if err != nil {
		return fmt.Errorf("update %s %s: %w", k, name, err)
	}
	return nil
}

// entityOfID tells users, groups and roles by the prefix of a unique id.
func entityOfID(ctx context.Context, r reader, account, id string) (*entity, error) {
	switch {
	case id == account:
		return rootEntity(account), nil
	case strings.HasPrefix(id, prefixUser):
		return entityByID(ctx, r, account, kindUser, id)
	case strings.HasPrefix(id, prefixGroup):
		return entityByID(ctx, r, account, kindGroup, id)
	case strings.HasPrefix(id, prefixRole):
		return entityByID(ctx, r, account, kindRole, id)
	}
	return nil, db.ErrNotFound
}

// stillThere makes a transaction fail for an entity that has gone since it
// was resolved.
func (e *entity) stillThere(ctx context.Context, tx *db.Tx) error {
	if e.kind == kindRoot {
		return nil
	}
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM `+e.kind.rules().table+` WHERE account = $1 AND id = $2`, e.account, e.id).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return errNoEntity(e.kind, e.name)
	}
	return err
}

// count runs a query of one number.
func count(ctx context.Context, r reader, query string, args ...any) (int, error) {
	var n int
	err := r.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}

// underQuota refuses one more row where there are most already.
func underQuota(ctx context.Context, tx *db.Tx, quota string, most int, query string, args ...any) error {
	n, err := count(ctx, tx, query, args...)
	if err != nil {
		return fmt.Errorf("count for quota %s: %w", quota, err)
	}
	if n >= most {
		return errQuota(quota, most)
	}
	return nil
}

func errQuota(quota string, most int) error {
	return iam.ErrLimitExceededException("Cannot exceed quota for %s: %d", quota, most)
}

// withinQuota refuses an account that has too many entities of a kind, the one
// just inserted counted.
func withinQuota(ctx context.Context, tx *db.Tx, account string, k kind) error {
	rules := k.rules()
	return underQuota(ctx, tx, rules.quotaName+"sPerAccount", rules.maxEntities,
		`SELECT COUNT(*) - 1 FROM `+rules.table+` WHERE account = $1`, account)
}

// dropOwned deletes what only the owner's row gave a meaning to.
func dropOwned(ctx context.Context, tx *db.Tx, account, owner string) error {
	_, err := tx.Exec(ctx, `DELETE FROM iam_tags WHERE account = $1 AND owner = $2`, account, owner)
	return err
}

// nullable is a column's value: nil for the empty string.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// or is what p points to, or def.
func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// queryAll collects the rows of a query.
func queryAll[T any](ctx context.Context, r reader, scan func(*db.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, v)
	}
	return list, rows.Close()
}

// scanText scans rows of one text column.
func scanText(rows *db.Rows) (string, error) {
	var v string
	err := rows.Scan(&v)
	return v, err
}

// noEntity turns db.ErrNotFound into AWS's answer.
func noEntity(err error, k kind, name string) error {
	if errors.Is(err, db.ErrNotFound) {
		return errNoEntity(k, name)
	}
	return err
}
