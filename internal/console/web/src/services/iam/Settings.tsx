import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DeleteAccountPasswordPolicyCommand, GetAccountPasswordPolicyCommand, UpdateAccountPasswordPolicyCommand, type PasswordPolicy } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../frame/notices";
import { ConfirmModal } from "../../kit/ConfirmModal";
import { Part } from "../../kit/DetailPage";
import { useLoad } from "../../kit/load";
import { send, unless } from "./api";
import { Account } from "./Dashboard";

/** What holds for passwords in an account without a policy of its own. */
const standard: PasswordPolicy = { MinimumPasswordLength: 8, AllowUsersToChangePassword: false };

/** Settings are those of the account: its alias, and what passwords must be like. */
export function Settings() {
  const policy = useLoad(async () => (await unless("NoSuchEntityException", () => send(new GetAccountPasswordPolicyCommand({}))))?.PasswordPolicy ?? null, []);
  const [dialog, setDialog] = useState<"edit" | "delete">();
  const notify = useNotify();
  return (
    <ContentLayout header={<Header variant="h1">Account settings</Header>}>
      <SpaceBetween size="l">
        <Account />
        <Container
          header={
            <Header
              variant="h2"
              description="What the console passwords of IAM users have to be like."
              actions={
                policy.data !== undefined && (
                  <SpaceBetween direction="horizontal" size="xs">
                    {policy.data && <Button onClick={() => setDialog("delete")}>Delete</Button>}
                    <Button onClick={() => setDialog("edit")}>Edit</Button>
                  </SpaceBetween>
                )
              }
            >
              Password policy
            </Header>
          }
        >
          <Part of={policy}>{(p) => <ul>{rules(p).map((r) => <li key={r}>{r}</li>)}</ul>}</Part>
        </Container>
      </SpaceBetween>
      {dialog === "edit" && <Edit now={policy.data ?? standard} onDismiss={() => setDialog(undefined)} onDone={policy.reload} />}
      {dialog === "delete" && (
        <ConfirmModal
          title="Delete password policy?"
          verb="Delete"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            await send(new DeleteAccountPasswordPolicyCommand({}));
            notify({ type: "success", content: "The default password policy is in force." });
            await policy.reload();
          }}
        >
          The default password policy takes its place.
        </ConfirmModal>
      )}
    </ContentLayout>
  );
}

function rules(p: PasswordPolicy | null): string[] {
  if (!p) return ["The default policy: at least 8 characters, of at least three of: upper case, lower case, digits, symbols", "Not the account's name or e-mail address", "Passwords never expire"];
  const list = [`At least ${p.MinimumPasswordLength ?? 6} characters`];
  if (p.RequireUppercaseCharacters) list.push("At least one upper-case letter (A-Z)");
  if (p.RequireLowercaseCharacters) list.push("At least one lower-case letter (a-z)");
  if (p.RequireNumbers) list.push("At least one digit");
  if (p.RequireSymbols) list.push("At least one symbol (! @ # $ % ^ & * ( ) _ + - = [ ] { } | ')");
  list.push(p.ExpirePasswords ? `Passwords expire after ${p.MaxPasswordAge} days${p.HardExpiry ? ", and only an administrator can renew them then" : ""}` : "Passwords never expire");
  if (p.PasswordReusePrevention) list.push(`Not one of the last ${p.PasswordReusePrevention} passwords`);
  list.push(p.AllowUsersToChangePassword ? "Users may change their own password" : "Users may not change their own password by this policy");
  return list;
}

function Edit({ now, onDismiss, onDone }: { now: PasswordPolicy; onDismiss: () => void; onDone: () => Promise<void> }) {
  const notify = useNotify();
  const [p, setP] = useState(now);
  const [length, setLength] = useState(String(now.MinimumPasswordLength ?? 8));
  const [age, setAge] = useState(String(now.MaxPasswordAge ?? 90));
  const [reuse, setReuse] = useState(String(now.PasswordReusePrevention ?? 5));
  const [expire, setExpire] = useState(now.ExpirePasswords ?? false);
  const [prevent, setPrevent] = useState((now.PasswordReusePrevention ?? 0) > 0);
  const between = (text: string, least: number, most: number) => /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
  const good = between(length, 6, 128) && (!expire || between(age, 1, 1095)) && (!prevent || between(reuse, 1, 24));
  const flag = (key: keyof PasswordPolicy, label: string) => (
    <Checkbox checked={Boolean(p[key])} onChange={({ detail }) => setP({ ...p, [key]: detail.checked })}>
      {label}
    </Checkbox>
  );
  return (
    <ConfirmModal
      title="Edit password policy"
      verb="Save changes"
      ready={good}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(
          new UpdateAccountPasswordPolicyCommand({
            MinimumPasswordLength: Number(length),
            RequireUppercaseCharacters: p.RequireUppercaseCharacters ?? false,
            RequireLowercaseCharacters: p.RequireLowercaseCharacters ?? false,
            RequireNumbers: p.RequireNumbers ?? false,
            RequireSymbols: p.RequireSymbols ?? false,
            AllowUsersToChangePassword: p.AllowUsersToChangePassword ?? false,
            ...(expire ? { MaxPasswordAge: Number(age), HardExpiry: p.HardExpiry ?? false } : {}),
            ...(prevent ? { PasswordReusePrevention: Number(reuse) } : {}),
          }),
        );
        notify({ type: "success", content: "Password policy saved." });
        await onDone();
      }}
    >
      <FormField label="Password minimum length" constraintText="From 6 to 128 characters.">
        <Input type="number" value={length} onChange={({ detail }) => setLength(detail.value)} />
      </FormField>
      <FormField label="Password strength">
        {flag("RequireUppercaseCharacters", "Require at least one uppercase letter from the Latin alphabet (A-Z)")}
        {flag("RequireLowercaseCharacters", "Require at least one lowercase letter from the Latin alphabet (a-z)")}
        {flag("RequireNumbers", "Require at least one number")}
        {flag("RequireSymbols", "Require at least one nonalphanumeric character")}
      </FormField>
      <FormField label="Other requirements">
        <Checkbox checked={expire} onChange={({ detail }) => setExpire(detail.checked)}>
          Turn on password expiration
        </Checkbox>
        {expire && (
          <>
            <FormField label="Expire passwords in days" constraintText="From 1 to 1095.">
              <Input type="number" value={age} onChange={({ detail }) => setAge(detail.value)} />
            </FormField>
            {flag("HardExpiry", "Password expiration requires administrator reset")}
          </>
        )}
        {flag("AllowUsersToChangePassword", "Allow users to change their own password")}
        <Checkbox checked={prevent} onChange={({ detail }) => setPrevent(detail.checked)}>
          Prevent password reuse
        </Checkbox>
        {prevent && (
          <FormField label="Remember passwords" constraintText="From 1 to 24.">
            <Input type="number" value={reuse} onChange={({ detail }) => setReuse(detail.value)} />
          </FormField>
        )}
      </FormField>
    </ConfirmModal>
  );
}
