import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { DeletePolicyVersionCommand, GetPolicyVersionCommand, SetDefaultPolicyVersionCommand, type PolicyVersion } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { CopyButton } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { JsonEditor } from "../../../kit/JsonEditor";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { laidOut } from "../../../policy/layout";
import { listVersions, send } from "../api";

interface Props {
  name: string;
  active: string;
  onChanged: () => Promise<void>;
}

/** Versions shows the versions of a policy; the selected one's document, else the active one's. */
export function Versions({ name, active, onChanged }: Props) {
  const notify = useNotify();
  const versions = useLoad(() => listVersions(name), [name, active], 15_000);
  const [selected, select] = useState<PolicyVersion[]>([]);
  const [asking, ask] = useState<"default" | "delete">();
  const id = selected[0]?.versionId ?? active;
  const document = useLoad(async () => laidOut((await send(new GetPolicyVersionCommand({ policyName: name, policyVersionId: id }))).policyDocument ?? ""), [name, id]);
  const done = async (text: string) => {
    notify({ type: "success", content: text });
    select([]);
    await Promise.all([versions.reload(), onChanged()]);
  };
  return (
    <SpaceBetween size="l">
      <List
        variant="container"
        title="All versions"
        description="A policy can have up to five versions. The active one decides; a change takes effect at once, on open connections too."
        items={versions}
        id={(v) => v.versionId ?? ""}
        columns={[
          { id: "version", header: "Version", text: (v) => Number(v.versionId) },
          { id: "status", header: "Status", text: (v) => (v.isDefaultVersion ? "Active" : "Inactive"), cell: (v) => <StatusIndicator type={v.isDefaultVersion ? "success" : "stopped"}>{v.isDefaultVersion ? "Active" : "Inactive"}</StatusIndicator> },
          { id: "created", header: "Created", text: (v) => v.createDate, cell: (v) => time(v.createDate) },
        ]}
        empty={{ title: "No versions" }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={!still[0] || still[0].isDefaultVersion} onClick={() => ask("delete")}>
              Delete version
            </Button>
            <Button disabled={!still[0] || still[0].isDefaultVersion} onClick={() => ask("default")}>
              Set as active
            </Button>
            <Button href={to(["iot", "policies", "details", name, "edit"], { version: selected[0] ? id : undefined })}>Edit version</Button>
          </>
        )}
      />
      <Part of={document}>
        {(text) => (
          <Container header={<Header variant="h2" actions={<CopyButton text={text} what="Policy" />}>{id === active ? `Active version: ${id}` : `Version ${id}`}</Header>}>
            <JsonEditor key={id} label={`Version ${id}`} value={text} height={320} />
          </Container>
        )}
      </Part>
      {asking === "default" && (
        <ConfirmModal
          title={`Set version ${id} as active?`}
          verb="Set as active"
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            await send(new SetDefaultPolicyVersionCommand({ policyName: name, policyVersionId: id }));
            await done(`Version ${id} of ${name} is active.`);
          }}
        >
          It decides from now on for all that have the policy, on open connections too.
        </ConfirmModal>
      )}
      {asking === "delete" && (
        <ConfirmModal
          title={`Delete version ${id}?`}
          verb="Delete"
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            await send(new DeletePolicyVersionCommand({ policyName: name, policyVersionId: id }));
            await done(`Version ${id} of ${name} deleted.`);
          }}
        >
          This cannot be undone.
        </ConfirmModal>
      )}
    </SpaceBetween>
  );
}
