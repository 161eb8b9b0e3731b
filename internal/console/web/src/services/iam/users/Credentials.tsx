import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import {
  CreateLoginProfileCommand,
  DeleteAccessKeyCommand,
  DeleteLoginProfileCommand,
  GetAccessKeyLastUsedCommand,
  GetLoginProfileCommand,
  UpdateAccessKeyCommand,
  UpdateLoginProfileCommand,
  type AccessKeyMetadata,
  type LoginProfile,
  type Tag,
  type User,
} from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { ago, time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { signInURL, useSession } from "../../../session/identity";
import { listKeys, mayChangePassword, send, unless } from "../api";
import { MFA } from "./MFA";
import { generatePassword } from "./password";

/** Credentials is what a user signs in and signs requests with. */
export function Credentials({ user, tags }: { user: User; tags: Tag[] }) {
  const name = user.UserName ?? "";
  return (
    <SpaceBetween size="l">
      <SignIn user={user} />
      <MFA user={name} who={name} />
      <Keys name={name} tags={tags} />
    </SpaceBetween>
  );
}

function SignIn({ user }: { user: User }) {
  const { who } = useSession();
  const name = user.UserName ?? "";
  const profile = useLoad(async () => (await unless("NoSuchEntityException", () => send(new GetLoginProfileCommand({ UserName: name }))))?.LoginProfile ?? null, [name]);
  const [dialog, setDialog] = useState<"manage" | "disable">();
  const url = signInURL(who.alias ?? who.account);
  return (
    <Container
      header={
        <Header
          variant="h2"
          actions={
            profile.data !== undefined && (
              <SpaceBetween direction="horizontal" size="xs">
                {profile.data && <Button onClick={() => setDialog("disable")}>Disable console access</Button>}
                <Button onClick={() => setDialog("manage")}>{profile.data ? "Manage console access" : "Enable console access"}</Button>
              </SpaceBetween>
            )
          }
        >
          Console sign-in
        </Header>
      }
    >
      <Part of={profile}>
        {(p) => (
          <KeyValuePairs
            columns={3}
            minColumnWidth={220}
            items={[
              { label: "Console sign-in link", value: <Copy text={url} what="Console sign-in link" /> },
              { label: "Console password", value: p ? `Set ${ago(p.CreateDate)}${p.PasswordResetRequired ? ", to be changed at the next sign-in" : ""}` : "Not enabled" },
              { label: "Last console sign-in", value: user.PasswordLastUsed ? time(user.PasswordLastUsed) : "Never" },
            ]}
          />
        )}
      </Part>
      {dialog === "manage" && <Password name={name} profile={profile.data ?? undefined} onDismiss={() => setDialog(undefined)} onDone={profile.reload} />}
      {dialog === "disable" && (
        <ConfirmModal
          title={`Disable console access for ${name}?`}
          verb="Disable access"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            await send(new DeleteLoginProfileCommand({ UserName: name }));
            await profile.reload();
          }}
        >
          The password is deleted, and sessions of the console end at once. Access keys go on to work.
        </ConfirmModal>
      )}
    </Container>
  );
}

function Password({ name, profile, onDismiss, onDone }: { name: string; profile?: LoginProfile; onDismiss: () => void; onDone: () => Promise<void> }) {
  const notify = useNotify();
  const [custom, setCustom] = useState(false);
  const [password, setPassword] = useState("");
  const [mustChange, setMustChange] = useState(true);
  return (
    <ConfirmModal
      title={profile ? `Set a new password for ${name}` : `Enable console access for ${name}`}
      verb={profile ? "Set password" : "Enable console access"}
      ready={!custom || password !== ""}
      onDismiss={onDismiss}
      onConfirm={async () => {
        const secret = custom ? password : generatePassword();
        if (mustChange) await mayChangePassword(name);
        const input = { UserName: name, Password: secret, PasswordResetRequired: mustChange };
        await (profile ? send(new UpdateLoginProfileCommand(input)) : send(new CreateLoginProfileCommand(input)));
        notify({
          type: "success",
          header: `${name} can sign in to the console`,
          content: custom ? undefined : (
            <>
              The password, which is shown this once: <Copy text={secret} what="Password" />
            </>
          ),
        });
        await onDone();
      }}
    >
      <FormField label="Console password">
        <RadioGroup
          value={custom ? "custom" : "auto"}
          onChange={({ detail }) => setCustom(detail.value === "custom")}
          items={[
            { value: "auto", label: "Autogenerated password" },
            { value: "custom", label: "Custom password" },
          ]}
        />
      </FormField>
      {custom && (
        <FormField label="Password">
          <Input type="password" autoComplete="new-password" value={password} onChange={({ detail }) => setPassword(detail.value)} />
        </FormField>
      )}
      <Checkbox
        checked={mustChange}
        onChange={({ detail }) => setMustChange(detail.checked)}
        description="The user gets the IAMUserChangePassword policy to be allowed to."
      >
        User must create a new password at next sign-in
      </Checkbox>
    </ConfirmModal>
  );
}

