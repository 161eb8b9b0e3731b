import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { CreateBillingGroupCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { send } from "../api";
import { billingLink } from "../columns";
import { nameFault } from "../names";

/** BillingGroupCreate makes a billing group. */
export function BillingGroupCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const fault = nameFault(name, "billing group name");
  return (
    <FormPage
      title="Create billing group"
      submit="Create billing group"
      onCancel={() => go("#/iot/billing-groups")}
      valid={() => {
        setTried(true);
        return !fault && !tagFault(tags);
      }}
      onSubmit={async () => {
        await send(new CreateBillingGroupCommand({ billingGroupName: name, billingGroupProperties: { billingGroupDescription: description || undefined }, tags: tags.length ? tags : undefined }));
        notify({ type: "success", content: `Billing group ${name} created.` });
        go(billingLink(name));
      }}
    >
      <Container header={<Header variant="h2">Billing group properties</Header>}>
        <SpaceBetween size="m">
          <FormField label="Billing group name" constraintText="Up to 128 letters, digits, and : _ -" errorText={tried && fault}>
            <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
          </FormField>
          <FormField label="Description - optional">
            <Textarea value={description} onChange={({ detail }) => setDescription(detail.value)} rows={2} />
          </FormField>
        </SpaceBetween>
      </Container>
      <TagsSection tags={tags} onChange={setTags} />
    </FormPage>
  );
}
