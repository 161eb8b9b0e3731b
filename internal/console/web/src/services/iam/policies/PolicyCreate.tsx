import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { CreatePolicyCommand } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { tagFault, TagsEditor, type Tag } from "../../../kit/Tags";
import { Wizard } from "../../../kit/Wizard";
import { send } from "../api";
import { nameFault, nameRule } from "../names";
import { PolicyEditor, sample, useDocument } from "../PolicyEditor";
import { takeDraft } from "../draft";
import { SummaryTable } from "./SummaryTable";
import Button from "@cloudscape-design/components/button";

/** PolicyCreate makes a customer managed policy. */
export function PolicyCreate() {
  const notify = useNotify();
  const [draft] = useState(takeDraft);
  const document = useDocument(draft ?? sample, "identity");
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);

  const submit = async () => {
    try {
      const made = await send(new CreatePolicyCommand({ PolicyName: name, PolicyDocument: document.text, Description: description || undefined, Tags: tags }));
      const arn = made.Policy?.Arn ?? "";
      notify({ type: "success", header: `Policy ${name} created`, action: <Button href={to(["iam", "policies", "details", arn])}>View policy</Button> });
      go("#/iam/policies");
    } catch (e) {
      document.refuse(document.text, e);
      throw e;
    }
  };
  return (
    <Wizard
      submit="Create policy"
      onCancel={() => go("#/iam/policies")}
      onSubmit={submit}
      failedIn={(e) => (e instanceof Error && e.name.startsWith("MalformedPolicy") ? 0 : undefined)}
      steps={[
        {
          title: "Specify permissions",
          description: "Add permissions by selecting services, actions, resources, and conditions. Build permission statements using the JSON editor.",
          content: (
            <Container header={<Header variant="h2">Policy editor</Header>}>
              <PolicyEditor document={document} kind="identity" start={draft ? "json" : "visual"} />
            </Container>
          ),
          check: document.fault,
        },
        {
          title: "Tags",
          optional: true,
          content: (
            <Container header={<Header variant="h2">Add tags</Header>}>
              <TagsEditor tags={tags} onChange={setTags} />
            </Container>
          ),
          check: () => tagFault(tags),
        },
        {
          title: "Review policy",
          description: "Review the permissions, and name the policy.",
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Policy details</Header>}>
                <SpaceBetween size="m">
                  <FormField label="Name" description="Enter a meaningful name to identify this policy." constraintText={nameRule(128)} errorText={tried && nameFault(name, "policy name", 128)}>
                    <Input value={name} onChange={({ detail }) => setName(detail.value)} />
                  </FormField>
                  <FormField label="Description - optional" constraintText="Up to 1,000 characters.">
                    <Textarea value={description} onChange={({ detail }) => setDescription(detail.value)} rows={2} />
                  </FormField>
                </SpaceBetween>
              </Container>
              <SummaryTable document={document.text} />
            </SpaceBetween>
          ),
          check: () => {
            setTried(true);
            return nameFault(name, "policy name", 128) && "The name will not do.";
          },
        },
      ]}
    />
  );
}
