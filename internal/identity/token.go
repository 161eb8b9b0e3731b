package identity

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/seal"
)

// Temporary credentials are a sealed statement of who they are for. Issuing
// them writes nothing, and whoever has the master key can check them. The
// secret key follows from the token, so that it is stored nowhere either.
const (
	sealToken    = "identity session token"
	deriveSecret = "identity session secret"

	// maxToken is the longest token, in characters: the KVS C SDK keeps it in
	// a buffer of 2,048 bytes, its closing NUL included.
	maxToken = 2047
	// maxClaims bounds what a token unpacks to.
	maxClaims = 64 << 10
	// maxPlain is the longest claims that fit into a token as they are. Longer
	// ones are compressed; those of devices never are, because that takes
	// longer than all the rest.
	maxPlain = maxToken*3/4 - seal.Overhead - 1
)

// claims are what a session token says. Field names are short because tokens
// must be.
type claims struct {
	KeyID          string              `json:"k"`
	Account        string              `json:"a"`
	ID             string              `json:"i"`           // unique id of the user or role; the account for root
	Session        string              `json:"s,omitempty"` // of a role
	Issued         int64               `json:"t"`           // ms
	Expires        int64               `json:"e"`           // ms
	Policy         string              `json:"p,omitempty"` // session policy
	PolicyRefs     []string            `json:"r,omitempty"` // managed session policies: unique ids, ARNs of AWS's
	Tags           [][2]string         `json:"g,omitempty"` // session tags
	Transitive     []string            `json:"v,omitempty"` // keys of those that go on to the next session
	SourceIdentity string              `json:"o,omitempty"`
	Keys           map[string]string   `json:"c,omitempty"` // further context keys: credentials-iot:…
	Sets           map[string][]string `json:"l,omitempty"` // further ones that are multivalued
	MFA            int64               `json:"m,omitempty"` // ms when a code of an MFA device was checked; 0: none was
	Chained        bool                `json:"h,omitempty"` // made with temporary credentials
	Federated      string              `json:"f,omitempty"` // name of a GetFederationToken session
	SignIn         string              `json:"w,omitempty"` // id of the console session that the credentials end with
	Since          int64               `json:"y,omitempty"` // ms: when that began, or the credentials that it began with; 0: not of one
	Console        bool                `json:"n,omitempty"` // of a sign-in: may call IAM, as no GetSessionToken session may
}

func (c *claims) expiry() time.Time { return time.UnixMilli(c.Expires).UTC() }

// issued is when the session began. That its credentials are renewed makes one
// of the console no younger: who revokes sessions by aws:TokenIssueTime means
// it too.
func (c *claims) issued() time.Time {
	if c.Since != 0 {
		return time.UnixMilli(c.Since).UTC()
	}
	return time.UnixMilli(c.Issued).UTC()
}

// errTooLarge: the claims do not fit into a token.
var errTooLarge = errors.New("session token too large")

// SessionCredentials are temporary credentials.
type SessionCredentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time // whole seconds, UTC
}

// issue seals claims into credentials for a duration from now on. errTooLarge
// when they do not fit. packed is the share of a token that they take, in
// percent.
func (s *Service) issue(c *claims, d time.Duration) (creds *SessionCredentials, packed int64, err error) {
	now := s.Now().UTC().Truncate(time.Second)
	c.KeyID = newKeyID(prefixTemporary, c.Account)
	c.Issued, c.Expires = now.UnixMilli(), now.Add(d).UnixMilli()
	plain, err := packClaims(c)
	if err != nil {
		return nil, 0, err
	}
	token := base64.RawURLEncoding.EncodeToString(s.Seal.Seal(sealToken, plain))
	packed = int64(100*len(token)+maxToken-1) / maxToken
	if len(token) > maxToken {
		return nil, packed, errTooLarge
	}
	return &SessionCredentials{
		AccessKeyID: c.KeyID, SecretAccessKey: s.sessionSecret(c.KeyID, token),
		SessionToken: token, Expiration: c.expiry(),
	}, packed, nil
}

// issueWire is issue in the form of answers. packed is nil for a session that
// carries neither policies nor tags.
func (s *Service) issueWire(c *claims, d time.Duration) (creds *sts.Credentials, packed *int64, err error) {
	issued, percent, err := s.issue(c, d)
	if errors.Is(err, errTooLarge) {
		return nil, nil, errPacked(percent)
	}
	if err != nil {
		return nil, nil, err
	}
	if c.limited() || len(c.Tags) > 0 {
		packed = &percent
	}
	return issued.wire(), packed, nil
}

func (c *SessionCredentials) wire() *sts.Credentials {
	return &sts.Credentials{
		AccessKeyId: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expiration,
	}
}

// sessionSecret is the secret key that goes with a token.
func (s *Service) sessionSecret(keyID, token string) string {
	return base64.StdEncoding.EncodeToString(s.Seal.Derive(deriveSecret, keyID+"\n"+token, 30))
}

// errToken: not a token of this deployment.
var errToken = errors.New("not a session token of this deployment")

// openToken reads the claims of a token, whatever their expiry.
func (s *Service) openToken(token string) (*claims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // which base64 passes over
		return nil, errToken
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, errToken
	}
	plain, err := s.Seal.Open(sealToken, sealed)
	if err != nil {
		return nil, errToken
	}
	return unpackClaims(plain)
}

// The forms of packed claims.
const (
	plainClaims   = 0
	deflateClaims = 1
)

func packClaims(c *claims) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("pack session: %w", err)
	}
	if len(plain) > maxClaims {
		return nil, errTooLarge
	}
	if len(plain) <= maxPlain {
		return append([]byte{plainClaims}, plain...), nil
	}
	var buf bytes.Buffer
	buf.WriteByte(deflateClaims)
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack session: %w", err)
	}
	return buf.Bytes(), nil
}

func unpackClaims(b []byte) (*claims, error) {
	if len(b) == 0 {
		return nil, errToken
	}
	form, plain := b[0], b[1:]
	if form == deflateClaims {
		var err error
		plain, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plain)), maxClaims+1))
		if err != nil || len(plain) > maxClaims {
			return nil, errToken
		}
	}
	c := &claims{}
	if form > deflateClaims || json.Unmarshal(plain, c) != nil {
		return nil, errToken
	}
	return c, nil
}
