import type { ButtonDropdownProps } from "@cloudscape-design/components/button-dropdown";
import { UpdateCertificateCommand } from "@aws-sdk/client-iot";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { useLoad } from "../../../kit/load";
import { useMany } from "../../../kit/many";
import { attachPolicy, attachThing, deleteCertificate, listPolicies, pageOfThings, send } from "../api";
import { policyColumns, thingColumns } from "../columns";
import { Pick } from "../Pick";

export type ActionId = "activate" | "deactivate" | "revoke" | "delete" | "policy" | "thing" | "download";

/** What can be done with certificates of those statuses. */
export function actionItems(statuses: (string | undefined)[], one = false): ButtonDropdownProps.Items {
  const all = (status: string) => statuses.every((s) => s === status);
  return [
    { id: "activate", text: "Activate", disabled: all("ACTIVE") },
    { id: "deactivate", text: "Deactivate", disabled: all("INACTIVE") },
    { id: "revoke", text: "Revoke", disabled: all("REVOKED") },
    { id: "delete", text: "Delete" },
    { id: "policy", text: "Attach policy" },
    { id: "thing", text: "Attach thing" },
    ...(one ? [{ id: "download", text: "Download" }] : []),
  ];
}

interface Of {
  id: string;
  arn: string;
}

interface Props {
  id: ActionId;
  of: Of[];
  onDismiss: () => void;
  onDone: () => Promise<void>;
}

const statuses = { activate: "ACTIVE", deactivate: "INACTIVE", revoke: "REVOKED" } as const;
const verbs = { activate: "Activate", deactivate: "Deactivate", revoke: "Revoke", delete: "Delete" };
const meanings = {
  activate: "Devices that have it may connect, and do what its policies allow.",
  deactivate: "Devices that have it cannot connect, and open connections end. It can be activated again.",
  revoke: "Devices that have it cannot connect, and open connections end. Revoke a certificate whose key may be in other hands.",
  delete: "Its policies and things are detached, then it is deleted. This cannot be undone.",
};

/** CertificateAction asks before something is done with certificates, and does it. */
export function CertificateAction(p: Props) {
  if (p.id === "policy") return <AttachPolicy {...p} />;
  if (p.id === "thing") return <AttachThing {...p} />;
  if (p.id === "download") return null;
  return <Change {...p} id={p.id} />;
}

const called = (of: Of[]) => (of.length === 1 ? `certificate ${of[0]?.id.slice(0, 10)}…` : `${of.length} certificates`);

function Change({ id, of, onDismiss, onDone }: Props & { id: keyof typeof verbs }) {
  const notify = useNotify();
  return (
    <ConfirmModal
      title={`${verbs[id]} ${called(of)}?`}
      verb={verbs[id]}
      typed={id === "delete" ? "delete" : undefined}
      onDismiss={onDismiss}
      onConfirm={async () => {
        for (const c of of) {
          if (id === "delete") await deleteCertificate(c.id);
          else await send(new UpdateCertificateCommand({ certificateId: c.id, newStatus: statuses[id] }));
        }
        notify({ type: "success", content: `${called(of).replace(/^c/, "C")} ${id}${id.endsWith("e") ? "d" : "ed"}.` });
        await onDone();
      }}
    >
      {meanings[id]}
    </ConfirmModal>
  );
}

function AttachPolicy({ of, onDismiss, onDone }: Props) {
  const notify = useNotify();
  const policies = useLoad(listPolicies, []);
  return (
    <Pick
      title="Attach policies to certificate(s)"
      verb="Attach"
      what="Policies"
      items={policies}
      id={(x) => x.policyName ?? ""}
      columns={policyColumns}
      empty="There are no policies. They are created under Secure."
      onDismiss={onDismiss}
      onPick={async (picked) => {
        for (const c of of) for (const x of picked) await attachPolicy(x.policyName ?? "", c.arn);
        notify({ type: "success", content: `${picked.map((x) => x.policyName).join(", ")} attached.` });
        await onDone();
      }}
    />
  );
}

function AttachThing({ of, onDismiss, onDone }: Props) {
  const notify = useNotify();
  const things = useMany((next) => pageOfThings({}, next), [], "things");
  return (
    <Pick
      title="Attach things to certificate(s)"
      verb="Attach"
      what="Things"
      items={things}
      id={(x) => x.thingName ?? ""}
      columns={thingColumns}
      empty="There are no things. They are created under Manage."
      onDismiss={onDismiss}
      onPick={async (picked) => {
        for (const c of of) for (const x of picked) await attachThing(x.thingName ?? "", c.arn);
        notify({ type: "success", content: `${picked.map((x) => x.thingName).join(", ")} attached.` });
        await onDone();
      }}
    />
  );
}
