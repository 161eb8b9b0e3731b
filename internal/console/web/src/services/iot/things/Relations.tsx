import Button from "@cloudscape-design/components/button";
import { AddThingToBillingGroupCommand, AddThingToThingGroupCommand, DescribeCertificateCommand, RemoveThingFromBillingGroupCommand, RemoveThingFromThingGroupCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { useMany } from "../../../kit/many";
import { attachThing, detachThing, groupsOf, listBillingGroups, listGroups, pageOfCertificates, principalsOf, send, unless } from "../api";
import { Attached } from "../Attached";
import { billingLink, certificateColumns, groupColumns, nameColumn, Principal, Status } from "../columns";
import { lastOf } from "../names";
import { Pick } from "../Pick";

/** Certificates is what a thing connects with. */
export function Certificates({ name }: { name: string }) {
  const notify = useNotify();
  const principals = useLoad(
    async () =>
      Promise.all(
        (await principalsOf(name)).map(async (arn) => ({
          arn,
          // A principal of another kind, or a certificate that one may not describe, is shown by its ARN.
          certificate: arn.includes(":cert/") ? (await unless("UnauthorizedException", () => send(new DescribeCertificateCommand({ certificateId: lastOf(arn) }))))?.certificateDescription : undefined,
        })),
      ),
    [name],
    15_000,
  );
  const [asking, ask] = useState(false);
  return (
    <>
      <Attached
        title="Certificates"
        description="A device that connects with one of these certificates can be this thing."
        items={principals}
        id={(p) => lastOf(p.arn)}
        columns={[
          { id: "id", header: "Certificate ID", text: (p) => lastOf(p.arn), cell: (p) => <Principal arn={p.arn} /> },
          { id: "status", header: "Status", text: (p) => p.certificate?.status, cell: (p) => (p.certificate ? <Status of={p.certificate.status} /> : "-"), width: 140 },
          { id: "created", header: "Created", text: (p) => p.certificate?.creationDate, cell: (p) => time(p.certificate?.creationDate), width: 310 },
        ]}
        one="certificate"
        whose={name}
        empty="No certificates are attached to this thing. Its device needs one to connect."
        more={<Button href="#/iot/certificates/create">Create certificate</Button>}
        attach="Attach certificates"
        onAttach={() => ask(true)}
        onDetach={(p) => detachThing(name, p.arn)}
        warning="Who connects with it is no longer taken for this thing. The certificate stays."
      />
      {asking && (
        <AttachCertificates
          name={name}
          except={principals.data?.map((p) => lastOf(p.arn)) ?? []}
          onDismiss={() => ask(false)}
          onDone={async (count) => {
            notify({ type: "success", content: count === 1 ? "Certificate attached." : `${count} certificates attached.` });
            await principals.reload();
          }}
        />
      )}
    </>
  );
}

function AttachCertificates({ name, except, onDismiss, onDone }: { name: string; except: string[]; onDismiss: () => void; onDone: (count: number) => Promise<void> }) {
  const certificates = useMany(pageOfCertificates, [], "certificates");
  return (
    <Pick
      title={`Attach certificates to ${name}`}
      verb="Attach"
      what="Certificates"
      items={certificates}
      id={(c) => c.certificateId ?? ""}
      columns={certificateColumns}
      except={except}
      empty="There are no other certificates."
      onDismiss={onDismiss}
      onPick={async (picked) => {
        for (const c of picked) await attachThing(name, c.certificateArn ?? "");
        await onDone(picked.length);
      }}
    />
  );
}

/** Groups is the thing groups that a thing is in. */
export function Groups({ name }: { name: string }) {
  const groups = useLoad(() => groupsOf(name), [name], 15_000);
  const [asking, ask] = useState(false);
  return (
    <>
      <Attached
        title="Thing groups"
        items={groups}
        id={(g) => g.groupName ?? ""}
        columns={groupColumns}
        one="thing group"
        whose={name}
        empty="This thing is in no thing group."
        attach="Add to groups"
        detach="Remove"
        onAttach={() => ask(true)}
        onDetach={(g) => send(new RemoveThingFromThingGroupCommand({ thingName: name, thingGroupName: g.groupName }))}
        warning="The policies of the group no longer hold for the thing."
      />
      {asking && (
        <AddToGroups
          name={name}
          except={groups.data?.map((g) => g.groupName ?? "") ?? []}
          onDismiss={() => ask(false)}
          onDone={groups.reload}
        />
      )}
    </>
  );
}

function AddToGroups({ name, except, onDismiss, onDone }: { name: string; except: string[]; onDismiss: () => void; onDone: () => Promise<void> }) {
  const groups = useLoad(() => listGroups(), []);
  return (
    <Pick
      title={`Add ${name} to thing groups`}
      verb="Add"
      what="Thing groups"
      items={groups}
      id={(g) => g.groupName ?? ""}
      columns={groupColumns}
      except={except}
      empty="There are no other thing groups."
      onDismiss={onDismiss}
      onPick={async (picked) => {
        for (const g of picked) await send(new AddThingToThingGroupCommand({ thingName: name, thingGroupName: g.groupName }));
        await onDone();
      }}
    />
  );
}

/** BillingGroups is the billing group that a thing is in: one, or none. */
export function BillingGroups({ name, has, onChanged }: { name: string; has?: string; onChanged: () => Promise<void> }) {
  const [asking, ask] = useState(false);
  return (
    <>
      <Attached
        title="Billing groups"
        description="A thing is in one billing group at most."
        items={{ data: has ? [has] : [], loading: false, reload: onChanged }}
        id={(g) => g}
        columns={[nameColumn("Name", billingLink)]}
        one="billing group"
        whose={name}
        empty="This thing is in no billing group."
        attach={has ? "Change billing group" : "Add to billing group"}
        detach="Remove"
        onAttach={() => ask(true)}
        onDetach={(billingGroupName) => send(new RemoveThingFromBillingGroupCommand({ thingName: name, billingGroupName }))}
        warning="The thing is in no billing group then."
      />
      {asking && <PickBillingGroup name={name} has={has} onDismiss={() => ask(false)} onDone={onChanged} />}
    </>
  );
}

function PickBillingGroup({ name, has, onDismiss, onDone }: { name: string; has?: string; onDismiss: () => void; onDone: () => Promise<void> }) {
  const groups = useLoad(listBillingGroups, []);
  return (
    <Pick
      title={`Billing group of ${name}`}
      verb="Save"
      what="Billing groups"
      single
      items={groups}
      id={(g) => g.groupName ?? ""}
      columns={[{ id: "name", header: "Name", text: (g) => g.groupName }]}
      except={has ? [has] : []}
      empty="There are no other billing groups."
      onDismiss={onDismiss}
      onPick={async ([g]) => {
        // Being in one keeps a thing out of another.
        if (has) await send(new RemoveThingFromBillingGroupCommand({ thingName: name, billingGroupName: has }));
        await send(new AddThingToBillingGroupCommand({ thingName: name, billingGroupName: g?.groupName }));
        await onDone();
      }}
    />
  );
}
