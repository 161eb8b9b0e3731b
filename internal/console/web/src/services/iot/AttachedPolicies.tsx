import { useState } from "react";
import { useNotify } from "../../frame/notices";
import { useLoad, type Loaded } from "../../kit/load";
import type { Policy } from "@aws-sdk/client-iot";
import { attachPolicy, detachPolicy, listPolicies, never, policiesOf } from "./api";
import { Attached } from "./Attached";
import { policyColumns } from "./columns";
import { Pick } from "./Pick";

/** usePoliciesOf is the policies of something, by its ARN: nothing yet where that is empty. */
export const usePoliciesOf = (target: string) => useLoad(() => (target ? policiesOf(target) : never), [target], 15_000);

/** AttachedPolicies shows and changes the policies of a certificate or a thing group. */
export function AttachedPolicies({ target, policies, whose }: { target: string; policies: Loaded<Policy[]>; whose: string }) {
  const [asking, ask] = useState(false);
  return (
    <>
      <Attached
        title="Policies"
        description={`What devices of ${whose} may do.`}
        items={policies}
        id={(p) => p.policyName ?? ""}
        columns={policyColumns}
        one="policy"
        whose={whose}
        empty={`No policies are attached to ${whose}.${target.includes(":cert/") ? " Without one nothing is allowed." : ""}`}
        attach="Attach policies"
        onAttach={() => ask(true)}
        onDetach={(p) => detachPolicy(p.policyName ?? "", target)}
        warning="What only this policy allows is denied from now on, on open connections too."
      />
      {asking && <AttachPolicies target={target} has={policies.data ?? []} onDismiss={() => ask(false)} onDone={policies.reload} />}
    </>
  );
}

/** AttachPolicies asks which policies to attach to something. */
export function AttachPolicies({ target, has, onDismiss, onDone }: { target: string; has: Policy[]; onDismiss: () => void; onDone: () => Promise<void> }) {
  const notify = useNotify();
  const policies = useLoad(listPolicies, []);
  return (
    <Pick
      title="Attach policies"
      verb="Attach"
      what="Policies"
      items={policies}
      id={(p) => p.policyName ?? ""}
      columns={policyColumns}
      except={has.map((p) => p.policyName ?? "")}
      empty="There are no other policies. Policies are created under Secure."
      onPick={async (picked) => {
        for (const p of picked) await attachPolicy(p.policyName ?? "", target);
        notify({ type: "success", content: `${picked.map((p) => p.policyName).join(", ")} attached.` });
        await onDone();
      }}
      onDismiss={onDismiss}
    />
  );
}
