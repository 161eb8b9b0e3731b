import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { GetRoleCommand, ListRoleTagsCommand, TagRoleCommand, UntagRoleCommand, UpdateAssumeRolePolicyCommand, UpdateRoleCommand, type Role } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage, Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { time } from "../../../kit/format";
import { JsonEditor } from "../../../kit/JsonEditor";
import { useLoad } from "../../../kit/load";
import { TagsTab, type Tag } from "../../../kit/Tags";
import { laidOut } from "../../../policy/layout";
import { all } from "../../../session/aws";
import type { Params } from "../../service";
import { decoded, send } from "../api";
import { Permissions } from "../Permissions";
import { PolicyEditor, useDocument } from "../PolicyEditor";
import { DeleteRole } from "./Roles";
import { trusted } from "./trust";

/** RoleDetail is the screen of a role. */
export function RoleDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const role = useLoad(async () => (await send(new GetRoleCommand({ RoleName: name }))).Role, [name], 30_000);
  const tags = useLoad(() => all((Marker) => send(new ListRoleTagsCommand({ RoleName: name, Marker })), (p) => p.Tags as Tag[] | undefined, (p) => p.Marker), [name]);
  const [dialog, setDialog] = useState<"delete" | "edit">();
  return (
    <>
      <DetailPage
        title={name}
        description={role.data?.Description}
        of={role}
        summary={(r) => [
          { label: "ARN", value: <Copy text={r.Arn ?? ""} what="ARN" /> },
          { label: "Creation date", value: time(r.CreateDate) },
          { label: "Last activity", value: r.RoleLastUsed?.LastUsedDate ? time(r.RoleLastUsed.LastUsedDate) : "-" },
          { label: "Maximum session duration", value: `${(r.MaxSessionDuration ?? 3600) / 3600} h` },
          { label: "Trusted entities", value: trusted(decoded(r.AssumeRolePolicyDocument)).join(", ") || "-" },
          { label: "Permissions boundary", value: r.PermissionsBoundary?.PermissionsBoundaryArn ?? "Not set" },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => setDialog("delete")}>Delete</Button>
            <Button onClick={() => setDialog("edit")}>Edit</Button>
          </SpaceBetween>
        )}
        tabs={(r) => [
          { id: "permissions", label: "Permissions", content: <Permissions kind="role" name={name} /> },
          {
            id: "trust",
            label: "Trust relationships",
            content: (
              <Container header={<Header variant="h2" description="Entities that can assume this role under specified conditions." actions={<Button href={to(["iam", "roles", "details", name, "trust"])}>Edit trust policy</Button>}>Trusted entities</Header>}>
                <JsonEditor label="Trust policy" value={laidOut(decoded(r.AssumeRolePolicyDocument))} height={280} />
              </Container>
            ),
          },
          {
            id: "tags",
            label: "Tags",
            content: (
              <TagsTab
                tags={tags}
                save={async (set, remove) => {
                  if (set.length) await send(new TagRoleCommand({ RoleName: name, Tags: set }));
                  if (remove.length) await send(new UntagRoleCommand({ RoleName: name, TagKeys: remove }));
                }}
              />
            ),
          },
        ]}
      />
      {dialog === "edit" && role.data && <Edit role={role.data} onDismiss={() => setDialog(undefined)} onDone={role.reload} />}
      {dialog === "delete" && (
        <DeleteRole
          name={name}
          onDismiss={() => setDialog(undefined)}
          onDeleted={() => {
            notify({ type: "success", content: `Role ${name} deleted.` });
            go("#/iam/roles");
          }}
        />
      )}
    </>
  );
}

function Edit({ role, onDismiss, onDone }: { role: Role; onDismiss: () => void; onDone: () => Promise<void> }) {
  const [description, setDescription] = useState(role.Description ?? "");
  const [hours, setHours] = useState(String((role.MaxSessionDuration ?? 3600) / 3600));
  const seconds = Math.round(Number(hours) * 3600);
  const good = seconds >= 3600 && seconds <= 43200;
  return (
    <ConfirmModal
      title={`Edit ${role.RoleName}`}
      verb="Save changes"
      ready={good}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new UpdateRoleCommand({ RoleName: role.RoleName, Description: description, MaxSessionDuration: seconds }));
        await onDone();
      }}
    >
      <FormField label="Description" constraintText="Up to 1,000 characters.">
        <Textarea value={description} onChange={({ detail }) => setDescription(detail.value)} rows={2} />
      </FormField>
      <FormField label="Maximum session duration, in hours" errorText={!good && "From 1 to 12 hours."}>
        <Input type="number" value={hours} onChange={({ detail }) => setHours(detail.value)} />
      </FormField>
    </ConfirmModal>
  );
}

/** TrustEdit changes who may assume a role. */
export function TrustEdit({ params: { name = "" } }: { params: Params }) {
  const now = useLoad(async () => laidOut(decoded((await send(new GetRoleCommand({ RoleName: name }))).Role?.AssumeRolePolicyDocument)), [name]);
  return <Part of={now}>{(document) => <TrustForm name={name} start={document} />}</Part>;
}

function TrustForm({ name, start }: { name: string; start: string }) {
  const notify = useNotify();
  const document = useDocument(start, "trust");
  const [fault, setFault] = useState<string>();
  const back = to(["iam", "roles", "details", name], { tab: "trust" });
  return (
    <FormPage
      title="Edit trust policy"
      description={`Who may assume ${name}.`}
      submit="Update policy"
      onCancel={() => go(back)}
      onSubmit={async () => {
        const wrong = await document.fault();
        setFault(wrong);
        if (wrong) return;
        try {
          await send(new UpdateAssumeRolePolicyCommand({ RoleName: name, PolicyDocument: document.text }));
        } catch (e) {
          document.refuse(document.text, e);
          throw e;
        }
        notify({ type: "success", content: "Trust policy updated." });
        go(back);
      }}
    >
      <Container>
        <SpaceBetween size="m">
          <PolicyEditor document={document} kind="trust" label="Trust policy" />
          {fault && <Alert type="error">{fault}</Alert>}
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
