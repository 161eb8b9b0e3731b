import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { DeletePolicyVersionCommand, GetPolicyCommand, GetPolicyVersionCommand, SetDefaultPolicyVersionCommand, TagPolicyCommand, UntagPolicyCommand, ListPolicyTagsCommand, type PolicyVersion } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage, Part } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { JsonEditor } from "../../../kit/JsonEditor";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { TagsTab, type Tag } from "../../../kit/Tags";
import { laidOut } from "../../../policy/layout";
import { all } from "../../../session/aws";
import type { Params } from "../../service";
import { decoded, entities, holders, listGroups, listRoles, listUsers, listVersions, send, type Entity } from "../api";
import { folder } from "../Permissions";
import { isAWS } from "../PolicyPicker";
import { DeletePolicy } from "./Policies";
import { SummaryTable } from "./SummaryTable";

/** PolicyDetail is the screen of a managed policy. */
export function PolicyDetail({ params: { arn = "" } }: { params: Params }) {
  const notify = useNotify();
  const [doomed, setDoomed] = useState(false);
  const policy = useLoad(
    async () => {
      const { Policy } = await send(new GetPolicyCommand({ PolicyArn: arn }));
      const version = await send(new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: Policy?.DefaultVersionId }));
      return { ...Policy, document: laidOut(decoded(version.PolicyVersion?.Document)) };
    },
    [arn],
    30_000,
  );
  const tags = useLoad(() => all((Marker) => send(new ListPolicyTagsCommand({ PolicyArn: arn, Marker })), (p) => p.Tags as Tag[] | undefined, (p) => p.Marker), [arn]);
  const own = !isAWS(arn);
  return (
    <>
      <DetailPage
        title={arn.split("/").at(-1) ?? arn}
        of={policy}
        summaryTitle="Policy details"
        summary={(p) => [
          { label: "ARN", value: <Copy text={arn} what="ARN" /> },
          { label: "Type", value: own ? "Customer managed" : "AWS managed" },
          { label: "Default version", value: p.DefaultVersionId },
          { label: "Creation time", value: time(p.CreateDate) },
          { label: "Edited time", value: time(p.UpdateDate) },
          { label: "Description", value: p.Description || "-" },
        ]}
        actions={() =>
          own && (
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={() => setDoomed(true)}>Delete</Button>
              <Button href={to(["iam", "policies", "details", arn, "edit"])}>Edit</Button>
            </SpaceBetween>
          )
        }
        tabs={(p) => [
          { id: "permissions", label: "Permissions", content: <Document document={p.document} edit={own ? to(["iam", "policies", "details", arn, "edit"]) : undefined} /> },
          { id: "entities", label: "Entities attached", content: <Entities arn={arn} name={p.PolicyName ?? arn} /> },
          {
            id: "tags",
            label: "Tags",
            content: (
              <TagsTab
                tags={tags}
                save={async (set, remove) => {
                  if (set.length) await send(new TagPolicyCommand({ PolicyArn: arn, Tags: set }));
                  if (remove.length) await send(new UntagPolicyCommand({ PolicyArn: arn, TagKeys: remove }));
                }}
              />
            ),
          },
          { id: "versions", label: "Policy versions", content: <Versions arn={arn} onChanged={policy.reload} own={own} /> },
        ]}
      />
      {doomed && policy.data && (
        <DeletePolicy
          policy={policy.data}
          onDismiss={() => setDoomed(false)}
          onDeleted={() => {
            notify({ type: "success", content: `Policy ${policy.data?.PolicyName} deleted.` });
            go("#/iam/policies");
          }}
        />
      )}
    </>
  );
}

/** A document as a summary or as JSON. */
export function Document({ document, edit }: { document: string; edit?: string }) {
  const [as, setAs] = useState("summary");
  return (
    <SpaceBetween size="m">
      <SpaceBetween direction="horizontal" size="xs">
        <SegmentedControl
          label="View as"
          selectedId={as}
          onChange={({ detail }) => setAs(detail.selectedId)}
          options={[
            { id: "summary", text: "Summary" },
            { id: "json", text: "JSON" },
          ]}
        />
        {edit && <Button href={edit}>Edit policy</Button>}
      </SpaceBetween>
      {as === "summary" ? (
        <SummaryTable document={document} />
      ) : (
        <Container header={<Header variant="h2" actions={<Copy text={document} what="Policy" />}>JSON</Header>}>
          <JsonEditor label="Policy document" value={document} />
        </Container>
      )}
    </SpaceBetween>
  );
}

