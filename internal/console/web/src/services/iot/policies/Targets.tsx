import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { useLoad } from "../../../kit/load";
import { useMany } from "../../../kit/many";
import { attachPolicy, detachPolicy, listGroups, pageOfCertificates, targetsOf } from "../api";
import { Attached } from "../Attached";
import { certificateColumns, groupColumns, Principal } from "../columns";
import Button from "@cloudscape-design/components/button";
import { lastOf } from "../names";
import { Pick } from "../Pick";

const kindOf = (arn: string) => (arn.includes(":cert/") ? "Certificate" : arn.includes(":thinggroup/") ? "Thing group" : "Other");

/** Targets is what a policy is attached to. */
export function Targets({ name }: { name: string }) {
  const notify = useNotify();
  const targets = useLoad(() => targetsOf(name), [name], 15_000);
  const [asking, ask] = useState<"certificates" | "groups">();
  const attach = async (arns: string[]) => {
    for (const arn of arns) await attachPolicy(name, arn);
    notify({ type: "success", content: `${name} attached to ${arns.length === 1 ? lastOf(arns[0]).slice(0, 64) : arns.length}.` });
    await targets.reload();
  };
  return (
    <>
      <Attached
        title="Targets"
        description="Certificates and thing groups that have this policy."
        items={targets}
        id={(arn) => lastOf(arn)}
        columns={[
          { id: "name", header: "Target", text: (arn) => lastOf(arn), cell: (arn) => <Principal arn={arn} /> },
          { id: "kind", header: "Type", text: kindOf, width: 140 },
          { id: "arn", header: "ARN", text: (arn) => arn },
        ]}
        one="target"
        whose="this policy"
        empty="The policy is attached to nothing."
        more={<Button onClick={() => ask("groups")}>Attach to thing groups</Button>}
        attach="Attach to certificates"
        onAttach={() => ask("certificates")}
        onDetach={(arn) => detachPolicy(name, arn)}
        warning="What only this policy allows is denied from now on, on open connections too."
      />
      {asking === "certificates" && <Certificates name={name} has={targets.data ?? []} onPick={attach} onDismiss={() => ask(undefined)} />}
      {asking === "groups" && <Groups name={name} has={targets.data ?? []} onPick={attach} onDismiss={() => ask(undefined)} />}
    </>
  );
}

interface Props {
  name: string;
  has: string[];
  onPick: (arns: string[]) => Promise<void>;
  onDismiss: () => void;
}

function Certificates({ name, has, onPick, onDismiss }: Props) {
  const certificates = useMany(pageOfCertificates, [], "certificates");
  return (
    <Pick
      title={`Attach ${name} to certificates`}
      verb="Attach"
      what="Certificates"
      items={certificates}
      id={(c) => c.certificateId ?? ""}
      columns={certificateColumns}
      except={has.map(lastOf)}
      empty="There are no other certificates."
      onPick={(picked) => onPick(picked.map((c) => c.certificateArn ?? ""))}
      onDismiss={onDismiss}
    />
  );
}

function Groups({ name, has, onPick, onDismiss }: Props) {
  const groups = useLoad(() => listGroups(), []);
  return (
    <Pick
      title={`Attach ${name} to thing groups`}
      verb="Attach"
      what="Thing groups"
      items={groups}
      id={(g) => g.groupName ?? ""}
      columns={groupColumns}
      except={has.filter((arn) => kindOf(arn) === "Thing group").map(lastOf)}
      empty="There are no other thing groups."
      onPick={(picked) => onPick(picked.map((g) => g.groupArn ?? ""))}
      onDismiss={onDismiss}
    />
  );
}
