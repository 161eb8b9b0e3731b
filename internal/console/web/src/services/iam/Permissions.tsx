import Badge from "@cloudscape-design/components/badge";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Link from "@cloudscape-design/components/link";
import type { Policy } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../frame/notices";
import { go, to } from "../../frame/route";
import { ConfirmModal } from "../../kit/ConfirmModal";
import { List } from "../../kit/ListPage";
import { useLoad } from "../../kit/load";
import { holders, type Holder } from "./api";
import { isAWS, PolicyPicker } from "./PolicyPicker";

interface Held {
  name: string;
  arn?: string; // of a managed policy
  type: "Customer managed" | "AWS managed" | "Inline";
}

export const folder: Record<Holder["kind"], string> = { user: "users", group: "groups", role: "roles" };

/** Permissions shows and changes the policies of a user, a group or a role. */
export function Permissions({ kind, name }: { kind: Holder["kind"]; name: string }) {
  const holder = holders[kind];
  const notify = useNotify();
  const held = useLoad(
    async (): Promise<Held[]> => {
      const [attached, inline] = await Promise.all([holder.attached(name), holder.inline(name)]);
      return [
        ...attached.map((p): Held => ({ name: p.PolicyName ?? "", arn: p.PolicyArn, type: isAWS(p.PolicyArn) ? "AWS managed" : "Customer managed" })),
        ...inline.map((p): Held => ({ name: p, type: "Inline" })),
      ];
    },
    [kind, name],
    30_000,
  );
  const [selected, select] = useState<Held[]>([]);
  const [dialog, setDialog] = useState<"attach" | "remove">();
  const [picked, pick] = useState<Policy[]>([]);
  const close = () => {
    setDialog(undefined);
    pick([]);
  };
  return (
    <>
      <List
        variant="container"
        title="Permissions policies"
        description={`Permissions are defined by policies attached to the ${kind} directly${kind === "user" ? " or through groups" : ""}.`}
        items={held}
        id={(p) => p.name + p.type}
        columns={[
          {
            id: "name",
            header: "Policy name",
            text: (p) => p.name,
            cell: (p) => <Link href={p.arn ? to(["iam", "policies", "details", p.arn]) : to(["iam", folder[kind], "details", name, "inline", p.name])}>{p.name}</Link>,
          },
          { id: "type", header: "Type", text: (p) => p.type, cell: (p) => (p.type === "Inline" ? <Badge>{p.type}</Badge> : p.type) },
        ]}
        filter="Search policies"
        empty={{ title: "No policies", text: `No policies are attached to this ${kind}.`, action: <Button onClick={() => setDialog("attach")}>Attach policies</Button> }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => setDialog("remove")}>
              Remove
            </Button>
            <ButtonDropdown
              items={[
                { id: "attach", text: "Attach policies" },
                { id: "inline", text: "Create inline policy" },
              ]}
              onItemClick={({ detail }) => (detail.id === "attach" ? setDialog("attach") : go(to(["iam", folder[kind], "details", name, "create-inline"])))}
            >
              Add permissions
            </ButtonDropdown>
          </>
        )}
      />
      {dialog === "attach" && (
        <ConfirmModal
          title={`Attach policies to ${name}`}
          verb="Attach policies"
          large
          ready={picked.length > 0}
          onDismiss={close}
          onConfirm={async () => {
            for (const p of picked) await holder.attach(name, p.Arn ?? "");
            notify({ type: "success", content: `${picked.length === 1 ? "Policy" : `${picked.length} policies`} attached to ${name}.` });
            await held.reload();
          }}
        >
          <PolicyPicker selected={picked} onSelect={pick} except={held.data?.flatMap((p) => p.arn ?? []) ?? []} />
        </ConfirmModal>
      )}
      {dialog === "remove" && (
        <ConfirmModal
          title={`Remove ${selected.length === 1 ? selected[0]?.name : `${selected.length} policies`}?`}
          verb="Remove policy"
          onDismiss={close}
          onConfirm={async () => {
            for (const p of selected) await (p.arn ? holder.detach(name, p.arn) : holder.remove(name, p.name));
            select([]);
            notify({ type: "success", content: `Removed from ${name}.` });
            await held.reload();
          }}
        >
          Managed policies are detached from this {kind}. Inline policies are deleted.
        </ConfirmModal>
      )}
    </>
  );
}
