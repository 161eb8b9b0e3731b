import Alert from "@cloudscape-design/components/alert";
import Checkbox from "@cloudscape-design/components/checkbox";
import { CreatePolicyVersionCommand, GetPolicyCommand, GetPolicyVersionCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, usePlace } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { laidOut } from "../../../policy/layout";
import type { Params } from "../../service";
import { listVersions, send } from "../api";
import { policyLink } from "../columns";
import { PolicyStatements, usePolicyStatements } from "./PolicyStatements";
import { usePolicyText } from "./usePolicyText";

/** PolicyEdit makes a new version of a policy from another one's text. */
export function PolicyEdit({ params: { name = "" } }: { params: Params }) {
  const version = usePlace().query.get("version");
  const now = useLoad(async () => {
    const [p, versions] = await Promise.all([
      version ? send(new GetPolicyVersionCommand({ policyName: name, policyVersionId: version })) : send(new GetPolicyCommand({ policyName: name })),
      listVersions(name),
    ]);
    return { document: laidOut(p.policyDocument ?? ""), full: versions.length >= 5 };
  }, [name, version]);
  return <Part of={now}>{({ document, full }) => <Form name={name} start={document} full={full} />}</Part>;
}

function Form({ name, start, full }: { name: string; start: string; full: boolean }) {
  const notify = useNotify();
  const policy = usePolicyText(start);
  const statements = usePolicyStatements(policy, "advanced");
  const [active, setActive] = useState(true);
  return (
    <FormPage
      title={`Edit ${name}`}
      description="Saving makes a new version of the policy."
      submit="Save as new version"
      onCancel={() => go(policyLink(name))}
      valid={() => statements.document() !== undefined}
      onSubmit={async () => {
        const policyDocument = statements.document();
        if (policyDocument === undefined) return;
        try {
          const made = await send(new CreatePolicyVersionCommand({ policyName: name, policyDocument, setAsDefault: active }));
          notify({ type: "success", content: `Version ${made.policyVersionId} of ${name} saved${active ? " and active" : ""}.` });
        } catch (e) {
          policy.refuse(policyDocument, e);
          throw e;
        }
        go(policyLink(name));
      }}
    >
      {full && <Alert type="warning">The policy has five versions, as many as it can have. Delete one first.</Alert>}
      <PolicyStatements policy={policy} of={statements} />
      <Checkbox checked={active} onChange={({ detail }) => setActive(detail.checked)}>
        Set the edited version as the active version for this policy
      </Checkbox>
    </FormPage>
  );
}
