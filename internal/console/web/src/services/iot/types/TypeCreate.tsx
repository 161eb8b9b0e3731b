import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { CreateThingTypeCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { send } from "../api";
import { typeLink } from "../columns";
import { nameFault } from "../names";

/** TypeCreate makes a thing type. */
export function TypeCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [searchable, setSearchable] = useState("");
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const fault = nameFault(name, "thing type name");
  const attributes = searchable.split(/[\s,]+/).filter(Boolean);
  const wrong = attributes.length > 3 ? "A type has up to three searchable attributes." : attributes.find((a) => !/^[a-zA-Z0-9_.,@/:#-]+$/.test(a)) && "Attribute keys have letters, digits, and _ . @ / : # - only.";
  return (
    <FormPage
      title="Create thing type"
      description="Things of a type have its description and its searchable attributes in common."
      submit="Create thing type"
      onCancel={() => go("#/iot/thing-types")}
      valid={() => {
        setTried(true);
        return !fault && !wrong && !tagFault(tags);
      }}
      onSubmit={async () => {
        const thingTypeProperties = { thingTypeDescription: description || undefined, searchableAttributes: attributes.length ? attributes : undefined };
        await send(new CreateThingTypeCommand({ thingTypeName: name, thingTypeProperties, tags: tags.length ? tags : undefined }));
        notify({ type: "success", content: `Thing type ${name} created.` });
        go(typeLink(name));
      }}
    >
      <Container header={<Header variant="h2">Thing type properties</Header>}>
        <SpaceBetween size="m">
          <FormField label="Thing type name" constraintText="Up to 128 letters, digits, and : _ - A name cannot be changed later." errorText={tried && fault}>
            <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
          </FormField>
          <FormField label="Description - optional">
            <Textarea value={description} onChange={({ detail }) => setDescription(detail.value)} rows={2} />
          </FormField>
          <FormField label="Searchable attributes - optional" description="Up to three keys, with commas between." errorText={tried && wrong}>
            <Input value={searchable} onChange={({ detail }) => setSearchable(detail.value)} placeholder="serialNumber, model" />
          </FormField>
        </SpaceBetween>
      </Container>
      <TagsSection tags={tags} onChange={setTags} />
    </FormPage>
  );
}
