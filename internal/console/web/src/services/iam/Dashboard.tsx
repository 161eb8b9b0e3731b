import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { CreateAccountAliasCommand, DeleteAccountAliasCommand, GetAccountSummaryCommand, ListAccountAliasesCommand } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../frame/notices";
import { ConfirmModal } from "../../kit/ConfirmModal";
import { Copy } from "../../kit/Copy";
import { Part } from "../../kit/DetailPage";
import { useLoad } from "../../kit/load";
import { signInURL, useSession } from "../../session/identity";
import { session } from "../../session/signin";
import { send } from "./api";

/** Dashboard is IAM's first screen. */
export function Dashboard() {
  const summary = useLoad(async () => (await send(new GetAccountSummaryCommand({}))).SummaryMap ?? {}, [], 30_000);
  const resources = [
    { label: "User groups", key: "Groups", path: "groups" },
    { label: "Users", key: "Users", path: "users" },
    { label: "Roles", key: "Roles", path: "roles" },
    { label: "Policies", key: "Policies", path: "policies" },
  ] as const;
  return (
    <ContentLayout header={<Header variant="h1">IAM Dashboard</Header>}>
      <SpaceBetween size="l">
        <Account />
        <Container header={<Header variant="h2" description="Resources in this AWS account.">IAM resources</Header>}>
          <Part of={summary}>
            {(counts) => (
              <ColumnLayout columns={4} variant="text-grid" minColumnWidth={140}>
                {resources.map((r) => (
                  <div key={r.key}>
                    <Box variant="awsui-key-label">{r.label}</Box>
                    <Link href={`#/iam/${r.path}`} fontSize="display-l">
                      {counts[r.key] ?? 0}
                    </Link>
                  </div>
                ))}
              </ColumnLayout>
            )}
          </Part>
        </Container>
        <Container header={<Header variant="h2">Tools</Header>}>
          <SpaceBetween size="s">
            <div>
              <Link href="#/iam/generator">Policy generator</Link>
              <Box color="text-body-secondary">Put a policy together by choosing services, actions and resources.</Box>
            </div>
            <div>
              <Link href="#/iam/simulator">Policy simulator</Link>
              <Box color="text-body-secondary">Find out what a user, a role or a policy may do, and which statement decides it.</Box>
            </div>
          </SpaceBetween>
        </Container>
      </SpaceBetween>
    </ContentLayout>
  );
}

/** The account's id, alias and sign-in URL. */
export function Account() {
  const { who, changed } = useSession();
  const notify = useNotify();
  const alias = useLoad(async () => (await send(new ListAccountAliasesCommand({}))).AccountAliases?.[0] ?? "", []);
  const [dialog, setDialog] = useState<"set" | "delete">();
  const [text, setText] = useState("");
  // Sign-in URLs elsewhere have the alias too.
  const renamed = async (text: string) => {
    notify({ type: "success", content: text });
    await alias.reload();
    const now = await session();
    if (now.signedIn) changed(now);
  };
  const good = /^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$/.test(text) && !/^\d{12}$/.test(text);
  return (
    <Container header={<Header variant="h2">AWS Account</Header>}>
      <Part of={alias}>
        {(now) => (
          <KeyValuePairs
            columns={3}
            minColumnWidth={220}
            items={[
              { label: "Account ID", value: <Copy text={who.account} what="Account ID" /> },
              {
                label: "Account Alias",
                value: (
                  <SpaceBetween direction="horizontal" size="xs">
                    <span className="words">{now || "-"}</span>
                    <Button
                      variant="inline-link"
                      ariaLabel={now ? "Edit account alias" : "Create account alias"}
                      onClick={() => {
                        setText(now);
                        setDialog("set");
                      }}
                    >
                      {now ? "Edit" : "Create"}
                    </Button>
                    {now && (
                      <Button variant="inline-link" ariaLabel="Delete account alias" onClick={() => setDialog("delete")}>
                        Delete
                      </Button>
                    )}
                  </SpaceBetween>
                ),
              },
              { label: "Sign-in URL for IAM users in this account", value: <Copy text={signInURL(now || who.account)} what="Sign-in URL" /> },
            ]}
          />
        )}
      </Part>
      {dialog === "set" && (
        <ConfirmModal
          title={alias.data ? "Edit alias" : "Create alias for AWS account"}
          verb="Save changes"
          ready={good}
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            await send(new CreateAccountAliasCommand({ AccountAlias: text }));
            await renamed(`The account's alias is ${text}.`);
          }}
        >
          <FormField
            label="Preferred alias"
            constraintText="3 to 63 characters: lower-case letters, digits, and hyphens that are neither first nor last nor side by side. Not 12 digits, which would be an account ID."
            errorText={text !== "" && !good && "This cannot be an alias."}
          >
            <Input value={text} onChange={({ detail }) => setText(detail.value)} autoComplete={false} />
          </FormField>
          <div className="words">Sign-in URL: {signInURL(text || who.account)}. The URL with the account ID works on.</div>
        </ConfirmModal>
      )}
      {dialog === "delete" && (
        <ConfirmModal
          title="Delete account alias?"
          verb="Delete"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            await send(new DeleteAccountAliasCommand({ AccountAlias: alias.data }));
            await renamed("The account has no alias any more.");
          }}
        >
          The sign-in URL with {alias.data} ends to work; the one with the account ID works on.
        </ConfirmModal>
      )}
    </Container>
  );
}
