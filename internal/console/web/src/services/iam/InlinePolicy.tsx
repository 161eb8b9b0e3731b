import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNotify } from "../../frame/notices";
import { go, to } from "../../frame/route";
import { Part } from "../../kit/DetailPage";
import { FormPage } from "../../kit/FormPage";
import { useLoad } from "../../kit/load";
import { laidOut } from "../../policy/layout";
import type { Params } from "../service";
import { holders, type Holder } from "./api";
import { nameFault, nameRule } from "./names";
import { folder } from "./Permissions";
import { PolicyEditor, sample, useDocument } from "./PolicyEditor";

/** inlineCreate and inlineEdit are the screens of a policy that belongs to one user, group or role. */
export const inlineCreate = (kind: Holder["kind"]) =>
  function InlineCreate({ params: { name = "" } }: { params: Params }) {
    return <Form kind={kind} name={name} start={sample} />;
  };

export const inlineEdit = (kind: Holder["kind"]) =>
  function InlineEdit({ params: { name = "", policy = "" } }: { params: Params }) {
    const now = useLoad(() => holders[kind].document(name, policy), [name, policy]);
    return <Part of={now}>{(document) => <Form kind={kind} name={name} policy={policy} start={laidOut(document)} />}</Part>;
  };

function Form({ kind, name, policy, start }: { kind: Holder["kind"]; name: string; policy?: string; start: string }) {
  const notify = useNotify();
  const document = useDocument(start, "identity");
  const [policyName, setPolicyName] = useState(policy ?? "");
  const [tried, setTried] = useState(false);
  const [fault, setFault] = useState<string>();
  const back = to(["iam", folder[kind], "details", name]);
  const wrongName = policy === undefined ? nameFault(policyName, "policy name", 128) : undefined;
  return (
    <FormPage
      title={policy === undefined ? `Create inline policy for ${name}` : policy}
      description={`An inline policy belongs to this ${kind} alone, and is deleted with it.`}
      submit={policy === undefined ? "Create policy" : "Save changes"}
      onCancel={() => go(back)}
      valid={() => {
        setTried(true);
        return !wrongName;
      }}
      onSubmit={async () => {
        const wrong = await document.fault();
        setFault(wrong);
        if (wrong) return;
        try {
          await holders[kind].put(name, policyName, document.text);
        } catch (e) {
          document.refuse(document.text, e);
          throw e;
        }
        notify({ type: "success", content: `Policy ${policyName} saved.` });
        go(back);
      }}
    >
      <Container header={<Header variant="h2">Policy editor</Header>}>
        <SpaceBetween size="m">
          <PolicyEditor document={document} kind="identity" start={policy === undefined ? "visual" : "json"} />
          {fault && <Alert type="error">{fault}</Alert>}
          {policy === undefined && (
            <FormField label="Policy name" constraintText={nameRule(128)} errorText={tried && wrongName}>
              <Input value={policyName} onChange={({ detail }) => setPolicyName(detail.value)} />
            </FormField>
          )}
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