function Versions({ arn, own, onChanged }: { arn: string; own: boolean; onChanged: () => Promise<void> }) {
  const notify = useNotify();
  const versions = useLoad(() => listVersions(arn), [arn], 30_000);
  const [selected, select] = useState<PolicyVersion[]>([]);
  const [dialog, setDialog] = useState<"default" | "delete">();
  const version = selected[0];
  const shown = useLoad(
    async () => (version ? laidOut(decoded((await send(new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: version.VersionId }))).PolicyVersion?.Document)) : undefined),
    [arn, version?.VersionId],
  );
  const done = async (text: string) => {
    notify({ type: "success", content: text });
    select([]);
    await Promise.all([versions.reload(), onChanged()]);
  };
  return (
    <SpaceBetween size="m">
      <List
        variant="container"
        title="Policy versions"
        description="A managed policy can have up to five versions. The default version is the one in force."
        items={versions}
        id={(v) => v.VersionId ?? ""}
        columns={[
          { id: "version", header: "Version", text: (v) => v.VersionId, cell: (v) => (v.IsDefaultVersion ? <StatusIndicator type="success">{v.VersionId} (default)</StatusIndicator> : v.VersionId) },
          { id: "created", header: "Creation time", text: (v) => v.CreateDate, cell: (v) => time(v.CreateDate) },
        ]}
        empty={{ title: "No versions" }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) =>
          own && (
            <>
              <Button disabled={!still[0] || still[0].IsDefaultVersion} onClick={() => setDialog("delete")}>
                Delete
              </Button>
              <Button disabled={!still[0] || still[0].IsDefaultVersion} onClick={() => setDialog("default")}>
                Set as default
              </Button>
            </>
          )
        }
      />
      {version && (
        <Part of={shown}>
          {(text) =>
            text !== undefined && (
              <Container header={<Header variant="h2">Version {version.VersionId}</Header>}>
                <JsonEditor key={version.VersionId} label={`Version ${version.VersionId}`} value={text} />
              </Container>
            )
          }
        </Part>
      )}
      {dialog === "default" && version && (
        <ConfirmModal
          title={`Set ${version.VersionId} as default?`}
          verb="Set as default"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            await send(new SetDefaultPolicyVersionCommand({ PolicyArn: arn, VersionId: version.VersionId }));
            await done(`Version ${version.VersionId} is in force.`);
          }}
        >
          It decides from the next request on, for all that the policy is attached to.
        </ConfirmModal>
      )}
      {dialog === "delete" && version && (
        <ConfirmModal
          title={`Delete version ${version.VersionId}?`}
          verb="Delete"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            await send(new DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: version.VersionId }));
            await done(`Version ${version.VersionId} deleted.`);
          }}
        >
          This cannot be undone.
        </ConfirmModal>
      )}
    </SpaceBetween>
  );
}

const kindNames = { user: "IAM user", group: "User group", role: "Role" };

function Entities({ arn, name }: { arn: string; name: string }) {
  const notify = useNotify();
  const has = useLoad(() => entities(arn), [arn], 30_000);
  const [selected, select] = useState<Entity[]>([]);
  const [dialog, setDialog] = useState<"attach" | "detach">();
  return (
    <>
      <EntityList
        title="Entities attached"
        items={has}
        selected={selected}
        onSelect={select}
        empty="The policy is attached to nobody."
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => setDialog("detach")}>
              Detach
            </Button>
            <Button onClick={() => setDialog("attach")}>Attach</Button>
          </>
        )}
      />
      {dialog === "attach" && (
        <AttachTo
          arn={arn}
          name={name}
          has={has.data ?? []}
          onDismiss={() => setDialog(undefined)}
          onDone={async (count) => {
            notify({ type: "success", content: `${name} attached to ${count === 1 ? "1 entity" : `${count} entities`}.` });
            await has.reload();
          }}
        />
      )}
      {dialog === "detach" && (
        <ConfirmModal
          title={`Detach ${name}?`}
          verb="Detach policy"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            for (const e of selected) await holders[e.kind].detach(e.name, arn);
            select([]);
            notify({ type: "success", content: `${name} detached.` });
            await has.reload();
          }}
        >
          {selected.map((e) => `${kindNames[e.kind]} ${e.name}`).join(", ")}: what only this policy allows is denied from now on.
        </ConfirmModal>
      )}
    </>
  );
}

function AttachTo({ arn, name, has, onDismiss, onDone }: { arn: string; name: string; has: Entity[]; onDismiss: () => void; onDone: (count: number) => Promise<void> }) {
  const [picked, pick] = useState<Entity[]>([]);
  const everybody = useLoad(async () => {
    const [users, groups, roles] = await Promise.all([listUsers(), listGroups(), listRoles()]);
    const list: Entity[] = [
      ...users.map((u): Entity => ({ kind: "user", name: u.UserName ?? "" })),
      ...groups.map((g): Entity => ({ kind: "group", name: g.GroupName ?? "" })),
      ...roles.map((r): Entity => ({ kind: "role", name: r.RoleName ?? "" })),
    ];
    return list.filter((e) => !has.some((h) => h.kind === e.kind && h.name === e.name));
  }, []);
  return (
    <ConfirmModal
      title={`Attach ${name}`}
      verb="Attach policy"
      large
      ready={picked.length > 0}
      onDismiss={onDismiss}
      onConfirm={async () => {
        for (const e of picked) await holders[e.kind].attach(e.name, arn);
        await onDone(picked.length);
      }}
    >
      <EntityList title="IAM entities" items={everybody} selected={picked} onSelect={pick} empty="There are no users, groups and roles without this policy." />
    </ConfirmModal>
  );
}

function EntityList(p: { title: string; items: ReturnType<typeof useLoad<Entity[]>>; selected: Entity[]; onSelect: (s: Entity[]) => void; empty: string; actions?: (still: Entity[]) => React.ReactNode }) {
  return (
    <List
      variant="container"
      title={p.title}
      items={p.items}
      id={(e) => `${e.kind} ${e.name}`}
      columns={[
        { id: "name", header: "Entity name", text: (e) => e.name, cell: (e) => <Link href={to(["iam", folder[e.kind], "details", e.name])}>{e.name}</Link> },
        { id: "kind", header: "Entity type", text: (e) => kindNames[e.kind] },
      ]}
      filter="Search entities"
      empty={{ title: "No entities", text: p.empty }}
      select="multi"
      selected={p.selected}
      onSelect={p.onSelect}
      actions={p.actions}
      page={20}
    />
  );
}
