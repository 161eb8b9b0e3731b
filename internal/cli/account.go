package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/config"
)

type accountCmd struct {
	Create accountCreateCmd `cmd:"" help:"Make a further account, which shares nothing with the others."`
	List   accountListCmd   `cmd:"" help:"List the accounts."`
}

type accountCreateCmd struct {
	target
	Name    string `arg:"" help:"Name of the account."`
	Email   string `placeholder:"ADDRESS" help:"Email address of its root user."`
	Account string `placeholder:"ID" help:"Its id, twelve digits (made at random)."`
	Profile string `placeholder:"NAME" help:"Write its root access key as an AWS CLI profile instead of printing it."`
	JSON    bool   `name:"json" help:"Print JSON, the access key included."`
}

// Run makes the account and says how to go on.
func (a *accountCreateCmd) Run(ctx context.Context, c *CLI) error {
	r, err := a.find()
	if err != nil {
		return err
	}
	var files awsFiles
	if a.Profile != "" { // an account without the key that it is for would be of no use
		if files, err = awsFilesOf(os.Getenv); err == nil {
			err = files.free(a.Profile)
		}
		if err != nil {
			return err
		}
	}
	api, err := newAPIClient(r)
	if err != nil {
		return err
	}
	in := thingd.CreateAccountRequest{Name: a.Name}
	if a.Email != "" {
		in.Email = &a.Email
	}
	if a.Account != "" {
		in.AccountId = &a.Account
	}
	answer, err := api.call(ctx, http.MethodPost, "/thingd/accounts", in)
	if isCode(err, "ResourceAlreadyExistsException") {
		return fmt.Errorf("%w\nsee the accounts with: thingd account list", err)
	}
	if isCode(err, "InvalidRequestException") {
		return errors.New(accountOptions.Replace(err.Error()))
	}
	if err != nil {
		return err
	}
	var out thingd.CreateAccountResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if a.Profile != "" {
		theirs := *r
		theirs.Credentials = config.RootCredentials{
			AccountID: out.Account.AccountId, AccessKeyID: out.RootAccessKeyId, SecretAccessKey: out.RootSecretAccessKey, Region: r.Credentials.Region,
		}
		if err := files.addProfile(a.Profile, &theirs); err != nil {
			return errors.Join(fmt.Errorf("the account was made, the profile was not: %w", err), c.tellAccount(&out, ""))
		}
	}
	if a.JSON {
		return c.printJSON(answer)
	}
	return c.tellAccount(&out, a.Profile)
}

// accountOptions gives the members of CreateAccount that an error names the
// names that they have on the command line.
var accountOptions = strings.NewReplacer(
	" at 'accountId' failed", " of --account failed", " at 'email' failed", " of --email failed", " at 'name' failed", " of <name> failed",
)

// tellAccount prints a new account, with its secret key unless a profile has it.
func (c *CLI) tellAccount(out *thingd.CreateAccountResponse, profile string) error {
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "Account\t%s (%s)\n", out.Account.AccountId, clean(out.Account.Name))
	if out.Account.Email != nil {
		_, _ = fmt.Fprintf(w, "Email\t%s\n", clean(*out.Account.Email))
	}
	if out.RootPassword != nil {
		_, _ = fmt.Fprintf(w, "Root password\t%s\n", *out.RootPassword)
	}
	_, _ = fmt.Fprintf(w, "Root access key\t%s\n", out.RootAccessKeyId)
	if profile == "" {
		_, _ = fmt.Fprintf(w, "Secret access key\t%s\n", out.RootSecretAccessKey)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var err error
	if profile != "" {
		_, err = fmt.Fprintf(c.Stdout, "The access key is in the AWS CLI profile %s. Try: aws --profile %[1]s sts get-caller-identity\n", profile)
	}
	switch {
	case err != nil:
	case profile == "":
		_, err = fmt.Fprintln(c.Stdout, "Keep what is secret of it: it is not shown again.")
	case out.RootPassword != nil:
		_, err = fmt.Fprintln(c.Stdout, "Keep the password: it is not shown again.")
	}
	return err
}

type accountListCmd struct {
	target
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists all accounts.
func (a *accountListCmd) Run(ctx context.Context, c *CLI) error {
	r, err := a.find()
	if err != nil {
		return err
	}
	api, err := newAPIClient(r)
	if err != nil {
		return err
	}
	accounts := []thingd.Account{}
	for token := ""; ; {
		path := "/thingd/accounts"
		if token != "" {
			path += "?nextToken=" + url.QueryEscape(token)
		}
		answer, err := api.call(ctx, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		var page thingd.ListAccountsResponse
		if err := json.Unmarshal(answer, &page); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		accounts = append(accounts, page.Accounts...)
		if page.NextToken == nil {
			break
		}
		token = *page.NextToken
	}
	if a.JSON {
		text, err := json.Marshal(map[string]any{"Accounts": accounts})
		if err != nil {
			return err
		}
		return c.printJSON(text)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ACCOUNT\tCREATED\tNAME\tEMAIL")
	for i := range accounts {
		acc := &accounts[i]
		name, email := clean(acc.Name), ""
		if acc.Management {
			name = "(management account) " + name
		}
		if acc.Email != nil {
			email = clean(*acc.Email)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", acc.AccountId, acc.CreatedTime.UTC().Format(time.DateTime), name, email)
	}
	return w.Flush()
}