interface Key extends AccessKeyMetadata {
  used?: Date;
  service?: string;
  description?: string;
}

function Keys({ name, tags }: { name: string; tags: Tag[] }) {
  const notify = useNotify();
  const keys = useLoad(
    async () =>
      Promise.all(
        (await listKeys(name)).map(async (k): Promise<Key> => {
          const last = (await unless("AccessDenied", () => send(new GetAccessKeyLastUsedCommand({ AccessKeyId: k.AccessKeyId }))))?.AccessKeyLastUsed;
          return { ...k, used: last?.LastUsedDate, service: last?.ServiceName, description: tags.find((t) => t.Key === k.AccessKeyId)?.Value };
        }),
      ),
    [name, tags],
    30_000,
  );
  const [doomed, doom] = useState<Key>();
  const [toggled, toggle] = useState<Key>();
  const full = (keys.data?.length ?? 0) >= 2;
  const create = to(["iam", "users", "details", name, "create-access-key"]);
  return (
    <>
      <List
        variant="container"
        title="Access keys"
        description="Use access keys to send programmatic calls from the AWS CLI, AWS SDKs, or direct API calls. A user has at most two."
        items={keys}
        id={(k) => k.AccessKeyId ?? ""}
        columns={[
          { id: "id", header: "Access key ID", text: (k) => k.AccessKeyId, cell: (k) => <Copy text={k.AccessKeyId ?? ""} what="Access key ID" /> },
          { id: "description", header: "Description", text: (k) => k.description },
          { id: "status", header: "Status", text: (k) => k.Status, cell: (k) => <StatusIndicator type={k.Status === "Active" ? "success" : "stopped"}>{k.Status}</StatusIndicator> },
          { id: "used", header: "Last used", text: (k) => k.used, cell: (k) => (k.used ? `${ago(k.used)}${k.service ? `, ${k.service}` : ""}` : "Never") },
          { id: "created", header: "Created", text: (k) => k.CreateDate, cell: (k) => time(k.CreateDate) },
          {
            id: "actions",
            header: "Actions",
            text: () => "",
            cell: (k) => (
              <ButtonDropdown
                variant="inline-icon"
                ariaLabel={`Actions of ${k.AccessKeyId}`}
                expandToViewport
                items={[
                  { id: "toggle", text: k.Status === "Active" ? "Deactivate" : "Activate" },
                  { id: "delete", text: "Delete", disabled: k.Status === "Active", disabledReason: "Deactivate it first." },
                ]}
                onItemClick={({ detail }) => (detail.id === "delete" ? doom(k) : toggle(k))}
              />
            ),
          },
        ]}
        empty={{ title: "No access keys", text: "As a best practice, avoid using long-term credentials like access keys.", action: <Button href={create}>Create access key</Button> }}
        actions={() =>
          keys.data?.length ? (
            <Button href={create} disabled={full} disabledReason="The user has two access keys already.">
              Create access key
            </Button>
          ) : null
        }
      />
      {toggled && (
        <ConfirmModal
          title={`${toggled.Status === "Active" ? "Deactivate" : "Activate"} ${toggled.AccessKeyId}?`}
          verb={toggled.Status === "Active" ? "Deactivate" : "Activate"}
          onDismiss={() => toggle(undefined)}
          onConfirm={async () => {
            await send(new UpdateAccessKeyCommand({ UserName: name, AccessKeyId: toggled.AccessKeyId, Status: toggled.Status === "Active" ? "Inactive" : "Active" }));
            await keys.reload();
          }}
        >
          {toggled.Status === "Active" ? <Box>Requests signed with it are refused from now on. It can be activated again.</Box> : <Box>Requests signed with it are answered again.</Box>}
        </ConfirmModal>
      )}
      {doomed && (
        <ConfirmModal
          title={`Delete ${doomed.AccessKeyId}?`}
          verb="Delete"
          typed={doomed.AccessKeyId}
          onDismiss={() => doom(undefined)}
          onConfirm={async () => {
            await send(new DeleteAccessKeyCommand({ UserName: name, AccessKeyId: doomed.AccessKeyId }));
            notify({ type: "success", content: `Access key ${doomed.AccessKeyId} deleted.` });
            await keys.reload();
          }}
        >
          This cannot be undone. Last used: {doomed.used ? time(doomed.used) : "never"}.
        </ConfirmModal>
      )}
    </>
  );
}
