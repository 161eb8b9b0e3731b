package identity

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
)

func (g *rig) oidc(url string, clients, thumbs []string, tags ...iam.Tag) (string, error) {
	out, err := iamDo(g, g.caller(g.root), "CreateOpenIDConnectProvider", g.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderRequest{
		Url: url, ClientIDList: clients, ThumbprintList: thumbs, Tags: tags,
	})
	if err != nil {
		return "", err
	}
	return *out.OpenIDConnectProviderArn, nil
}

// numbered are so many different strings of 40 characters.
func numbered(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%040d", i))
	}
	return list
}

func TestOIDCProviders(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for _, tt := range []struct {
			name, url       string
			clients, thumbs []string
			tags            []iam.Tag
			code, text      string
		}{
			{"no scheme", "id.example.com", nil, nil, nil, "ValidationError", "Invalid Open ID Connect Provider URL"},
			{"no host", "https:///realm", nil, nil, nil, "ValidationError", "Invalid Open ID Connect Provider URL"},
			{"plain", "http://id.example.com", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL. The URL must begin with https://."},
			{"query", "https://id.example.com?x=1", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL."},
			{"empty query", "https://id.example.com?", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL."},
			{"fragment", "https://id.example.com/#x", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL."},
			{"port", "https://id.example.com:8443", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL."},
			{"user", "https://me@id.example.com", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL."},
			{"space", "https://id.example.com/a b", nil, nil, nil, "InvalidInput", "Invalid Open ID Connect Provider URL."},
			{"thumbprints", "https://id.example.com", nil, numbered(6), nil, "InvalidInput", "Thumbprint list must contain fewer than 5 entries."},
			{"client ids", "https://id.example.com", numbered(101), nil, nil, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"},
			{"tags", "https://id.example.com", nil, nil, []iam.Tag{{Key: "a"}, {Key: "A"}}, "InvalidInput", "Duplicate tag keys"},
			{"fine", "https://id.example.com/realms/x", []string{"app", "app", "web"}, []string{strings.Repeat("A", 40)}, []iam.Tag{{Key: "k", Value: "v"}}, "", ""},
			{"again", "https://id.example.com/realms/x", nil, nil, nil, "EntityAlreadyExists", "Provider with url https://id.example.com/realms/x already exists."},
			{"other", "https://id.example.com", nil, nil, nil, "", ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, err := g.oidc(tt.url, tt.clients, tt.thumbs, tt.tags...)
				wantCode(t, err, tt.code, tt.text)
			})
		}
		a := "arn:aws:iam::123456789012:oidc-provider/id.example.com/realms/x"
		get := func() *iam.GetOpenIDConnectProviderResponse {
			return must(iamDo(g, root, "GetOpenIDConnectProvider", g.GetOpenIDConnectProvider, &iam.GetOpenIDConnectProviderRequest{OpenIDConnectProviderArn: a}))(t)
		}
		got := get()
		if *got.Url != "id.example.com/realms/x" || fmt.Sprint(got.ClientIDList) != "[app web]" || got.ThumbprintList[0] != strings.Repeat("a", 40) ||
			!got.CreateDate.Equal(g.now()) || got.Tags[0].Value != "v" {
			t.Errorf("got %+v", got)
		}
		list := must(iamDo(g, root, "ListOpenIDConnectProviders", g.ListOpenIDConnectProviders, &iam.ListOpenIDConnectProvidersRequest{}))(t)
		if len(list.OpenIDConnectProviderList) != 2 || *list.OpenIDConnectProviderList[1].Arn != a {
			t.Errorf("listed %+v", list)
		}

		add := func(a, id string) error {
			_, err := iamDo(g, root, "AddClientIDToOpenIDConnectProvider", g.AddClientIDToOpenIDConnectProvider, &iam.AddClientIDToOpenIDConnectProviderRequest{OpenIDConnectProviderArn: a, ClientID: id})
			return err
		}
		remove := func(a, id string) error {
			_, err := iamDo(g, root, "RemoveClientIDFromOpenIDConnectProvider", g.RemoveClientIDFromOpenIDConnectProvider, &iam.RemoveClientIDFromOpenIDConnectProviderRequest{OpenIDConnectProviderArn: a, ClientID: id})
			return err
		}
		update := func(a string, thumbs []string) error {
			_, err := iamDo(g, root, "UpdateOpenIDConnectProviderThumbprint", g.UpdateOpenIDConnectProviderThumbprint, &iam.UpdateOpenIDConnectProviderThumbprintRequest{OpenIDConnectProviderArn: a, ThumbprintList: thumbs})
			return err
		}
		drop := func(a string) error {
			_, err := iamDo(g, root, "DeleteOpenIDConnectProvider", g.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderRequest{OpenIDConnectProviderArn: a})
			return err
		}
		wantCode(t, add(a, "web"), "", "")
		wantCode(t, add(a, "Web"), "", "")
		wantCode(t, remove(a, "app"), "", "")
		wantCode(t, remove(a, "none"), "", "")
		wantCode(t, update(a, numbered(6)), "InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
		wantCode(t, update(a, numbered(5)), "", "")
		if got := get(); fmt.Sprint(got.ClientIDList) != "[web Web]" || !slices.Equal(got.ThumbprintList, numbered(5)) {
			t.Errorf("got %+v", got)
		}
		var wg sync.WaitGroup
		for i := range 98 {
			wg.Go(func() { wantCode(t, add(a, fmt.Sprint("c", i)), "", "") })
		}
		wg.Wait()
		wantCode(t, add(a, "one more"), "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
		if got := get(); len(got.ClientIDList) != 100 {
			t.Errorf("%d client ids", len(got.ClientIDList))
		}

		r := g.role("web", trust(`{"Federated":"`+a+`"}`), "")
		if !strings.Contains(*r.AssumeRolePolicyDocument, "oidc-provider") {
			t.Errorf("role %+v", r)
		}
		wantCode(t, drop(a), "", "")
		wantCode(t, drop(a), "NoSuchEntity", "OpenId connect Provider "+a+" cannot be found.")
		missing := "OpenIDConnect Provider not found for arn " + a
		wantCode(t, add(a, "x"), "NoSuchEntity", missing)
		wantCode(t, update(a, nil), "NoSuchEntity", missing)
		_, err := iamDo(g, root, "GetOpenIDConnectProvider", g.GetOpenIDConnectProvider, &iam.GetOpenIDConnectProviderRequest{OpenIDConnectProviderArn: a})
		wantCode(t, err, "NoSuchEntity", missing)
		wantCode(t, drop("not an ARN, but long enough"), "ValidationError", "Invalid ARN:  Could not be parsed!")
		wantCode(t, drop("arn:aws:iam::123456789012:saml-provider/x"), "InvalidInput", "is not valid.")
		wantCode(t, drop("arn:aws:iam::999999999999:oidc-provider/id.example.com"), "AccessDenied", "iam:DeleteOpenIDConnectProvider")
		if n, err := count(t.Context(), g.DB, `SELECT COUNT(*) FROM iam_tags`); err != nil || n != 0 {
			t.Errorf("%d tags are left, %v", n, err)
		}
	})
}

func TestProviderQuotasTagsAndTrust(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		var last string
		for i := range maxProviders {
			last = must(g.oidc(fmt.Sprintf("https://id%d.example.com", i), nil, nil))(t)
		}
		_, err := g.oidc("https://over.example.com", nil, nil)
		wantCode(t, err, "LimitExceeded", "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100")

		tag := func(tags ...iam.Tag) error {
			_, err := iamDo(g, root, "TagOpenIDConnectProvider", g.TagOpenIDConnectProvider, &iam.TagOpenIDConnectProviderRequest{OpenIDConnectProviderArn: last, Tags: tags})
			return err
		}
		wantCode(t, tag(iam.Tag{Key: "a", Value: "1"}, iam.Tag{Key: "b", Value: "2"}), "", "")
		must(iamDo(g, root, "UntagOpenIDConnectProvider", g.UntagOpenIDConnectProvider, &iam.UntagOpenIDConnectProviderRequest{OpenIDConnectProviderArn: last, TagKeys: []string{"A"}}))(t)
		tags := must(iamDo(g, root, "ListOpenIDConnectProviderTags", g.ListOpenIDConnectProviderTags, &iam.ListOpenIDConnectProviderTagsRequest{OpenIDConnectProviderArn: last}))(t)
		if len(tags.Tags) != 1 || tags.Tags[0].Key != "b" {
			t.Errorf("tags %+v", tags.Tags)
		}
		var many []iam.Tag
		for i := range 50 {
			many = append(many, iam.Tag{Key: fmt.Sprint("t", i)})
		}
		wantCode(t, tag(many...), "LimitExceeded", "Cannot exceed quota for TagsPerOpenIdConnectProvider: 50")

		for _, tt := range []struct{ principal, code string }{
			{last, ""},
			{"accounts.google.com", ""},
			{"arn:aws:iam::123456789012:oidc-provider/none.example.com", "MalformedPolicyDocument"},
			{"arn:aws:iam::999999999999:oidc-provider/id1.example.com", "MalformedPolicyDocument"},
			{"arn:aws:iam::123456789012:saml-provider/none", "MalformedPolicyDocument"},
			{strings.Replace(last, "oidc", "saml", 1), "MalformedPolicyDocument"},
		} {
			_, err := iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{
				RoleName: newID(prefixRole, testAccount), AssumeRolePolicyDocument: trust(`{"Federated":"` + tt.principal + `"}`),
			})
			text := ""
			if tt.code != "" {
				text = `Invalid principal in policy: "Federated":"` + tt.principal + `"`
			}
			wantCode(t, err, tt.code, text)
		}
	})
}

// metadata is what an identity provider gives out, with attributes of its root.
func metadata(attrs string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ` + strings.Repeat("padding ", 130) + `-->
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com/" ` + attrs + `>
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>`
}

func TestSAMLMetadata(t *testing.T) {
	for name, tt := range map[string]struct {
		document string
		until    string // empty: an error
	}{
		"no end":          {metadata(""), "0001-01-01T00:00:00Z"},
		"end":             {metadata(`validUntil="2030-05-06T07:08:09Z"`), "2030-05-06T07:08:09Z"},
		"zone":            {metadata(`validUntil="2030-05-06T07:08:09.5+02:00"`), "2030-05-06T05:08:09.5Z"},
		"no zone":         {metadata(`validUntil="2030-05-06T07:08:09"`), "2030-05-06T07:08:09Z"},
		"inner end":       {strings.Replace(metadata(`validUntil="2030-05-06T07:08:09Z"`), "protocolSupport", `validUntil="2029-01-01T00:00:00Z" protocolSupport`, 1), "2029-01-01T00:00:00Z"},
		"bad end":         {metadata(`validUntil="tomorrow"`), ""},
		"not XML":         {strings.Repeat("{}", 600), ""},
		"empty":           {"", ""},
		"cut off":         {metadata("")[:1400], ""},
		"two roots":       {metadata("") + "<x/>", ""},
		"text after":      {metadata("") + "x", ""},
		"other root":      {strings.ReplaceAll(metadata(""), "EntityDescriptor", "EntitiesDescriptor"), ""},
		"other namespace": {strings.Replace(metadata(""), "SAML:2.0:metadata", "SAML:1.0:metadata", 1), ""},
		"no entity id":    {strings.Replace(metadata(""), "entityID", "id", 1), ""},
		"no provider":     {strings.ReplaceAll(metadata(""), "IDPSSODescriptor", "SPSSODescriptor"), ""},
		"document type":   {strings.Replace(metadata(""), "<md:Ent", `<!DOCTYPE x [<!ENTITY a "b">]><md:Ent`, 1), ""},
		"entity":          {strings.Replace(metadata(""), "https://idp.example.com/sso", "&a;", 1), ""},
		"deep":            {strings.Replace(metadata(""), "<md:Single", strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)+"<md:Single", 1), ""},
		"other charset":   {strings.Replace(metadata(""), "UTF-8", "UTF-16", 1), ""},
	} {
		until, err := samlMetadata(tt.document)
		if tt.until == "" {
			wantCode(t, err, "InvalidInput", "Could not parse metadata")
			continue
		}
		if err != nil || until.Format(time.RFC3339Nano) != tt.until {
			t.Errorf("%s: %v, %v", name, until, err)
		}
	}
}

func TestSAMLProviders(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		create := func(name, document string, tags ...iam.Tag) (*iam.CreateSAMLProviderResponse, error) {
			return iamDo(g, root, "CreateSAMLProvider", g.CreateSAMLProvider, &iam.CreateSAMLProviderRequest{Name: name, SAMLMetadataDocument: document, Tags: tags})
		}
		made := must(create("idp", metadata(`validUntil="2030-05-06T07:08:09Z"`), iam.Tag{Key: "k", Value: "v"}))(t)
		a := "arn:aws:iam::123456789012:saml-provider/idp"
		if *made.SAMLProviderArn != a || len(made.Tags) != 1 {
			t.Errorf("made %+v", made)
		}
		_, err := create("idp", metadata(""))
		wantCode(t, err, "EntityAlreadyExists", "SAMLProvider with name idp already exists.")
		_, err = create("other", strings.Repeat("<x>", 400))
		wantCode(t, err, "InvalidInput", "Could not parse metadata")
		_, err = create("other", metadata(""), iam.Tag{Key: "a"}, iam.Tag{Key: "A"})
		wantCode(t, err, "InvalidInput", "Duplicate tag keys")
		get := func() (*iam.GetSAMLProviderResponse, error) {
			return iamDo(g, root, "GetSAMLProvider", g.GetSAMLProvider, &iam.GetSAMLProviderRequest{SAMLProviderArn: a})
		}
		got := must(get())(t)
		if *got.SAMLMetadataDocument != metadata(`validUntil="2030-05-06T07:08:09Z"`) || got.ValidUntil.Year() != 2030 || !got.CreateDate.Equal(g.now()) || got.Tags[0].Value != "v" {
			t.Errorf("got %+v", got)
		}
		g.role("fed", strings.Replace(trust(`{"Federated":"`+a+`"}`), `"sts:AssumeRole",`, `"sts:AssumeRoleWithSAML",`, 1), "")
		update := func(document string) error {
			_, err := iamDo(g, root, "UpdateSAMLProvider", g.UpdateSAMLProvider, &iam.UpdateSAMLProviderRequest{SAMLProviderArn: a, SAMLMetadataDocument: document})
			return err
		}
		wantCode(t, update(strings.Repeat("<x>", 400)), "InvalidInput", "Could not parse metadata")
		wantCode(t, update(metadata("")), "", "")
		list := must(iamDo(g, root, "ListSAMLProviders", g.ListSAMLProviders, &iam.ListSAMLProvidersRequest{}))(t)
		if len(list.SAMLProviderList) != 1 || *list.SAMLProviderList[0].Arn != a || list.SAMLProviderList[0].ValidUntil.Year() != 2126 {
			t.Errorf("listed %+v", list)
		}
		must(iamDo(g, root, "TagSAMLProvider", g.TagSAMLProvider, &iam.TagSAMLProviderRequest{SAMLProviderArn: a, Tags: []iam.Tag{{Key: "x"}}}))(t)
		must(iamDo(g, root, "UntagSAMLProvider", g.UntagSAMLProvider, &iam.UntagSAMLProviderRequest{SAMLProviderArn: a, TagKeys: []string{"K"}}))(t)
		tags := must(iamDo(g, root, "ListSAMLProviderTags", g.ListSAMLProviderTags, &iam.ListSAMLProviderTagsRequest{SAMLProviderArn: a}))(t)
		if len(tags.Tags) != 1 || tags.Tags[0].Key != "x" {
			t.Errorf("tags %+v", tags.Tags)
		}
		// A provider is authorized by its own ARN and tags.
		_, creds := g.user("bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:DeleteSAMLProvider","Resource":"`+a+`","Condition":{"StringEquals":{"aws:ResourceTag/x":"y"}}}]}`)
		drop := func() error {
			_, err := iamDo(g, g.caller(creds), "DeleteSAMLProvider", g.DeleteSAMLProvider, &iam.DeleteSAMLProviderRequest{SAMLProviderArn: a})
			return err
		}
		wantCode(t, drop(), "AccessDenied", "iam:DeleteSAMLProvider on resource: "+a)
		must(iamDo(g, root, "TagSAMLProvider", g.TagSAMLProvider, &iam.TagSAMLProviderRequest{SAMLProviderArn: a, Tags: []iam.Tag{{Key: "x", Value: "y"}}}))(t)
		wantCode(t, drop(), "", "")
		_, err = get()
		wantCode(t, err, "NoSuchEntity", "Manifest not found for arn "+a)
		wantCode(t, update(metadata("")), "NoSuchEntity", "Manifest not found for arn "+a)
		_, err = iamDo(g, root, "DeleteSAMLProvider", g.DeleteSAMLProvider, &iam.DeleteSAMLProviderRequest{SAMLProviderArn: a})
		wantCode(t, err, "NoSuchEntity", "Manifest not found for arn "+a)
		for i := range maxProviders {
			must(create(fmt.Sprint("p", i), metadata("")))(t)
		}
		_, err = create("over", metadata(""))
		wantCode(t, err, "LimitExceeded", "Cannot exceed quota for SAMLProvidersPerAccount: 100")
	})
}
