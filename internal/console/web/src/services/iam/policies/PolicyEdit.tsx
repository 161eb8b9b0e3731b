import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Alert from "@cloudscape-design/components/alert";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { CreatePolicyVersionCommand, GetPolicyCommand, GetPolicyVersionCommand } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { laidOut } from "../../../policy/layout";
import type { Params } from "../../service";
import { decoded, send } from "../api";
import { PolicyEditor, useDocument } from "../PolicyEditor";

/** PolicyEdit makes a new version of a managed policy. */
export function PolicyEdit({ params: { arn = "" } }: { params: Params }) {
  const now = useLoad(async () => {
    const { Policy } = await send(new GetPolicyCommand({ PolicyArn: arn }));
    const version = await send(new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: Policy?.DefaultVersionId }));
    return laidOut(decoded(version.PolicyVersion?.Document));
  }, [arn]);
  return <Part of={now}>{(document) => <Form arn={arn} start={document} />}</Part>;
}

function Form({ arn, start }: { arn: string; start: string }) {
  const notify = useNotify();
  const document = useDocument(start, "identity");
  const [isDefault, setDefault] = useState(true);
  const [fault, setFault] = useState<string>();
  const back = to(["iam", "policies", "details", arn], { tab: "versions" });
  return (
    <FormPage
      title={`Edit ${arn.split("/").at(-1)}`}
      description="Saving makes a new version of the policy."
      submit="Save changes"
      onCancel={() => go(back)}
      onSubmit={async () => {
        const wrong = await document.fault();
        setFault(wrong);
        if (wrong) return;
        try {
          const made = await send(new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: document.text, SetAsDefault: isDefault }));
          notify({ type: "success", content: `Version ${made.PolicyVersion?.VersionId} saved${isDefault ? " and in force" : ""}.` });
          go(back);
        } catch (e) {
          document.refuse(document.text, e);
          throw e;
        }
      }}
    >
      <Container header={<Header variant="h2">Policy editor</Header>}>
        <SpaceBetween size="m">
          <PolicyEditor document={document} kind="identity" start="json" />
          <Checkbox checked={isDefault} onChange={({ detail }) => setDefault(detail.checked)}>
            Set this new version as the default
          </Checkbox>
          {fault && <Alert type="error">{fault}</Alert>}
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
