import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Button from "@cloudscape-design/components/button";
import { CreatePolicyCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { send } from "../api";
import { policyLink } from "../columns";
import { nameFault, policyPattern } from "../names";
import { PolicyStatements, usePolicyStatements } from "./PolicyStatements";
import { usePolicyText } from "./usePolicyText";

const sample = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "",
      "Resource": ""
    }
  ]
}`;

/** PolicyCreate makes a policy: what devices may do. */
export function PolicyCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const policy = usePolicyText(sample);
  const statements = usePolicyStatements(policy, "basic");
  const fault = nameFault(name, "policy name", policyPattern);
  return (
    <FormPage
      title="Create a policy"
      description="Create a policy to define a set of authorized actions. You can authorize actions on one or more resources (things, topics, topic filters)."
      submit="Create"
      onCancel={() => go("#/iot/policies")}
      valid={() => {
        setTried(true);
        return statements.document() !== undefined && !fault && !tagFault(tags);
      }}
      onSubmit={async () => {
        const policyDocument = statements.document();
        if (policyDocument === undefined) return;
        try {
          await send(new CreatePolicyCommand({ policyName: name, policyDocument, tags: tags.length ? tags : undefined }));
        } catch (e) {
          policy.refuse(policyDocument, e);
          throw e;
        }
        notify({ type: "success", content: `Policy ${name} created.`, action: <Button href={policyLink(name)}>View policy</Button> });
        go("#/iot/policies");
      }}
    >
      <Container header={<Header variant="h2">Policy properties</Header>}>
        <FormField label="Name" constraintText="Up to 128 characters: letters, digits, and + = , . @ _ -" errorText={tried && fault}>
          <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
        </FormField>
      </Container>
      <PolicyStatements policy={policy} of={statements} />
      <TagsSection tags={tags} onChange={setTags} />
    </FormPage>
  );
}
